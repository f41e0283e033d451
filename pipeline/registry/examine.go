package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// MayPush asks whether the client's credential may write to a repository: it begins an upload and gives it up at once.
// Nothing is written. The error says what is in the way.
func (c *Client) MayPush(ctx context.Context, repository string) error {
	const doing = "asking to write to"
	repo, err := c.repository(repository)
	if err != nil {
		return err
	}
	resp, err := c.request(ctx, http.MethodPost, repo, "blobs/uploads/", nil, nil)
	if err != nil {
		return c.fail(err, doing, repo.Name())
	}
	defer discard(resp)
	if resp.StatusCode != http.StatusAccepted {
		return c.failStatus(resp, doing, repo.Name())
	}
	// A registry that does not let go of an upload forgets it by itself.
	at, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil || at.Host != resp.Request.URL.Host {
		return nil
	}
	if giveUp, err := http.NewRequestWithContext(ctx, http.MethodDelete, (&url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path, RawQuery: at.RawQuery}).String(), nil); err == nil {
		if gone, err := c.http.Do(giveUp); err == nil {
			discard(gone)
		}
	}
	return nil
}

// ServesReferrers says whether a registry lists what refers to a digest; where it does not, a tag stands in for the list,
// which clients must keep by themselves. It is asked about a digest that nothing has: the specification wants an empty
// list then. Of a repository that does not exist yet some registries do not say; known is false then.
func (c *Client) ServesReferrers(ctx context.Context, repository string) (served, known bool, err error) {
	const doing = "asking for referrers in"
	repo, err := c.repository(repository)
	if err != nil {
		return false, false, err
	}
	resp, err := c.request(ctx, http.MethodGet, repo, "referrers/sha256:"+strings.Repeat("0", 64), nil, nil)
	if err != nil {
		return false, false, c.fail(err, doing, repo.Name())
	}
	defer discard(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return strings.Contains(resp.Header.Get("Content-Type"), "vnd.oci.image.index"), true, nil
	case http.StatusNotFound:
		body, _ := peek(resp, maxErrorBody)
		return false, !strings.Contains(string(body), "NAME_UNKNOWN"), nil
	case http.StatusMethodNotAllowed, http.StatusBadRequest:
		return false, true, nil
	}
	return false, false, c.failStatus(resp, doing, repo.Name())
}

// Clock is how far this machine's clock is ahead of the registry's, by the date of its answer; known is false where it gives
// none. Half of the time that the answer took is taken for its way back.
func (c *Client) Clock(ctx context.Context, repository string) (ahead time.Duration, known bool, err error) {
	const doing = "asking for the time of"
	repo, err := c.repository(repository)
	if err != nil {
		return 0, false, err
	}
	asked := time.Now()
	resp, err := c.request(ctx, http.MethodGet, repo, "tags/list?n=1", nil, nil)
	if err != nil {
		return 0, false, c.fail(err, doing, repo.RegistryStr())
	}
	defer discard(resp)
	answered := time.Now()
	said, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, false, nil
	}
	// The date has no fractions: what it says lies within the second that it names.
	return asked.Add(answered.Sub(asked) / 2).Sub(said.Add(500 * time.Millisecond)), true, nil
}

// Shown is what the client would show a host: where it comes from, and until when it holds; zero: for ever, or nobody
// knows. Nothing of it is secret.
type Shown struct {
	From    string
	Expires time.Time
	Renewed bool   // the client gets another one before it ends
	Lacks   string // where there is none: what is missing for one that there might be
}

// Shows says which credential a host would be shown. None: the zero value.
func (c *Client) Shows(ctx context.Context, host string) (Shown, error) {
	found, err := c.credentials.find(ctx, canonicalHost(host), "library/any")
	if err != nil {
		return Shown{}, err
	}
	c.credentials.mu.Lock()
	shown := Shown{From: c.credentials.source[canonicalHost(host)], Lacks: c.credentials.lacks[canonicalHost(host)]}
	c.credentials.mu.Unlock()
	app, azure := c.credentials.azure.application(canonicalHost(host))
	shown.Renewed = azure && shown.From == app.String()
	for _, token := range []string{found.IdentityToken, found.RegistryToken, found.Password} {
		if expires, ok := expiry(token); ok {
			shown.Expires = expires
		}
	}
	return shown, nil
}

// expiry reads until when a token holds, if it is one that says so: a JSON Web Token.
func expiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(body, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}

// Annotations are those of the manifest that ref points to.
func (c *Client) Annotations(ctx context.Context, ref string) (map[string]string, error) {
	s, err := c.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	m, err := c.Manifest(ctx, s)
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(m.Bytes, &manifest); err != nil {
		return nil, fmt.Errorf("%w: reading the manifest of %s: %w", verdict.ErrUsage, ref, err)
	}
	return manifest.Annotations, nil
}
