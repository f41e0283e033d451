package databricks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/logger"
	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// silent takes what the SDK logs: at its lowest level whole requests, with what they carry.
type silent struct{}

func (silent) Enabled(context.Context, logger.Level) bool { return false }
func (silent) Tracef(context.Context, string, ...any)     {}
func (silent) Debugf(context.Context, string, ...any)     {}
func (silent) Infof(context.Context, string, ...any)      {}
func (silent) Warnf(context.Context, string, ...any)      {}
func (silent) Errorf(context.Context, string, ...any)     {}

// The SDK reads its logger without a lock, wherever it works: it must be set before anything else.
func init() { logger.DefaultLogger = silent{} }

const (
	// answersWithin bounds the silence of one request.
	answersWithin = 30 * time.Second
	// tokensWithin bounds the retries of requests for tokens, which the SDK makes by itself.
	tokensWithin = 60 * time.Second
	// mostPerSecond bounds the pace of requests where nobody has set DATABRICKS_RATE_LIMIT. The SDK's own 15 are for programs
	// that list things; a launch asks some thirty times in all, most of them in its first second and its last, with pauses of its
	// own between looks, and does as a workspace says that wants to be left alone.
	mostPerSecond = 50
)

// workspace speaks with one workspace.
type workspace struct {
	clusters *compute.ClustersAPI
	commands *compute.CommandExecutionAPI
	policies *compute.ClusterPoliciesAPI
	pools    *compute.InstancePoolsAPI
	client   *client.DatabricksClient
	host     string
	wire     *wire
	wait     func(context.Context, time.Duration) error
}

// connect finds out which workspace is meant and how to log in to it, as all tools of Databricks do: from its own
// environment variables, from .databrickscfg, from the CI system.
func connect(ctx context.Context, options Options) (*workspace, error) {
	cfg := &config.Config{
		Credentials: &logins{},
		Profile:     options.Profile, Host: options.Host,
		HTTPTimeoutSeconds: int(answersWithin.Seconds()), RetryTimeoutSeconds: int(tokensWithin.Seconds()),
	}
	w := &wire{inner: options.Transport, cfg: cfg}
	w.heard.Store(time.Now().UnixNano())
	cfg.HTTPTransport = w
	// What the host tells of itself is fetched with the caller's deadline, not without one.
	cfg.HostMetadataResolver = func(_ context.Context, host string) (*config.HostMetadata, error) {
		return cfg.DefaultHostMetadataResolver()(ctx, host)
	}
	err := outlived(ctx, cfg.EnsureResolved)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	maskSecrets(cfg)
	if err != nil {
		remedy := "Correct the profile in .databrickscfg, or the variables DATABRICKS_… of the environment"
		if strings.Contains(err.Error(), "more than one authorization method") {
			remedy = "Say which way to log in is meant, in DATABRICKS_AUTH_TYPE or in the profile's auth_type, or leave out what belongs to the others"
		}
		return nil, configuration("the settings for Databricks cannot be used: "+short(err), remedy)
	}
	if err := agreed(options, cfg); err != nil {
		return nil, err
	}
	if cfg.Host == "" && cfg.AzureResourceID == "" {
		return nil, configuration("no workspace is named", "Set launch.databricks.host, or DATABRICKS_HOST, or name a profile of .databrickscfg in launch.databricks.profile")
	}
	settings, err := config.HTTPClientConfigFromConfig(cfg)
	if err != nil {
		return nil, configuration("the settings for Databricks cannot be used: "+short(err), "Correct the profile in .databrickscfg, or the variables DATABRICKS_… of the environment")
	}
	// Retries are call's: the SDK repeats what it must not (a cluster's creation), and waits without telling.
	settings.TransientErrors = nil
	settings.ErrorRetriable = func(context.Context, error) bool { return false }
	if settings.RateLimitPerSecond == 0 {
		settings.RateLimitPerSecond = mostPerSecond
	}
	speaker, err := client.NewWithClient(cfg, httpclient.NewApiClient(settings))
	if err != nil {
		return nil, configuration(short(err), "")
	}
	space := &workspace{
		clusters: compute.NewClusters(speaker), commands: compute.NewCommandExecution(speaker),
		policies: compute.NewClusterPolicies(speaker), pools: compute.NewInstancePools(speaker),
		client: speaker, host: cfg.Host, wait: options.wait, wire: w,
	}
	// Once, here, and not in each of the first requests.
	return space, space.call(ctx, "logging in to "+space.name(), harmless, func(ctx context.Context) error {
		return outlived(ctx, func() error { return cfg.Authenticate(&http.Request{Header: http.Header{}}) })
	})
}

// outlived waits for work that takes no context, and gives it up with ctx.
func outlived(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// maskSecrets hides what the SDK has found to log in with.
func maskSecrets(cfg *config.Config) {
	for _, attribute := range config.ConfigAttributes {
		if attribute.Sensitive && !attribute.IsZero(cfg) {
			secret.Mask(attribute.GetString(cfg))
		}
	}
	secret.Mask(cfg.ActionsIDTokenRequestToken)
}

// wire carries requests. It hides tokens from whatever is shown, and takes away from errors the words by which the SDK
// decides to repeat a request.
type wire struct {
	inner http.RoundTripper
	cfg   *config.Config
	once  sync.Once
	heard atomic.Int64 // when the last answer came, in nanoseconds since 1970
}

// silence is how long nothing was heard.
func (w *wire) silence() time.Duration { return time.Since(time.Unix(0, w.heard.Load())) }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.once.Do(func() {
		if w.inner != nil {
			return
		}
		usual := http.DefaultTransport.(*http.Transport).Clone()
		if w.cfg.InsecureSkipVerify { // somebody's own .databrickscfg says so
			usual.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		}
		w.inner = usual
	})
	if scheme, token, found := strings.Cut(req.Header.Get("Authorization"), " "); found && scheme != "" {
		secret.Mask(token)
	}
	resp, err := w.inner.RoundTrip(maskSent(req))
	if err != nil {
		return resp, &broken{err}
	}
	w.heard.Store(time.Now().UnixNano())
	return resp, nil
}

// broken is a connection that failed. It hides its cause, by which the SDK would decide to repeat the request.
type broken struct{ cause error }

func (b *broken) Error() string { return "the connection failed" }

// unanswered says that nobody knows whether a request was carried out.
func unanswered(err error) bool {
	return errors.As(err, new(*broken)) || errors.As(err, new(*url.Error))
}

// whatBroke is what is behind an unanswered request, for people.
func whatBroke(err error) string {
	if b := (*broken)(nil); errors.As(err, &b) {
		if errors.Is(b.cause, context.Canceled) { // by the SDK: whoever calls is not gone
			return fmt.Sprintf("it is silent for %s", answersWithin)
		}
		return short(b.cause)
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return short(u.Err)
	}
	return short(err)
}

// hostOf is the workspace as people know it, without scheme.
func (w *workspace) name() string {
	if u, err := url.Parse(w.host); err == nil && u.Host != "" {
		return u.Host
	}
	return w.host
}

func (w *workspace) authentication() string {
	if w.client.Config.AuthType == "" {
		return "no way to log in"
	}
	return fmt.Sprintf("logged in with %s", w.client.Config.AuthType)
}
