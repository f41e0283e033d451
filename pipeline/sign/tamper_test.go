package sign_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestTampering(t *testing.T) {
	t.Parallel()
	host := servers["stand-in tag"](t)
	c, signer, stranger := newClient(t), newSigner(t), newSigner(t)
	labelled := map[string]string{"dev.sigstore.bundle.predicateType": evidence.TypeChecked}
	for _, tt := range []struct {
		name  string
		forge func(t *testing.T, at subject.Subject)
		code  string
		want  string
	}{
		{"evidence of another image", func(t *testing.T, at subject.Subject) {
			other := pushed(t, c, host, "replayed")
			stated := subject.Subject{Repository: at.Repository, Digest: other.Digest}
			plant(t, c, at, planted{bundle: attested(t, c, signer, checked(t, stated, time.Hour), other), annotations: labelled})
		}, sign.CodeSubject, "about another image"},
		{"evidence of the same image elsewhere", func(t *testing.T, at subject.Subject) {
			stated := subject.Subject{Repository: "elsewhere.example.com/spark", Digest: at.Digest}
			plant(t, c, at, planted{bundle: sealed(t, signer, marshal(t, checked(t, stated, time.Hour))), annotations: labelled})
		}, sign.CodeRepository, "elsewhere.example.com/spark"},
		{"another key", func(t *testing.T, at subject.Subject) {
			attested(t, c, stranger, checked(t, at, time.Hour), at)
		}, sign.CodeSigner, "did not sign it"},
		{"another key that claims to be ours", func(t *testing.T, at subject.Subject) {
			b := sealed(t, stranger, marshal(t, checked(t, at, time.Hour)))
			var ours, theirs map[string]any
			if json.Unmarshal(sealed(t, signer, "{}"), &ours) != nil || json.Unmarshal(b, &theirs) != nil {
				t.Fatal("no JSON")
			}
			theirs["verificationMaterial"] = ours["verificationMaterial"]
			b, _ = json.Marshal(theirs)
			plant(t, c, at, planted{bundle: b, annotations: labelled})
		}, sign.CodeSigner, "did not sign it"},
		{"a changed verdict", func(t *testing.T, at subject.Subject) {
			b := sealed(t, signer, marshal(t, checked(t, at, time.Hour)))
			plant(t, c, at, planted{bundle: changed(t, b, `"PASSED"`, `"FAILED"`), annotations: labelled})
		}, sign.CodeSigner, "changed since"},
		{"too old", func(t *testing.T, at subject.Subject) {
			attested(t, c, signer, checked(t, at, 30*24*time.Hour), at)
		}, sign.CodeAge, "720h0m0s old"},
		{"from the future", func(t *testing.T, at subject.Subject) {
			attested(t, c, signer, checked(t, at, -time.Hour), at)
		}, sign.CodeAge, "in the future"},
		{"labelled as something else", func(t *testing.T, at subject.Subject) {
			plant(t, c, at, planted{bundle: sealed(t, signer, marshal(t, launched(t, at, "sandbox", time.Hour))), annotations: labelled})
		}, sign.CodePredicate, "labelled as " + evidence.TypeChecked},
		{"a manifest that refers to another image", func(t *testing.T, at subject.Subject) {
			b := sealed(t, signer, marshal(t, checked(t, at, time.Hour)))
			plant(t, c, at, planted{bundle: b, annotations: labelled, about: "sha256:" + strings.Repeat("ab", 32)})
		}, sign.CodeSubject, "manifest refers to another image"},
		{"two layers", func(t *testing.T, at subject.Subject) {
			plant(t, c, at, planted{bundle: sealed(t, signer, marshal(t, checked(t, at, time.Hour))), annotations: labelled, twice: true})
		}, sign.CodeMalformed, "2 layers"},
		{"no bundle", func(t *testing.T, at subject.Subject) {
			plant(t, c, at, planted{bundle: []byte(`{"mediaType":"` + bundleType + `"`), annotations: labelled})
		}, sign.CodeMalformed, "not a Sigstore bundle"},
		{"an empty bundle", func(t *testing.T, at subject.Subject) {
			plant(t, c, at, planted{bundle: []byte(`{"mediaType":"` + bundleType + `"}`), annotations: labelled})
		}, sign.CodeMalformed, "not a Sigstore bundle"},
		{"an older statement version", func(t *testing.T, at subject.Subject) {
			old := strings.Replace(marshal(t, checked(t, at, time.Hour)), "Statement/v1", "Statement/v0.1", 1)
			plant(t, c, at, planted{bundle: sealed(t, signer, old), annotations: labelled})
		}, sign.CodeMalformed, "not https://in-toto.io/Statement/v1"},
		{"a second subject", func(t *testing.T, at subject.Subject) {
			two := strings.Replace(marshal(t, checked(t, at, time.Hour)), `"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"00"}},`, 1)
			plant(t, c, at, planted{bundle: sealed(t, signer, two), annotations: labelled})
		}, sign.CodeMalformed, "2 subjects"},
		{"a statement that contradicts itself", func(t *testing.T, at subject.Subject) {
			odd := strings.Replace(marshal(t, checked(t, at, time.Hour)), `"verdict":"pass"`, `"verdict":"fail"`, 1)
			plant(t, c, at, planted{bundle: sealed(t, signer, odd), annotations: labelled})
		}, sign.CodeMalformed, "at once"},
		{"a certificate instead of a key", func(t *testing.T, at subject.Subject) {
			var b map[string]any
			if err := json.Unmarshal(sealed(t, signer, marshal(t, checked(t, at, time.Hour))), &b); err != nil {
				t.Fatal(err)
			}
			b["verificationMaterial"] = map[string]any{"certificate": map[string]any{"rawBytes": "AAAA"}}
			encoded, _ := json.Marshal(b)
			plant(t, c, at, planted{bundle: encoded, annotations: labelled})
		}, sign.CodeSigner, "certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, host, "spark")
			tt.forge(t, at)
			r := verify(t, c, at, sign.Policy{Keys: trusting(signer), MaxAge: 24 * time.Hour, Require: []string{evidence.TypeChecked}})
			if len(r.Evidence) != 0 {
				t.Fatalf("it counts: %+v", r.Evidence)
			}
			if len(r.Rejected) != 1 || r.Rejected[0].Code != tt.code || !strings.Contains(r.Rejected[0].Reason, tt.want) {
				t.Errorf("rejected %+v, want one with code %s and %q", r.Rejected, tt.code, tt.want)
			}
			if err := r.Err(); verdict.OfError(err) != verdict.Fail || !strings.Contains(err.Error(), evidence.TypeChecked) {
				t.Errorf("got %v, want a fail that names what is missing", err)
			}
			// What is good stands beside what is not, and counts.
			if err := signer.Attest(t.Context(), c, checked(t, at, time.Hour), sign.AttestOptions{}); err != nil {
				t.Fatal(err)
			}
			if r = verify(t, c, at, sign.Policy{Keys: trusting(signer), MaxAge: 24 * time.Hour}); len(r.Evidence) != 1 {
				t.Errorf("the good one beside it does not count: %+v", r.Rejected)
			}
		})
	}
}

