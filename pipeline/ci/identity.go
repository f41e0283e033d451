package ci

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// CodeToken marks that a system did not hand out an identity token.
const CodeToken = "ci.token"

// How a system is asked for a token: so often, each time for so long, with so long between the first two times.
const (
	tokenTries = 3
	tokenTime  = 15 * time.Second
	tokenWait  = time.Second
	tokenMost  = 64 << 10 // bytes of an answer
)

// entraAudience is whom a token is for that Entra ID takes from others, and the only one for which Azure Pipelines issues tokens:
// https://learn.microsoft.com/azure/devops/release-notes/features-timeline (workload identity federation).
const entraAudience = "api://AzureADTokenExchange"

// IdentityToken fetches a token that says which job this is, for whoever audience stands for ("sigstore"). What stands in
// SIGSTORE_ID_TOKEN counts on every system; GitLab puts it there for a job's id_tokens. It is masked, and its audience and
// expiry are checked. What the job lacks is a usage error; a system that does not answer is inconclusive.
func IdentityToken(ctx context.Context, env Env, system System, audience string) (string, error) {
	return asking{env: env, run: output, wait: tokenWait}.token(ctx, system, audience)
}

// EntraToken is IdentityToken for Entra ID, which knows the job by it as the application that has a federated credential for
// the job. Here AZURE_ID_TOKEN counts on every system, and SIGSTORE_ID_TOKEN nowhere.
func EntraToken(ctx context.Context, env Env, system System) (string, error) {
	return asking{env: env, run: output, wait: tokenWait, ready: "AZURE_ID_TOKEN", instead: "or name its file in AZURE_FEDERATED_TOKEN_FILE"}.token(ctx, system, entraAudience)
}

// asking is what a system is asked with.
type asking struct {
	ready   string // the variable with a token that needs no asking; empty: SIGSTORE_ID_TOKEN
	instead string // what else people can do
	env     Env
	run     func(ctx context.Context, name string, args ...string) ([]byte, error)
	wait    time.Duration
}

func (a asking) token(ctx context.Context, system System, audience string) (string, error) {
	a.ready = cmp.Or(a.ready, "SIGSTORE_ID_TOKEN")
	a.instead = cmp.Or(a.instead, "or name where it is in sign.keyless.token; or sign with a key")
	text, from := a.env(a.ready), a.ready
	var err error
	if text == "" {
		switch from = system.Name(); system {
		case GitHub:
			text, err = a.github(ctx, audience)
		case Azure:
			text, err = a.azure(ctx, audience)
		case CircleCI:
			text, err = a.circleci(ctx, audience)
		case Buildkite:
			text, err = a.agent(ctx, system, "buildkite-agent", "oidc", "request-token", "--audience", audience)
		case GitLab:
			err = lacks(system, "the job has no "+a.ready, "Give the job id_tokens: {"+a.ready+": {aud: "+audience+"}}")
		default:
			err = lacks(system, "it hands out none that is known", "Put a token into "+a.ready+", "+a.instead)
		}
	}
	if err != nil {
		return "", err
	}
	return text, CheckToken(text, from, audience, time.Now())
}

// lacks is the error of a job that cannot have a token as it is.
func lacks(system System, what, remedy string) error {
	return fmt.Errorf("%w: asking %s for an identity token: %s. %s", verdict.ErrUsage, system.Name(), what, remedy)
}

// silent is the error of a system that did not answer, or not well.
func silent(system System, cause error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeToken, Doing: "asking for an identity token:", Object: system.Name(),
		Cause: errors.New(foreign.Short(cause.Error(), 300)), Remedy: "Run the job again",
	}
}

// github: https://docs.github.com/actions/reference/security/oidc
func (a asking) github(ctx context.Context, audience string) (string, error) {
	address, bearer := a.env("ACTIONS_ID_TOKEN_REQUEST_URL"), a.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return "", lacks(GitHub, "ACTIONS_ID_TOKEN_REQUEST_URL or ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set", "Give the job the permission id-token: write")
	}
	return a.ask(ctx, GitHub, http.MethodGet, address, bearer, url.Values{"audience": {audience}}, "value")
}

