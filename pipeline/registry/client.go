package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Client reaches registries. It is safe for concurrent use; one per process is best, for it keeps tokens and connections.
type Client struct {
	options     Options
	credentials *credentials
	transport   http.RoundTripper
	http        *http.Client
	tagLimits   tagLimits
}

// New checks the options and returns a client. It reads no credential and opens no connection yet.
func New(options Options) (*Client, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{options: options, credentials: newCredentials(options), tagLimits: usualTagLimits}
	plain := plainHosts(options.PlainHTTP)
	var chain http.RoundTripper = &idle{next: options.Transport, limit: options.Idle}
	chain = &author{next: chain, credentials: c.credentials, plain: plain, hosts: map[string]*hostAuth{}}
	chain = &retrier{next: chain, policy: policyOf(options)}
	chain = &resumer{next: chain, retries: options.MaxRetries}
	c.transport = &scheme{next: chain, plain: plain, userAgent: options.UserAgent}
	c.http = &http.Client{Transport: c.transport, CheckRedirect: checkRedirect}
	return c, nil
}

// NameOptions are what name.ParseReference needs to agree with the client about plain HTTP for host.
func (c *Client) NameOptions(host string) []name.Option {
	if plainHosts(c.options.PlainHTTP).has(host) {
		return []name.Option{name.Insecure}
	}
	return nil
}

// RemoteOptions make go-containerregistry, and cosign through it, go through this client: credentials, retries,
// deadlines and progress (of ctx) included. The libraries' own retries only repeat what the client left alone.
func (c *Client) RemoteOptions(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(c.transport),
		remote.WithAuth(authn.Anonymous), // the chain authenticates
		remote.WithJobs(c.options.Parallel),
		remote.WithRetryStatusCodes(),
		remote.WithRetryBackoff(remote.Backoff{Duration: c.options.RetryWait, Factor: 2, Jitter: 0.25, Steps: 3}),
		remote.WithRetryPredicate(worthRepeatingAbove),
	}
}

// RoundTripper is the client's whole chain, for libraries that take a transport.
func (c *Client) RoundTripper() http.RoundTripper { return c.transport }

// repository parses host/path; a malformed one is the user's mistake.
func (c *Client) repository(repository string) (name.Repository, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return name.Repository{}, fmt.Errorf("%w: the repository %q is not host/path: %w", verdict.ErrUsage, repository, err)
	}
	for segment := range strings.SplitSeq(repo.RepositoryStr(), "/") {
		if strings.Trim(segment, ".") == "" { // the library lets them pass, and a URL would climb with them
			return name.Repository{}, fmt.Errorf("%w: the repository %q has an empty or dotted part", verdict.ErrUsage, repository)
		}
	}
	// Parsed again, because only now is the host known that the option is about.
	return name.NewRepository(repository, c.NameOptions(repo.RegistryStr())...)
}

func (c *Client) tag(repository, tag string) (name.Tag, error) {
	repo, err := c.repository(repository)
	if err != nil {
		return name.Tag{}, err
	}
	parsed, err := name.NewTag(repo.Name()+":"+tag, append(c.NameOptions(repo.RegistryStr()), name.StrictValidation)...)
	if err != nil {
		return name.Tag{}, fmt.Errorf("%w: the tag %q: %w", verdict.ErrUsage, tag, err)
	}
	return parsed, nil
}

// request sends one request below /v2/<repository>/, where path may bring a query, and returns whatever the registry answers.
func (c *Client) request(ctx context.Context, method string, repo name.Repository, path string, body io.Reader, header http.Header) (*http.Response, error) {
	path, query, _ := strings.Cut(path, "?")
	target := url.URL{Scheme: "https", Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/" + path, RawQuery: query}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		req.Header[key] = values
	}
	return c.http.Do(req)
}