// A hint that the statement stands already must not keep it from being written.
func TestHintIsNotBelieved(t *testing.T) {
	t.Parallel()
	c, signer, stranger := newClient(t), newSigner(t), newSigner(t)
	at := pushed(t, c, servers["embedded"](t), "spark")
	s := checked(t, at, time.Hour)
	digest, err := s.Digest()
	if err != nil {
		t.Fatal(err)
	}
	plant(t, c, at, planted{bundle: sealed(t, stranger, marshal(t, s)), annotations: map[string]string{"io.github.hallmark-ci.statement": digest}})
	if err := signer.Attest(t.Context(), c, s, sign.AttestOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, c, at, sign.Policy{Keys: trusting(signer)}); len(r.Evidence) != 1 || len(r.Rejected) != 1 {
		t.Errorf("evidence %d, rejected %+v", len(r.Evidence), r.Rejected)
	}
}

func TestOtherToolsAreLeftAlone(t *testing.T) {
	t.Parallel()
	c, signer := newClient(t), newSigner(t)
	at := pushed(t, c, servers["embedded"](t), "spark")
	plant(t, c, at, planted{bundle: []byte("a picture"), mediaType: "image/png"})
	if err := signer.AttestAll(t.Context(), c, at, nil, sign.AttestOptions{Signature: true}); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, c, at, sign.Policy{Keys: trusting(signer)}); len(r.Rejected) != 0 || len(r.Signatures) != 2 {
		t.Errorf("%d signatures, rejected %+v", len(r.Signatures), r.Rejected)
	}
	if all, err := c.Referrers(t.Context(), at); err != nil || len(all) != 2 {
		t.Errorf("the list holds %d entries, %v", len(all), err)
	}
}