// azure: https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create
func (a asking) azure(ctx context.Context, audience string) (string, error) {
	if audience != entraAudience {
		return "", lacks(Azure, "its tokens are for "+entraAudience+" and nobody else, and the public Fulcio knows no issuer of Azure Pipelines",
			"Sign with a key; or with a Fulcio of one's own that accepts them, and sign.keyless.audience: "+entraAudience)
	}
	address, bearer, connection := a.env("SYSTEM_OIDCREQUESTURI"), a.env("SYSTEM_ACCESSTOKEN"), a.env("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
	switch {
	case address == "":
		return "", lacks(Azure, "SYSTEM_OIDCREQUESTURI is not set", "Run in a job of Azure Pipelines that has one")
	case bearer == "":
		return "", lacks(Azure, "SYSTEM_ACCESSTOKEN is not set", "Give the step env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}")
	case connection == "":
		return "", lacks(Azure, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID is not set", "Run in an AzureCLI@2 step, or set it to the id of the service connection")
	}
	return a.ask(ctx, Azure, http.MethodPost, address, bearer, url.Values{"api-version": {"7.1"}, "serviceConnectionId": {connection}}, "oidcToken")
}

// circleci: https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/. The token that lies ready
// is for the organisation; its program asks for others.
func (a asking) circleci(ctx context.Context, audience string) (string, error) {
	if ready := a.env("CIRCLE_OIDC_TOKEN_V2"); ready != "" && CheckToken(ready, "", audience, time.Now()) == nil {
		return ready, nil
	}
	claims, err := json.Marshal(map[string]string{"aud": audience})
	if err != nil {
		return "", err
	}
	return a.agent(ctx, CircleCI, "circleci", "run", "oidc", "get", "--claims", string(claims))
}

// agent asks a system's own program, which says the token on its standard output.
func (a asking) agent(ctx context.Context, system System, name string, args ...string) (string, error) {
	said, err := a.run(ctx, name, args...)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", lacks(system, "the program "+name+" is not here to ask", "Put it into the job's image, or a token into "+a.ready)
	case err != nil:
		return "", silent(system, fmt.Errorf("%s %s: %w", name, args[0], err))
	}
	return strings.TrimSpace(string(said)), nil
}

// output runs a program and returns what it says, as much as a token may have.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, agentWait)
	defer cancel()
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	var said, wrong capped
	cmd.Stdout, cmd.Stderr = &said, &wrong
	if err := cmd.Run(); err != nil {
		secret.Mask(string(said.kept)) // it may have been a token all the same
		return nil, fmt.Errorf("%w: %s", err, wrong.kept)
	}
	return said.kept, nil
}

// capped keeps the beginning of what is written.
type capped struct{ kept []byte }

// Write claims to have written what it drops.
func (c *capped) Write(p []byte) (int, error) {
	c.kept = append(c.kept, p[:min(len(p), tokenMost-len(c.kept))]...)
	return len(p), nil
}

// ask asks a server of the system, and again where it is at fault.
func (a asking) ask(ctx context.Context, system System, method, address, bearer string, query url.Values, field string) (string, error) {
	secret.Mask(bearer)
	target, err := url.Parse(address)
	if err != nil || target.Host == "" {
		return "", lacks(system, "the address that the system gives is none", "Look at what sets it")
	}
	if !secret.MayGoTo(target) {
		return "", lacks(system, "the address that the system gives is not https", "Look at what sets it: the job's credential would go there")
	}
	all := target.Query()
	for name, values := range query {
		all[name] = values
	}
	target.RawQuery = all.Encode()
	for try := 1; ; try++ {
		status, body, err := once(ctx, method, target.String(), bearer)
		switch {
		case err == nil && status == http.StatusOK:
			var said map[string]any
			if err = json.Unmarshal(body, &said); err == nil {
				if text, _ := said[field].(string); text != "" {
					return text, nil
				}
				err = fmt.Errorf("the answer has no %s", field)
			}
		case err == nil && status >= 400 && status < 500 && status != http.StatusTooManyRequests:
			return "", lacks(system, fmt.Sprintf("it refuses, with status %d: %s", status, foreign.Short(string(body), 200)), "Check the job's permission to have one")
		case err == nil:
			err = fmt.Errorf("it answers with status %d: %s", status, foreign.Short(string(body), 200))
		}
		if try == tokenTries || ctx.Err() != nil {
			return "", silent(system, err)
		}
		_ = pause.For(ctx, a.wait*time.Duration(try)) // the next try sees that ctx has ended
	}
}

// asks follows no redirects: the job's credential is for the address that the system gave.
var asks = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func once(ctx context.Context, method, address, bearer string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := asks.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, tokenMost+1))
	if err == nil && len(body) > tokenMost {
		err = fmt.Errorf("the answer has more than %d bytes", tokenMost)
	}
	return response.StatusCode, body, err
}

// claims are what a token says of itself; nobody vouches for it here.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expires  float64  `json:"exp"`
}

// audience is one, or a list of them.
type audience []string

// UnmarshalJSON reads either.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func readClaims(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("it is not a JSON Web Token")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &c) != nil {
		return c, errors.New("it is not a JSON Web Token")
	}
	return c, nil
}

// CheckToken masks a token and says what keeps it from being of use: another audience, its age. from names where it is
// from, for the message. Who checks its signature is whom it is for.
func CheckToken(token, from, wanted string, now time.Time) error {
	secret.Mask(token)
	c, err := readClaims(token)
	switch {
	case err != nil:
	case !slices.Contains(c.Audience, wanted):
		err = fmt.Errorf("it is for %s, not for %s", foreign.Short(cmp.Or(strings.Join(c.Audience, " and "), "nobody"), 200), wanted)
	case c.Expires > 0 && now.After(time.Unix(int64(c.Expires), 0)):
		err = fmt.Errorf("it expired at %s", time.Unix(int64(c.Expires), 0).UTC().Format(time.RFC3339))
	}
	if err != nil {
		return fmt.Errorf("%w: the identity token of %s cannot be used: %w", verdict.ErrUsage, from, err)
	}
	return nil
}

// TokenSays is whom a token says it is of, and who issued it, for people. Nobody vouches for it.
func TokenSays(token string) (subject, issuer string, expires time.Time) {
	c, err := readClaims(token)
	if err != nil {
		return "", "", time.Time{}
	}
	return foreign.Short(c.Subject, 200), foreign.Short(c.Issuer, 200), time.Unix(int64(c.Expires), 0)
}
