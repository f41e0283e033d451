package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
)

// front stands between hallmark and a registry, and may let somebody else be quicker.
type front struct {
	backend string // http://127.0.0.1:PORT
	handler atomic.Pointer[http.Handler]
}

// fronts are the registries of a script, by host:port.
type fronts map[string]*front

type frontsKey struct{}

// registry NAME [USER PASSWORD] serves an empty registry and puts its host:port into the variable NAME; with a user,
// it asks for the password.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: registry NAME [USER PASSWORD]")
	}
	store := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	f := &front{backend: store.URL}
	f.set(ts, &faults.Injector{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); len(args) == 3 && (user != args[1] || password != args[2]) {
			w.Header().Set("WWW-Authenticate", `Basic realm="the scripts"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		(*f.handler.Load()).ServeHTTP(w, r)
	}))
	ts.Defer(func() { server.Close(); store.Close() })
	host := strings.TrimPrefix(server.URL, "http://")
	ts.Value(frontsKey{}).(fronts)[host] = f
	ts.Setenv(args[0], host)
}

func (f *front) set(ts *testscript.TestScript, injector *faults.Injector) {
	handler, err := faults.Proxy(f.backend, injector)
	ts.Check(err)
	f.handler.Store(&handler)
}

// meanwhile REF DIGEST: when a promotion has read the tag and written it, and before it reads the tag back, somebody
// else moves it to DIGEST, which the repository holds.
func meanwhile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: meanwhile REF DIGEST")
	}
	tag, err := name.NewTag(args[0])
	ts.Check(err)
	f := ts.Value(frontsKey{}).(fronts)[tag.RegistryStr()]
	if f == nil {
		ts.Fatalf("no registry was started as %s", tag.RegistryStr())
	}
	behind := strings.TrimPrefix(f.backend, "http://") + "/" + tag.RepositoryStr()
	f.set(ts, &faults.Injector{
		Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/manifests/"+tag.TagStr()) },
		Faults: []faults.Fault{{At: 3, Kind: faults.Hook, Do: func() {
			other, err := name.NewDigest(behind + "@" + args[1])
			if err == nil {
				var held *remote.Descriptor
				if held, err = remote.Get(other); err == nil {
					err = remote.Tag(other.Context().Tag(tag.TagStr()), held)
				}
			}
			if err != nil {
				log.Printf("meanwhile: %v", err)
			}
		}}},
	})
}

// digest REF prints what a tag points to, or "nothing".
func digest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: digest REF")
	}
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	held, err := remote.Head(ref)
	text := "nothing"
	if err == nil {
		text = held.Digest.String()
	} else if !strings.Contains(err.Error(), "404") {
		ts.Check(err)
	}
	_, _ = io.WriteString(ts.Stdout(), text+"\n")
}