func TestRemoved(t *testing.T) {
	t.Parallel()
	c, signer := newClient(t), newSigner(t)
	at := pushed(t, c, servers["embedded"](t), "spark")
	attested(t, c, signer, checked(t, at, time.Hour), at)
	list(t, c, at)
	r := verify(t, c, at, sign.Policy{Keys: trusting(signer), Require: []string{evidence.TypeChecked}})
	if err := r.Err(); verdict.OfError(err) != verdict.Fail || !strings.Contains(err.Error(), "no evidence of type "+evidence.TypeChecked) {
		t.Errorf("got %v", err)
	}
}

// Of more entries than the limit, the newest are read.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	c, signer := newClient(t), newSigner(t)
	at := pushed(t, c, servers["stand-in tag"](t), "spark")
	var all []evidence.Statement
	for i := range 6 {
		all = append(all, checked(t, at, time.Duration(6-i)*time.Hour))
	}
	if err := signer.AttestAll(t.Context(), c, at, all, sign.AttestOptions{}); err != nil {
		t.Fatal(err)
	}
	r := verify(t, c, at, sign.Policy{Keys: trusting(signer), Limits: sign.Limits{Referrers: 2}})
	if r.Unread != 4 || len(r.Evidence) != 1 || len(r.Superseded) != 1 || !r.Evidence[0].At.Equal(now.Add(-time.Hour)) {
		t.Errorf("unread %d, evidence %+v", r.Unread, r.Evidence)
	}
}

func TestClassicTampering(t *testing.T) {
	t.Parallel()
	host := servers["stand-in tag"](t)
	c, signer, stranger := newClient(t), newSigner(t), newSigner(t)
	// move puts the classic signature of one image under the tag of another.
	move := func(t *testing.T, from, to subject.Subject) {
		t.Helper()
		suffix := func(s subject.Subject) string { return strings.Replace(s.Digest, ":", "-", 1) + ".sig" }
		source, err := name.NewTag(from.Tagged(suffix(from)))
		if err != nil {
			t.Fatal(err)
		}
		img, err := remote.Image(source, c.RemoteOptions(t.Context())...)
		if err != nil {
			t.Fatal(err)
		}
		target, err := name.NewTag(to.Tagged(suffix(to)))
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(target, img, c.RemoteOptions(t.Context())...); err != nil {
			t.Fatal(err)
		}
	}
	signed := func(t *testing.T, s *sign.Signer, at subject.Subject, as string) {
		t.Helper()
		if err := s.AttestAll(t.Context(), c, at, nil, sign.AttestOptions{Signature: true, As: as}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		forge func(t *testing.T, at subject.Subject)
		code  string
	}{
		{"another key", func(t *testing.T, at subject.Subject) { signed(t, stranger, at, "") }, sign.CodeSigner},
		{"another repository", func(t *testing.T, at subject.Subject) { signed(t, signer, at, "elsewhere.example.com/x") }, sign.CodeRepository},
		{"another image", func(t *testing.T, at subject.Subject) {
			other := pushed(t, c, host, "spark")
			signed(t, signer, other, "")
			move(t, other, at)
		}, sign.CodeSubject},
		{"no signature", func(t *testing.T, at subject.Subject) {
			img, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("{}"), "application/vnd.dev.cosign.simplesigning.v1+json"))
			if err != nil {
				t.Fatal(err)
			}
			tag, err := name.NewTag(at.Tagged(strings.Replace(at.Digest, ":", "-", 1) + ".sig"))
			if err != nil {
				t.Fatal(err)
			}
			if err := remote.Write(tag, img, c.RemoteOptions(t.Context())...); err != nil {
				t.Fatal(err)
			}
		}, sign.CodeMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, host, "spark")
			tt.forge(t, at)
			r := verify(t, c, at, sign.Policy{Keys: trusting(signer)})
			if len(r.Signatures) != 0 || len(r.Rejected) == 0 || r.Rejected[0].Code != tt.code {
				t.Errorf("%d signatures, rejected %+v, want code %s", len(r.Signatures), r.Rejected, tt.code)
			}
			var e *verdict.Error
			if err := r.Err(); !errors.As(err, &e) || e.Code != sign.CodeUnsigned || e.Verdict != verdict.Fail {
				t.Errorf("got %v", err)
			}
		})
	}
}

