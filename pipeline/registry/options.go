package registry

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Options say how registries are reached. The zero value suits public registries and those that `docker login` knows.
type Options struct {
	// PlainHTTP names the hosts ("registry.lan:5000") that are spoken to without TLS. Loopback hosts always are.
	PlainHTTP []string
	// Auth holds credentials by host; they come before the environment and Docker's configuration.
	Auth map[string]Credential
	// OnlyAuth leaves the environment and Docker's configuration alone: a host without an entry in Auth is asked anonymously.
	OnlyAuth bool
	// DockerConfig is the folder of config.json; empty: where docker and podman keep theirs.
	DockerConfig string
	// Azure signs in to Azure's registries where nothing else gives a credential; nil: nobody does.
	Azure *Azure
	// MaxRetries is how often a request is repeated; 0: 4; negative: never.
	MaxRetries int
	// RetryFor bounds the time that one request may spend waiting for its retries; 0: 2 minutes.
	RetryFor time.Duration
	// RetryWait is the first wait, doubled each time up to 20 s; 0: 500 ms. Retry-After comes before it.
	RetryWait time.Duration
	// Idle is how long a request may stand still before it is given up; 0: 1 minute.
	Idle time.Duration
	// Parallel is how many blobs are uploaded at once; 0: 4.
	Parallel int
	// Redirect maps host:port of a registry to where it really listens: what is meant for the one is dialled at the other.
	Redirect map[string]string
	// Stores maps host:port of an embedded registry that this process serves to the folder of its store.
	Stores map[string]string
	// Transport carries the requests at the bottom of the chain; nil: a new http.Transport.
	Transport http.RoundTripper
	// UserAgent is what registries see in their logs; empty: "hallmark".
	UserAgent string
}

// Credential opens one host. Either Username and Password, or Token, an identity token as `docker login` stores it.
type Credential struct {
	Username string     `json:"username,omitempty" yaml:"username,omitempty"`
	Password secret.Ref `json:"password,omitempty" yaml:"password,omitempty"`
	Token    secret.Ref `json:"token,omitempty" yaml:"token,omitempty"`
}

// check says what is wrong with a credential without reading its secrets.
func (c Credential) check() error {
	if err := c.Password.Check(); err != nil {
		return err
	}
	if err := c.Token.Check(); err != nil {
		return err
	}
	switch {
	case c.Token != "" && c.Password != "":
		return fmt.Errorf("%w: give either a password or a token, not both", verdict.ErrUsage)
	case c.Token == "" && (c.Username == "" || c.Password == ""):
		return fmt.Errorf("%w: give a username and a password, or a token", verdict.ErrUsage)
	}
	return nil
}

func (o Options) withDefaults() (Options, error) {
	for host, credential := range o.Auth {
		if err := credential.check(); err != nil {
			return o, fmt.Errorf("the credential for %s: %w", host, err)
		}
	}
	for _, host := range o.PlainHTTP {
		if host == "" || strings.Contains(host, "/") {
			return o, fmt.Errorf("%w: plain HTTP is asked for %q: give host or host:port, without scheme or path", verdict.ErrUsage, host)
		}
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = 4
	}
	o.MaxRetries = max(o.MaxRetries, 0)
	setDefault(&o.RetryFor, 2*time.Minute)
	setDefault(&o.RetryWait, 500*time.Millisecond)
	setDefault(&o.Idle, time.Minute)
	setDefault(&o.Parallel, 4)
	setDefault(&o.UserAgent, "hallmark")
	if o.Transport == nil {
		o.Transport = newTransport(o.Redirect)
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// newTransport is the bottom of the chain: proxies from the environment, TLS as Go does it.
func newTransport(redirect map[string]string) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: askedProxy,
		DialContext:            redirected((&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext, redirect),
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16, // one or two hosts take all of the traffic
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    15 * time.Second,
		ExpectContinueTimeout:  time.Second,
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         64 << 10,
	}
}
