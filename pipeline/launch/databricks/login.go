package databricks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/config/credentials"
	"github.com/databricks/databricks-sdk-go/httpclient"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// authTypes are the SDK's ways to log in, in the order in which it tries them where nobody names one.
var authTypes = []string{
	"pat", "basic", "oauth-m2m", "databricks-cli", "metadata-service", "github-oidc", "azure-devops-oidc", "env-oidc", "file-oidc",
	"github-oidc-azure", "azure-msi", "azure-client-secret", "azure-cli", "google-credentials", "google-id",
}

// logins tries the SDK's ways to log in one after the other, as the SDK itself would, and keeps why those that somebody has
// set up did not work: the SDK only says that none did.
type logins struct{ name string }

func (l *logins) Name() string { return cmp.Or(l.name, "default") }

func (l *logins) Configure(ctx context.Context, cfg *config.Config) (credentials.CredentialsProvider, error) {
	asked := cfg.AuthType
	defer func() { cfg.AuthType = asked }()
	names := authTypes
	if asked != "" {
		names = []string{asked}
	}
	failed := &noLogin{}
	for _, name := range names {
		cfg.AuthType = name // the SDK tries this one alone
		provider, err := (&config.DefaultCredentials{}).Configure(ctx, cfg)
		if err == nil && provider != nil {
			err = provider.SetHeaders(&http.Request{Header: http.Header{}})
		}
		switch {
		case err == nil && provider != nil:
			l.name = name
			return credentials.NewCredentialsProvider(func(r *http.Request) error {
				if err := provider.SetHeaders(r); err != nil { // a token that has to be renewed
					return &noLogin{tried: []attempt{{name, err}}}
				}
				secret.Mask(r.Header.Get("X-Databricks-Azure-SP-Management-Token"))
				return nil
			}), nil
		case asked == "" && !setUp(name, cfg):
		case err == nil:
			failed.tried = append(failed.tried, attempt{name, errIncomplete})
		default:
			failed.tried = append(failed.tried, attempt{name, err})
		}
	}
	return nil, failed
}

var errIncomplete = errors.New("its settings are not complete, or the workspace is not of that cloud")

// setUp says whether somebody has made settings for a way to log in.
func setUp(name string, cfg *config.Config) bool {
	installed := func(program string) bool { _, err := exec.LookPath(program); return err == nil }
	switch name {
	case "pat":
		return cfg.Token != ""
	case "basic":
		return cfg.Username != "" && cfg.Password != ""
	case "oauth-m2m":
		return cfg.ClientSecret != ""
	case "databricks-cli":
		return cfg.DatabricksCliPath != "" || installed("databricks")
	case "metadata-service":
		return cfg.MetadataServiceURL != ""
	case "github-oidc":
		return cfg.ActionsIDTokenRequestURL != ""
	case "azure-devops-oidc":
		return os.Getenv("SYSTEM_ACCESSTOKEN") != ""
	case "env-oidc":
		return cfg.OIDCTokenEnv != "" || os.Getenv("DATABRICKS_OIDC_TOKEN") != ""
	case "file-oidc":
		return cfg.OIDCTokenFilepath != ""
	case "github-oidc-azure":
		return cfg.ActionsIDTokenRequestURL != "" && cfg.AzureClientID != ""
	case "azure-msi":
		return cfg.AzureUseMSI
	case "azure-client-secret":
		return cfg.AzureClientSecret != ""
	case "azure-cli":
		return cfg.IsAzure() && installed("az")
	case "google-credentials":
		return cfg.GoogleCredentials != ""
	case "google-id":
		return cfg.GoogleServiceAccount != ""
	}
	return false
}

// logInRemedies say what to do about a way to log in whose issuer refuses.
var logInRemedies = map[string]string{
	"pat":                 "Renew the token in DATABRICKS_TOKEN or the profile",
	"oauth-m2m":           "See that DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or client_id and client_secret of the profile, are those of a service principal of this workspace, and that the secret has not expired",
	"databricks-cli":      "Log in with databricks auth login, or take another way",
	"github-oidc":         "Give the workflow's job permissions: {id-token: write}, and the service principal of DATABRICKS_CLIENT_ID a federation policy with this repository's subject and this workspace's audience",
	"azure-devops-oidc":   "Give the step SYSTEM_ACCESSTOKEN: $(System.AccessToken), and the service principal of DATABRICKS_CLIENT_ID a federation policy for the pipeline",
	"env-oidc":            "See that DATABRICKS_OIDC_TOKEN (or the variable that DATABRICKS_OIDC_TOKEN_ENV names) holds a token that has not expired, and that the service principal of DATABRICKS_CLIENT_ID has a federation policy for its issuer",
	"file-oidc":           "See that the file of DATABRICKS_OIDC_TOKEN_FILEPATH holds a token that has not expired, and that the service principal of DATABRICKS_CLIENT_ID has a federation policy for its issuer",
	"github-oidc-azure":   "Give the workflow's job permissions: {id-token: write}, and the application of ARM_CLIENT_ID a federated credential for this repository",
	"azure-msi":           "Give this machine a managed identity that is a member of the workspace; ARM_CLIENT_ID names one of several",
	"azure-client-secret": "See that ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET, or the profile's fields, are those of a service principal of this workspace, and that the secret has not expired",
	"azure-cli":           "Log in with az login, with the tenant of ARM_TENANT_ID where that is set",
}

