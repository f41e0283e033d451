package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// guard adds to distribution what it lacks: conditional writes. A write of a tag takes the repository's lock, a file in
// the store's root, so that If-Match compares and writes as one, also between processes that serve the same root.
type guard struct {
	next  http.Handler
	locks string
}

// headerCompared stands in an answer to a conditional write whose condition was looked at under the lock. HTTP has no
// word for it: a registry that does not know If-Match answers like one for which it holds.
const headerCompared = "Hallmark-Compared"

// lockWait bounds how long a write may wait for others of the same repository.
const lockWait = 30 * time.Second

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	repository, tag := tagPath(r.URL.Path)
	if tag == "" || (r.Method != http.MethodPut && r.Method != http.MethodDelete) {
		g.next.ServeHTTP(w, r)
		return
	}
	unlock, err := g.lock(r, repository)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", "the repository is being written: "+err.Error())
		return
	}
	defer unlock()
	conditional, met := g.met(r)
	if !met {
		refuse(w, http.StatusPreconditionFailed, "PRECONDITION_FAILED", "the tag does not point to what the request expects")
		return
	}
	if conditional {
		w.Header().Set(headerCompared, "true")
	}
	g.next.ServeHTTP(w, r)
}

// tagPath splits /v2/<repository>/manifests/<tag>; the tag is "" for a digest or another path.
func tagPath(path string) (repository, tag string) {
	rest, found := strings.CutPrefix(path, "/v2/")
	at := strings.LastIndex(rest, "/manifests/")
	if !found || at < 0 {
		return "", ""
	}
	repository, tag = rest[:at], rest[at+len("/manifests/"):]
	if strings.ContainsAny(tag, ":/") {
		return repository, ""
	}
	return repository, tag
}

func (g *guard) lock(r *http.Request, repository string) (func(), error) {
	if err := os.MkdirAll(g.locks, 0o755); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(repository))
	file := flock.New(filepath.Join(g.locks, hex.EncodeToString(sum[:8])))
	ctx, cancel := context.WithTimeout(r.Context(), lockWait)
	defer cancel()
	if _, err := file.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}

// met says whether the request has conditions, and whether they hold for what the tag points to now.
func (g *guard) met(r *http.Request) (conditional, met bool) {
	match, noneMatch := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	if len(match) == 0 && len(noneMatch) == 0 {
		return false, true
	}
	look := r.Clone(r.Context())
	look.Method, look.Body, look.ContentLength = http.MethodHead, http.NoBody, 0
	look.Header = http.Header{"Accept": accepted}
	answer := &headerWriter{header: http.Header{}}
	g.next.ServeHTTP(answer, look)
	current := ""
	if answer.status == http.StatusOK {
		current = answer.header.Get("Docker-Content-Digest")
	}
	if len(match) > 0 && !names(match, current) {
		return true, false
	}
	return true, len(noneMatch) == 0 || !names(noneMatch, current)
}

// names says whether a list of entity tags names digest; "*" names whatever is there.
func names(lists []string, digest string) bool {
	for _, list := range lists {
		for tag := range strings.SplitSeq(list, ",") {
			if tag = strings.Trim(strings.TrimSpace(tag), `"`); digest != "" && (tag == "*" || tag == digest) {
				return true
			}
		}
	}
	return false
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`+"\n", code, message)
}

// headerWriter keeps an answer's status and header and drops its body.
type headerWriter struct {
	header http.Header
	status int
}

func (h *headerWriter) Header() http.Header { return h.header }

func (h *headerWriter) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *headerWriter) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return len(p), nil
}
