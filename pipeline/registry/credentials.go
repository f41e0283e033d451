package registry

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The environment's credential counts for the one host that it names, so that a password never goes to a registry
// that merely asked.
const (
	EnvHost     = "HALLMARK_REGISTRY_HOST"
	EnvUsername = "HALLMARK_REGISTRY_USERNAME"
	EnvPassword = "HALLMARK_REGISTRY_PASSWORD"
	EnvToken    = "HALLMARK_REGISTRY_TOKEN"
)

// helperWait bounds how long a credential helper may think.
const helperWait = 30 * time.Second

// credentials finds what opens a host: the configuration first, then the environment, then what `docker login` (or
// podman's) left, credential helpers included; for Azure's registries at last who the job is.
type credentials struct {
	byHost       map[string]Credential
	only         bool
	dockerConfig string
	azure        *azureLogin

	mu     sync.Mutex
	source map[string]string // host -> where the credential came from, for people
	lacks  map[string]string // host -> why there is none where there might be one
}

func newCredentials(o Options) *credentials {
	byHost := make(map[string]Credential, len(o.Auth))
	for host, credential := range o.Auth {
		byHost[canonicalHost(host)] = credential
	}
	return &credentials{
		byHost: byHost, only: o.OnlyAuth, dockerConfig: o.DockerConfig, azure: newAzureLogin(o),
		source: map[string]string{}, lacks: map[string]string{},
	}
}

// canonicalHost makes one name of the several that Docker Hub has.
func canonicalHost(host string) string {
	switch host {
	case "docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return name.DefaultRegistry
	}
	return host
}

// find returns the credential for a repository's host; the zero AuthConfig is none. Secrets in it are masked.
func (c *credentials) find(ctx context.Context, host, repository string) (authn.AuthConfig, error) {
	found, source, err := c.look(ctx, canonicalHost(host), repository)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	for _, value := range []string{found.Password, found.Auth, found.IdentityToken, found.RegistryToken} {
		secret.Mask(value)
	}
	c.mu.Lock()
	c.source[host] = source
	c.mu.Unlock()
	return found, nil
}

func (c *credentials) look(ctx context.Context, host, repository string) (authn.AuthConfig, string, error) {
	if credential, ok := c.byHost[host]; ok {
		return fromReferences(credential)
	}
	if c.only {
		return authn.AuthConfig{}, "no credential", nil
	}
	if set := os.Getenv(EnvHost); set != "" && canonicalHost(set) == host {
		if token := os.Getenv(EnvToken); token != "" {
			return authn.AuthConfig{IdentityToken: token}, "the environment's " + EnvToken, nil
		}
		if user, password := os.Getenv(EnvUsername), os.Getenv(EnvPassword); user != "" && password != "" {
			return authn.AuthConfig{Username: user, Password: password}, fmt.Sprintf("user %s of the environment's %s", user, EnvUsername), nil
		}
		return authn.AuthConfig{}, "", fmt.Errorf("%w: %s names %s, but neither %s nor %s and %s are set", verdict.ErrUsage, EnvHost, host, EnvToken, EnvUsername, EnvPassword)
	}
	found, source, err := c.docker(ctx, host, repository)
	if app, named := c.azure.application(host); err == nil && named && found == (authn.AuthConfig{}) {
		return c.byAzure(ctx, host, app)
	}
	return found, source, err
}

// byAzure signs in as an application; what it lacks for that is kept for who is refused.
func (c *credentials) byAzure(ctx context.Context, host string, app application) (authn.AuthConfig, string, error) {
	found, lacks, err := c.azure.find(ctx, host, app)
	c.mu.Lock()
	c.lacks[host] = lacks
	c.mu.Unlock()
	if err != nil || lacks != "" {
		return authn.AuthConfig{}, "", err
	}
	return found, app.String(), nil
}

func fromReferences(credential Credential) (authn.AuthConfig, string, error) {
	if credential.Token != "" {
		token, err := credential.Token.Read()
		return authn.AuthConfig{IdentityToken: string(token)}, fmt.Sprintf("the token from %s", credential.Token), err
	}
	password, err := credential.Password.Read()
	return authn.AuthConfig{Username: credential.Username, Password: string(password)},
		fmt.Sprintf("user %s with the password from %s", credential.Username, credential.Password), err
}

// docker asks Docker's configuration and its helpers. A helper is a foreign program: it gets a deadline.
func (c *credentials) docker(ctx context.Context, host, repository string) (authn.AuthConfig, string, error) {
	type answer struct {
		auth authn.AuthConfig
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		auth, err := c.askDocker(host, repository)
		answered <- answer{auth, err}
	}()
	place := "Docker's configuration"
	if c.dockerConfig != "" {
		place += " in " + c.dockerConfig
	}
	ctx, cancel := context.WithTimeout(ctx, helperWait)
	defer cancel()
	select {
	case <-ctx.Done():
		return authn.AuthConfig{}, "", fmt.Errorf("%w: the credential helper for %s did not answer within %s; run `docker login %s` anew", verdict.ErrUsage, host, helperWait, host)
	case got := <-answered:
		switch {
		case got.err != nil:
			return authn.AuthConfig{}, "", fmt.Errorf("%w: reading the credential for %s from %s: %w", verdict.ErrUsage, host, place, got.err)
		case got.auth == authn.AuthConfig{}:
			return got.auth, "", nil
		case got.auth.Username != "":
			return got.auth, fmt.Sprintf("user %s of %s", got.auth.Username, place), nil
		default:
			return got.auth, "the token of " + place, nil
		}
	}
}

func (c *credentials) askDocker(host, repository string) (authn.AuthConfig, error) {
	repo, err := name.NewRepository(host + "/" + repository)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	if c.dockerConfig == "" {
		found, err := authn.DefaultKeychain.Resolve(repo)
		if err != nil {
			return authn.AuthConfig{}, err
		}
		auth, err := found.Authorization()
		if err != nil {
			return authn.AuthConfig{}, err
		}
		return *auth, nil
	}
	file, err := config.Load(c.dockerConfig)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	if host == name.DefaultRegistry {
		host = authn.DefaultAuthKey
	}
	auth, err := file.GetAuthConfig(host)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	return authn.AuthConfig{
		Username: auth.Username, Password: auth.Password, Auth: auth.Auth,
		IdentityToken: auth.IdentityToken, RegistryToken: auth.RegistryToken,
	}, nil
}

// used says in words which credential host was last shown.
func (c *credentials) used(host string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if source := c.source[host]; source != "" {
		return "used: " + source
	}
	return "no credential was used"
}

// remedy is the advice for a refusal by host.
func (c *credentials) remedy(host string) string {
	c.mu.Lock()
	source, lacks := c.source[host], c.lacks[host]
	c.mu.Unlock()
	app, azure := c.azure.application(host)
	switch {
	case lacks != "":
		return fmt.Sprintf("No credential for %s was found: %s", host, lacks)
	case azure && source == app.String():
		return fmt.Sprintf("Check the role that %s has in %s: %s", app, host, azureRoles)
	case source == "":
		return fmt.Sprintf("No credential for %s was found: run `docker login %s`, or set %s with %s and %s, or name one in the configuration",
			host, host, EnvHost, EnvUsername, EnvPassword)
	}
	return fmt.Sprintf("Check that %s is still valid and may read and write there", source)
}
