package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// EmbeddedHost is the name of the embedded registry in references and evidence, and the address that
// `hallmark registry serve` listens on. A run serves its own on any free port and sends what is meant for this
// name there, so that the name stays the same from run to run and two runs do not fight for one port.
const EmbeddedHost = "127.0.0.1:5877"

// Options are what every verb needs besides the configuration.
type Options struct {
	Home    Home
	Version string // of the program, for evidence and reports
	// CI is where the program runs; provenance names it as the builder.
	CI ci.Facts
	// Skip are steps that a run shall leave out, each with the reason that is told for it; see Skipping.
	Skip map[string]string
	// Compare asks which findings golden does not have, for the report.
	Compare bool
	// RunID names the run; empty: a new name. Whoever cleans up after it wants to know the name before it begins.
	RunID string
}

// surroundings are what the steps work with: what was asked, where things are kept, the registry. They hold no
// result of any step.
type surroundings struct {
	cfg     *config.Config
	home    Home
	version string
	ci      ci.Facts
	// authorities vouch for identities; they are asked for when somebody is to be trusted by name.
	authorities *authorities
	repository  string // host/path of the image
	registry    *registry.Client
	local       *registry.Server // nil where no embedded registry is needed
	ending      sync.WaitGroup   // what is being taken down while the work goes on
}

// open prepares the surroundings for work on the image that the configuration names.
func open(ctx context.Context, cfg *config.Config, options Options) (*surroundings, error) {
	return openFor(ctx, cfg, options, repositoryOf(cfg.Image))
}

// openFor prepares the surroundings for work on any reference; the embedded registry is served if the reference is in it.
func openFor(ctx context.Context, cfg *config.Config, options Options, reference string) (*surroundings, error) {
	cfg.Conceal()
	s := &surroundings{cfg: cfg, home: options.Home, version: options.Version, ci: options.CI, repository: repositoryOf(cfg.Image)}
	s.authorities = newAuthorities(cfg.Sign.Keyless, options.Home)
	connect := registry.Options{
		PlainHTTP: cfg.Registry.PlainHTTP,
		Auth:      credentials(cfg.Registry.Auth),
		UserAgent: "hallmark/" + options.Version,
		Azure:     azureIdentity(surely(options.CI)),
	}
	if strings.HasPrefix(reference, EmbeddedHost+"/") {
		server, err := registry.Serve(ctx, registry.ServeOptions{Root: s.registryRoot()})
		if err != nil {
			return nil, err
		}
		s.local = server
		connect.Redirect = map[string]string{EmbeddedHost: server.Addr()}
		connect.Stores = map[string]string{EmbeddedHost: s.registryRoot()}
	}
	client, err := registry.New(connect)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.registry = client
	return s, nil
}

// azureIdentity is the job as an application of Entra ID. It is nobody where strangers wrote what is built: they choose the
// images that are pulled for it.
func azureIdentity(facts ci.Facts) *registry.Azure {
	if facts.MayNotWrite() != "" {
		return nil
	}
	return &registry.Azure{Env: os.Getenv, Token: func(ctx context.Context) (string, error) {
		return ci.EntraToken(ctx, os.Getenv, facts.System)
	}}
}

func (s *surroundings) close() error {
	s.ending.Wait()
	if s.local == nil {
		return nil
	}
	return s.local.Close()
}

func (s *surroundings) registryRoot() string {
	if s.cfg.Registry.Root != "" {
		return s.cfg.Registry.Root
	}
	return s.home.registry()
}

// lookUp resolves what somebody has named: a name that is not there is a mistake of theirs, and no retry mends it.
func (s *surroundings) lookUp(ctx context.Context, ref string) (subject.Subject, error) {
	if onThisMachine(ref) {
		return subject.Subject{}, fmt.Errorf("%w: %s lies on this machine, and evidence is kept beside images in registries: name one there", verdict.ErrUsage, ref)
	}
	found, err := s.registry.Resolve(ctx, ref)
	if errors.Is(err, registry.ErrNotFound) {
		return found, fmt.Errorf("%w: %w", verdict.ErrUsage, err)
	}
	return found, err
}

// onThisMachine says whether an image is named by where it lies here, see Inspect.
func onThisMachine(image string) bool {
	kind, _, named := strings.Cut(image, ":")
	return named && (kind == "oci-layout" || kind == "docker-archive")
}

// Repository is host/path of the image that a configuration or a person names; without a host it is one of the embedded
// registry.
func Repository(image string) string { return repositoryOf(image) }

// repositoryOf is host/path of an image name, which without a host is one of the embedded registry.
func repositoryOf(image string) string {
	if strings.Contains(image, "://") || onThisMachine(image) {
		return image // to be refused as it was written
	}
	if host, _ := subject.SplitHost(image); host != "" {
		return image
	}
	return EmbeddedHost + "/" + image
}

func credentials(auth map[string]config.Credential) map[string]registry.Credential {
	converted := make(map[string]registry.Credential, len(auth))
	for host, c := range auth {
		converted[host] = registry.Credential{Username: c.Username, Password: c.Password, Token: c.Token}
	}
	return converted
}

// ServeRegistry serves the embedded registry on addr until ctx ends; ready is called once it answers.
func ServeRegistry(ctx context.Context, cfg *config.Config, options Options, addr string, ready func(addr, root string)) error {
	s := &surroundings{cfg: cfg, home: options.Home}
	server, err := registry.Serve(ctx, registry.ServeOptions{Root: s.registryRoot(), Addr: addr})
	if err != nil {
		return err
	}
	ready(server.Addr(), s.registryRoot())
	if err := server.Wait(); err != nil {
		return &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "registry.stopped", Doing: "serving the embedded registry on", Object: server.Addr(),
			Cause: fmt.Errorf("it stopped by itself: %w", err), Remedy: "Start it again",
		}
	}
	return nil
}
