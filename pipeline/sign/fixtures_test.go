package sign_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// servers are the registries that behaviour is tested against: they differ in how they keep referrers.
var servers = map[string]func(t testing.TB) string{
	"embedded": func(t testing.TB) string { // the stand-in tag, with If-Match
		t.Helper()
		server, err := registry.Serve(t.Context(), registry.ServeOptions{Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		return server.Addr()
	},
	"stand-in tag": func(t testing.TB) string { return inProcess(t) },
	"referrers API": func(t testing.TB) string {
		return inProcess(t, ggcr.WithReferrersSupport(true))
	},
}

func inProcess(t testing.TB, options ...ggcr.Option) string {
	t.Helper()
	server := httptest.NewServer(ggcr.New(append(options, ggcr.Logger(log.New(io.Discard, "", 0)))...))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func newClient(t testing.TB) *registry.Client {
	t.Helper()
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), RetryWait: time.Millisecond, MaxRetries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newSigner(t testing.TB) *sign.Signer {
	t.Helper()
	signer, err := sign.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// pushed is a small image in the repository host/name.
func pushed(t testing.TB, c *registry.Client, host, name string) subject.Subject {
	t.Helper()
	img, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	s, err := subject.New(host+"/"+name, digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), img, s.Repository); err != nil {
		t.Fatal(err)
	}
	if err := c.PutManifest(t.Context(), s, img); err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	now    = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	inputs = evidence.Inputs(map[string]string{"pack": "1"})
)

func mark(age time.Duration, v verdict.Verdict) evidence.Mark {
	return evidence.Mark{Inputs: inputs, At: now.Add(-age), Verdict: v, Run: "run-1"}
}

func must(t testing.TB) func(evidence.Statement, error) evidence.Statement {
	return func(s evidence.Statement, err error) evidence.Statement {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func checked(t testing.TB, s subject.Subject, age time.Duration) evidence.Statement {
	t.Helper()
	return must(t)(evidence.Checked(s, evidence.Check{
		Verifier: "https://hallmark-ci.github.io/check", Rules: 3, Packs: []evidence.Pack{{Name: "base", Digest: inputs}},
	}, mark(age, verdict.Pass)))
}

func launched(t testing.TB, s subject.Subject, target string, age time.Duration) evidence.Statement {
	t.Helper()
	return must(t)(evidence.Launched(s, evidence.Launch{
		Target: target, Profile: "spark", Probes: []evidence.Probe{{Name: "spark-pi", Verdict: verdict.Pass}},
	}, mark(age, verdict.Pass)))
}

// statements are what one run says of an image.
func statements(t testing.TB, s subject.Subject) []evidence.Statement {
	t.Helper()
	m := mark(time.Hour, "")
	return []evidence.Statement{
		must(t)(evidence.Provenance(s, evidence.Build{Dockerfile: "Dockerfile", Builder: "https://hallmark-ci.github.io/builder/embedded"}, m)),
		must(t)(evidence.CycloneDX(s, bill(50), m)),
		must(t)(evidence.Vulnerabilities(s, evidence.Scan{Scanner: "pkg:x", Database: evidence.Database{Digest: inputs, Updated: now}}, mark(time.Hour, verdict.Pass))),
		checked(t, s, time.Hour),
		launched(t, s, "sandbox", time.Hour),
		must(t)(evidence.Promoted(s, evidence.Promotion{Tag: "golden", To: s.Digest, By: "ci", At: now, Policy: evidence.Pack{Name: "promotion", Digest: inputs}}, m)),
	}
}

// bill is a CycloneDX document of n components, about 200 bytes each.
func bill(n int) json.RawMessage {
	var b strings.Builder
	b.WriteString(`{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"library","name":"component-%d","version":"1.0.%d","purl":"pkg:deb/debian/component-%d@1.0.%d","description":%q}`, i, i, i, i, strings.Repeat("x", 100))
	}
	b.WriteString(`]}`)
	return json.RawMessage(b.String())
}

func verify(t testing.TB, c *registry.Client, at subject.Subject, p sign.Policy) sign.Report {
	t.Helper()
	if p.Now.IsZero() {
		p.Now = now
	}
	report, err := sign.Verify(context.WithoutCancel(t.Context()), c, at, p)
	if err != nil {
		t.Fatalf("verifying: %v", err)
	}
	return report
}

func trusting(signers ...*sign.Signer) [][]byte {
	var keys [][]byte
	for _, s := range signers {
		keys = append(keys, s.PublicPEM())
	}
	return keys
}
