package engine

import (
	"context"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// CredentialsFunc returns what host (as in image references; "index.docker.io" for Docker Hub) wants to see. An empty
// user with a secret is an identity token; neither is anonymous.
type CredentialsFunc func(host string) (user, secret string, err error)

// Credentials lets an engine ask for credentials while it works for this session, and only then: nothing is stored.
func Credentials(lookup CredentialsFunc) session.Attachable { return &credentials{lookup: lookup} }

// credentials answers one of the service's calls. The others, by which tokens would be fetched here instead of in the
// engine, are left unanswered on purpose: the engine is this program too.
type credentials struct {
	auth.UnimplementedAuthServer
	lookup CredentialsFunc
}

// dockerHub is the host that really serves what references call index.docker.io.
const dockerHub = "registry-1.docker.io"

// Register is for BuildKit's session.
func (c *credentials) Register(server *grpc.Server) { auth.RegisterAuthServer(server, c) }

// Credentials is for BuildKit's session.
func (c *credentials) Credentials(_ context.Context, request *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	host := request.Host
	if host == dockerHub {
		host = "index.docker.io"
	}
	user, secret, err := c.lookup(host)
	if err != nil {
		return nil, status.Errorf(codes.Unauthenticated, "credentials for %s: %v", host, err)
	}
	return &auth.CredentialsResponse{Username: user, Secret: secret}, nil
}