// lying is a transport that changes what the registry answers.
type lying struct {
	change func(*http.Request, *http.Response)
}

func (l lying) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && l.change != nil {
		l.change(req, resp)
	}
	return resp, err
}

func TestLyingRegistry(t *testing.T) {
	t.Parallel()
	honest, signer := newClient(t), newSigner(t)
	at := pushed(t, honest, servers["embedded"](t), "spark")
	attested(t, honest, signer, checked(t, at, time.Hour), at)
	for name, part := range map[string]string{"blobs": "/blobs/", "manifests": "/manifests/sha256:"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := registry.New(registry.Options{DockerConfig: t.TempDir(), MaxRetries: -1, Transport: lying{func(req *http.Request, resp *http.Response) {
				if req.Method == http.MethodGet && strings.Contains(req.URL.Path, part) && !strings.HasSuffix(req.URL.Path, at.Digest) {
					body, _ := io.ReadAll(resp.Body)
					body = bytes.Replace(body, []byte("sigstore"), []byte("sigstorf"), 1)
					resp.Body = io.NopCloser(bytes.NewReader(body))
				}
			}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = sign.Verify(t.Context(), c, at, sign.Policy{Keys: trusting(signer), Now: now})
			if err == nil || verdict.OfError(err) != verdict.Inconclusive {
				t.Errorf("got %v; the image is not to blame for what the registry garbles", err)
			}
		})
	}
}

func TestRegistryDown(t *testing.T) {
	t.Parallel()
	c, err := registry.New(registry.Options{DockerConfig: t.TempDir(), MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	signer := newSigner(t)
	at := subject.Subject{Repository: "127.0.0.1:1/spark", Digest: "sha256:" + strings.Repeat("ab", 32)}
	if _, err := sign.Verify(t.Context(), c, at, sign.Policy{Keys: trusting(signer)}); verdict.OfError(err) != verdict.Inconclusive || err == nil {
		t.Errorf("verifying: %v", err)
	}
	if err := signer.Sign(t.Context(), c, at); verdict.OfError(err) != verdict.Inconclusive || err == nil {
		t.Errorf("signing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := signer.Sign(ctx, c, at); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestVerifyNeedsKeys(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	at := subject.Subject{Repository: "127.0.0.1:1/spark", Digest: "sha256:" + strings.Repeat("ab", 32)}
	private := []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
	for name, keys := range map[string][][]byte{"none": nil, "no PEM": {[]byte("x")}, "a private key": {private}, "broken": {[]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")}} {
		if _, err := sign.Verify(t.Context(), c, at, sign.Policy{Keys: keys}); !errors.Is(err, verdict.ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAttestRefusesAnotherImage(t *testing.T) {
	t.Parallel()
	c, signer := newClient(t), newSigner(t)
	host := servers["embedded"](t)
	at, other := pushed(t, c, host, "spark"), pushed(t, c, host, "spark")
	err := signer.AttestAll(t.Context(), c, at, []evidence.Statement{checked(t, other, time.Hour)}, sign.AttestOptions{})
	if err == nil || !strings.Contains(err.Error(), "another image") {
		t.Errorf("got %v", err)
	}
}
