package engine

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/moby/buildkit/util/network"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// caInside is where a build step finds the host's certificates: below /dev, a file system of the container's own, so
// that not even an empty file is left in the layer.
const caInside = "/dev/host-ca.pem"

// trusting is a network of BuildKit's whose containers see the certificates that their context names. The network has the
// last word on a container's mounts: a mount that BuildKit itself knows of would make it clear up /dev behind the step,
// where the image has none, and the layer would be another one than on a machine without certificates.
type trusting struct{ network.Provider }

type bundleKey struct{}

// withBundle names the certificates for a container that is started with the context.
func withBundle(ctx context.Context, bundle string) context.Context {
	return context.WithValue(ctx, bundleKey{}, bundle)
}

// New makes the network of one container.
func (t trusting) New(ctx context.Context, hostname string, o network.NamespaceOptions) (network.Namespace, error) {
	made, err := t.Provider.New(ctx, hostname, o)
	if bundle, named := ctx.Value(bundleKey{}).(string); named && err == nil {
		return bundled{made, bundle}, nil
	}
	return made, err
}

type bundled struct {
	network.Namespace
	bundle string
}

// Set enters the network into the container's specification, and the certificates with it.
func (b bundled) Set(s *specs.Spec) error {
	s.Mounts = append(s.Mounts, specs.Mount{Destination: caInside, Type: "bind", Source: b.bundle, Options: []string{"rbind", "ro"}})
	return b.Namespace.Set(s)
}

// caVariables are what the usual programs read: OpenSSL and Go, curl, Python, Node, pip, git, the AWS tools, cargo.
var caVariables = []string{
	"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "GIT_SSL_CAINFO",
	"AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO",
}

// hostBundles are where distributions keep them: Debian and Alpine, Fedora, older RHEL, SUSE.
var hostBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
}

// findCABundle resolves Options.CABundle; empty: build steps get none.
func findCABundle(wanted string) (string, error) {
	switch wanted {
	case NoCABundle:
		return "", nil
	case "":
		for _, path := range append([]string{os.Getenv("SSL_CERT_FILE")}, hostBundles...) {
			if info, err := os.Stat(path); path != "" && err == nil && info.Mode().IsRegular() {
				return path, nil
			}
		}
		return "", nil
	default:
		if _, err := os.Stat(wanted); err != nil {
			return "", fmt.Errorf("%w: the certificates for build steps: %w", verdict.ErrUsage, err)
		}
		return wanted, nil
	}
}

// withCA adds the variables that env does not set itself.
func withCA(env []string) []string {
	set := make(map[string]bool, len(env))
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		set[name] = true
	}
	out := append([]string(nil), env...)
	for _, name := range caVariables {
		if !set[name] {
			out = append(out, name+"="+caInside)
		}
	}
	return out
}