const logInRemedy = "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or another of the ways to log in that Databricks documents, or name a profile of .databrickscfg"

// noLogin says that no token is to be had: of those ways to log in that are set up, how each ended.
type noLogin struct{ tried []attempt }

type attempt struct {
	name string
	err  error
}

func (n *noLogin) Error() string {
	if len(n.tried) == 0 {
		return "no way to log in is set up"
	}
	said := make([]string, len(n.tried))
	for i, a := range n.tried {
		said[i] = a.name + ": " + short(a.err)
	}
	return strings.Join(said, "; ")
}

func (n *noLogin) Unwrap() []error {
	all := make([]error, len(n.tried))
	for i, a := range n.tried {
		all[i] = a.err
	}
	return all
}

// explained makes a launch's error of it. An issuer that refuses is a matter of settings; one that is out of order, or that
// nobody reaches, may be back later.
func (n *noLogin) explained(doing string) *fault {
	e := &launch.Error{Verdict: verdict.Inconclusive, Code: launch.CodeConfiguration, Remedy: logInRemedy, Cause: n}
	if len(n.tried) == 0 {
		e.Reason = doing + ": " + n.Error()
		return &fault{of: e}
	}
	var said, remedies []string
	later := false
	for _, a := range n.tried {
		text, mayPass := a.said()
		said = append(said, "with "+a.name+": "+text)
		later = later || mayPass
		if !mayPass {
			remedies = append(remedies, cmp.Or(logInRemedies[a.name], logInRemedy))
		}
	}
	e.Reason = secret.Redact(doing + ": no token is to be had " + strings.Join(said, "; nor "))
	e.Remedy = strings.Join(remedies, ". ")
	if later {
		e.Code = launch.CodeWorkspace
		e.Remedy = strings.Join(append([]string{"Check the network between here and who gives out the tokens, and run the same command again"}, remedies...), ". ")
	}
	return &fault{of: e, again: later}
}

// said is how one way ended, in words without secrets, and whether it may do later.
func (a attempt) said() (text string, later bool) {
	answer := (*httpclient.HttpError)(nil)
	switch {
	case errors.As(a.err, new(*broken)):
		return issuerOf(a.err) + " does not answer: " + whatBroke(a.err), true
	case errors.As(a.err, &answer) && answer.Response != nil:
		return ofIssuer(a.err, answer.StatusCode)
	}
	for _, code := range []int{400, 401, 403, 404, 409, 429, 499, 500, 501, 503, 504} {
		if known, _ := apierr.ByStatusCode(code); errors.Is(a.err, known) {
			return ofIssuer(a.err, code)
		}
	}
	return short(a.err), errors.Is(a.err, context.DeadlineExceeded)
}

// askedFor is how libraries tell what they asked for, and what came of it.
var askedFor = regexp.MustCompile(`(?s)(?:Get|Post|from) "?(https?://[^"\s]+?)"?: (.*)$`)

func issuerOf(err error) string {
	if match := askedFor.FindStringSubmatch(err.Error()); match != nil {
		if u, err := url.Parse(match[1]); err == nil {
			return u.Host
		}
	}
	return "who gives them out"
}

func ofIssuer(err error, code int) (string, bool) {
	text := err.Error()
	if match := askedFor.FindStringSubmatch(text); match != nil {
		text = match[2]
	}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal([]byte(text), &body) == nil && body.Error != "" { // RFC 6749 section 5.2
		text = strings.TrimSpace(body.Error + " " + body.Description)
	}
	more := ""
	if text = foreign.Short(secret.Redact(text), 300); text != "" && !strings.Contains(text, "<html") {
		more = " (" + strings.TrimRight(text, ".") + ")"
	}
	return fmt.Sprintf("%s answers with status %d%s", issuerOf(err), code, more), code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && code != http.StatusNotImplemented
}

// maskSent hides what a request for a token carries, the token of who vouches for the caller or the caller's own secret, and
// returns the request as it is to be sent.
func maskSent(req *http.Request) *http.Request {
	if req.Body == nil || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return req
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return req // whoever sends it finds the same
	}
	_ = req.Body.Close()
	sent := req.Clone(req.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	for _, field := range []string{"client_secret", "client_assertion", "subject_token", "assertion", "refresh_token"} {
		for _, value := range form[field] {
			secret.Mask(value)
		}
	}
	return sent
}
