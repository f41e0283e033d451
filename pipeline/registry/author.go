package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// author adds what a registry asks for: nothing until it answers 401, from then on what its challenge wants, ahead of
// time. So a registry that asks for nothing costs no request more, and one with tokens costs one token per scope.
type author struct {
	next        http.RoundTripper
	credentials *credentials
	plain       plainHosts

	mu    sync.Mutex
	hosts map[string]*hostAuth
}

// hostAuth is what is known of one host. Its lock also keeps two requests from fetching the same token.
type hostAuth struct {
	mu        sync.Mutex
	challenge *challenge
	basic     string            // Authorization header for a Basic challenge
	tokens    map[string]*token // by scopes
	extra     map[string]string // scopes -> what the challenge asked for beyond them
}

type token struct {
	value   string
	expires time.Time
}

func (a *author) host(host string) *hostAuth {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.hosts[host]
	if known == nil {
		known = &hostAuth{tokens: map[string]*token{}, extra: map[string]string{}}
		a.hosts[host] = known
	}
	return known
}

func (a *author) RoundTrip(req *http.Request) (*http.Response, error) {
	// Redirects lead to blob stores, which have their own ways; a credential goes to the registry itself only.
	if !strings.HasPrefix(req.URL.Path, "/v2/") || redirectedElsewhere(req) {
		return a.next.RoundTrip(req)
	}
	known := a.host(req.URL.Host)
	authorization, err := a.authorization(req, known, nil)
	if err != nil {
		closeBody(req.Body)
		return nil, err
	}
	resp, err := a.next.RoundTrip(authorized(req, authorization))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	asked := pickChallenge(resp.Header.Values("WWW-Authenticate"))
	if asked == nil || (req.Body != nil && req.Body != http.NoBody && req.GetBody == nil) {
		return resp, nil
	}
	renewed, err := a.authorization(req, known, asked)
	if err != nil {
		discard(resp)
		return nil, err
	}
	if renewed == "" || renewed == authorization {
		return resp, nil // the same answer again would be no better
	}
	discard(resp)
	again, err := rewound(req, 2)
	if err != nil {
		return nil, err
	}
	return a.next.RoundTrip(authorized(again, renewed))
}

func redirectedElsewhere(req *http.Request) bool {
	return req.Response != nil && req.Response.Request != nil && req.Response.Request.URL.Host != req.URL.Host
}

func authorized(req *http.Request, authorization string) *http.Request {
	if authorization == "" {
		return req
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", authorization)
	return req
}

// authorization is the header for req. With asked, the challenge of a 401, whatever was used before is no longer good.
func (a *author) authorization(req *http.Request, known *hostAuth, asked *challenge) (string, error) {
	known.mu.Lock()
	defer known.mu.Unlock()
	if asked != nil {
		known.challenge, known.basic = asked, ""
	}
	if known.challenge == nil {
		return "", nil
	}
	host, repository := req.URL.Host, repositoryOf(req.URL.Path)
	if known.challenge.scheme == "basic" {
		if known.basic != "" {
			return known.basic, nil
		}
		credential, err := a.credentials.find(req.Context(), host, repository)
		if err == nil {
			known.basic = basicHeader(credential)
		}
		return known.basic, err
	}
	scopes := scopesOf(req)
	key := strings.Join(scopes, " ")
	if asked != nil {
		delete(known.tokens, key)
		if scope := asked.parameters["scope"]; scope != "" && !slices.Contains(scopes, scope) {
			known.extra[key] = scope
		}
	}
	if have := known.tokens[key]; have != nil && time.Now().Before(have.expires) {
		return "Bearer " + have.value, nil
	}
	if extra := known.extra[key]; extra != "" {
		scopes = append([]string{extra}, scopes...) // first: some token servers look no further
	}
	fresh, err := a.fetchToken(req.Context(), host, repository, known.challenge, scopes)
	if err != nil {
		return "", err
	}
	known.tokens[key] = fresh
	return "Bearer " + fresh.value, nil
}

func basicHeader(credential authn.AuthConfig) string {
	if credential.Username == "" && credential.Password == "" {
		return ""
	}
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(credential.Username, credential.Password)
	return req.Header.Get("Authorization")
}

// repositoryOf is the repository in a path below /v2/, "" if there is none.
func repositoryOf(path string) string {
	path = strings.TrimPrefix(path, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if at := strings.LastIndex(path, kind); at > 0 {
			return path[:at]
		}
	}
	return ""
}

// scopesOf is what a request needs: reading needs pull, anything else both, and a mount also the source.
func scopesOf(req *http.Request) []string {
	repository := repositoryOf(req.URL.Path)
	if repository == "" {
		return []string{"registry:catalog:*"}
	}
	actions := "pull"
	switch req.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodDelete:
		actions = "delete,pull"
	default:
		actions = "pull,push"
	}
	scopes := []string{"repository:" + repository + ":" + actions}
	if from := req.URL.Query().Get("from"); from != "" {
		scopes = append(scopes, "repository:"+from+":pull")
	}
	return scopes
}

// checkRealm says whether a credential may go to where a challenge points.
func (a *author) checkRealm(ctx context.Context, host, realm string) (*url.URL, error) {
	target, err := url.Parse(realm)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("its token service %q is no URL", quoted(realm))
	}
	if target.Scheme != "https" && !(target.Scheme == "http" && a.plain.has(target.Host)) {
		return nil, fmt.Errorf("its token service %s is not reached over HTTPS", target.Host)
	}
	if target.Host != host {
		if err := refuseLinkLocal(target.Host); err != nil {
			return nil, err
		}
	}
	return target, ctx.Err()
}
