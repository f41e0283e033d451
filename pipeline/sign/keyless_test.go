package sign_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestKeyless(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	c := newClient(t)
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, serve(t), "platform/spark")
			signer := s.keyless(t, s.instance())
			if who, keyless := signer.Identity(); !keyless || who != s.workflow() {
				t.Fatalf("it signs as %v", who)
			}
			all := fresh(t, at)
			for range 2 { // the second time everything stands
				if err := signer.AttestAll(t.Context(), c, at, all, sign.AttestOptions{Signature: true}); err != nil {
					t.Fatal(err)
				}
			}
			root := opened(t, s.instance())
			policy := func(who ...sign.Identity) sign.Policy {
				return sign.Policy{Identities: who, Root: root, Now: time.Now()}
			}
			report := verify(t, c, at, policy(s.workflow()))
			if report.Err() != nil || len(report.Signatures) != 1 || len(report.Evidence) != len(all) || len(report.Superseded)+len(report.Rejected) > 0 {
				t.Errorf("%v: %+v", report.Err(), report)
			}
			if got, want := report.Signatures[0].Signer, signer.Name(); got != want || !strings.Contains(got, s.Issuer) {
				t.Errorf("signed by %q, want %q", got, want)
			}
			pattern := sign.Identity{IssuerRegexp: `http://127\.0\.0\.1:\d+`, NameRegexp: `https://github\.com/octo/spark/.*@refs/heads/main`}
			if report := verify(t, c, at, policy(pattern)); report.Err() != nil {
				t.Errorf("by patterns: %v", report.Err())
			}
			for what, who := range map[string]sign.Identity{
				"another workflow":           {Issuer: s.Issuer, Name: "https://github.com/octo/spark/.github/workflows/other.yml@refs/heads/main"},
				"another issuer":             {Issuer: s.Other, Name: s.workflow().Name},
				"a pattern for a part of it": {Issuer: s.Issuer, NameRegexp: `octo/spark`},
				"a pattern for its start":    {Issuer: s.Issuer, NameRegexp: `https://github\.com/octo/spark`},
			} {
				report := verify(t, c, at, policy(who))
				if verdict.OfError(report.Err()) != verdict.Fail || len(report.Evidence) > 0 || len(report.Rejected) != len(all)+1 {
					t.Errorf("%s: %v, %+v", what, report.Err(), report)
					continue
				}
				if r := report.Rejected[0]; r.Code != sign.CodeSigner || !strings.Contains(r.Reason, "golden.yml@refs/heads/main") {
					t.Errorf("%s: %+v", what, r)
				}
			}
			report = verify(t, c, at, sign.Policy{Keys: trusting(newSigner(t)), Now: time.Now()})
			if report.Err() == nil || !strings.Contains(report.Rejected[0].Reason, "only keys are trusted") {
				t.Errorf("with a key: %+v", report)
			}
		})
	}
}

// TestKeylessBesideKey: both may be trusted at once, which is how one goes over from keys to identities.
func TestKeylessBesideKey(t *testing.T) {
	t.Parallel()
	s, c, key := newSigstore(t), newClient(t), newSigner(t)
	at := pushed(t, c, inProcess(t), "platform/spark")
	all := fresh(t, at)
	if err := key.AttestAll(t.Context(), c, at, all[:1], sign.AttestOptions{Signature: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.keyless(t, s.instance()).AttestAll(t.Context(), c, at, all[1:], sign.AttestOptions{Signature: true}); err != nil {
		t.Fatal(err)
	}
	root := opened(t, s.instance())
	both := verify(t, c, at, sign.Policy{Keys: trusting(key), Identities: []sign.Identity{s.workflow()}, Root: root, Now: time.Now()})
	if both.Err() != nil || len(both.Evidence) != 2 || len(both.Rejected) > 0 {
		t.Errorf("%+v", both)
	}
	one := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: root, Now: time.Now()})
	if one.Err() != nil || len(one.Evidence) != 1 || len(one.Rejected) != 3 { // the classic signature, the bundle, the statement
		t.Errorf("%+v", one)
	}
}

// TestKeylessPredated: who signs cannot say that something was found out later than it was signed.
func TestKeylessPredated(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	at := pushed(t, c, inProcess(t), "platform/spark")
	ahead := time.Now().Add(time.Hour)
	statement := must(t)(evidence.Checked(at, evidence.Check{
		Verifier: "https://hallmark-ci.github.io/check", Rules: 3, Packs: []evidence.Pack{{Name: "base", Digest: inputs}},
	}, evidence.Mark{Inputs: inputs, At: ahead, Verdict: verdict.Pass, Run: "run-1"}))
	if err := s.keyless(t, s.instance()).Attest(t.Context(), c, statement, sign.AttestOptions{}); err != nil {
		t.Fatal(err)
	}
	report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, s.instance()), Now: ahead.Add(time.Hour)})
	if len(report.Evidence) > 0 || len(report.Rejected) != 1 || report.Rejected[0].Code != sign.CodeAge || !strings.Contains(report.Rejected[0].Reason, "signed before that") {
		t.Errorf("%+v", report)
	}
}

// TestKeylessRefused: what goes wrong before anything is signed, and whose fault it is.
func TestKeylessRefused(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	token := s.token(s.Issuer, url.Values{})
	for name, tt := range map[string]struct {
		change func(*sign.Instance)
		token  sign.Token
		exit   int
		want   string
	}{
		"an expired token":       {nil, s.token(s.Issuer, url.Values{"expired": {"yes"}}), verdict.ExitUsage, "still valid"},
		"another audience":       {nil, s.token(s.Issuer, url.Values{"audience": {"elsewhere"}}), verdict.ExitUsage, "audience"},
		"an unknown issuer":      {nil, s.token(s.Unknown, url.Values{}), verdict.ExitUsage, "issuer"},
		"no token at all":        {nil, func(context.Context) (string, error) { return "not-a-token", nil }, verdict.ExitInconclusive, "token"},
		"a foreign authority":    {func(i *sign.Instance) { i.Fulcio = s.FulcioForeign }, token, verdict.ExitInconclusive, "of no authority that the trusted root names"},
		"a certificate unlogged": {func(i *sign.Instance) { i.Fulcio = s.FulcioNoLog }, token, verdict.ExitInconclusive, "no certificate transparency log"},
		"Fulcio away":            {func(i *sign.Instance) { i.Fulcio = "http://127.0.0.1:1" }, token, verdict.ExitInconclusive, "connection refused"},
		"Fulcio in the open":     {func(i *sign.Instance) { i.Fulcio = "http://fulcio.example.com" }, token, verdict.ExitUsage, "without TLS"},
		"no witness":             {func(i *sign.Instance) { i.Rekor, i.Timestamp = "", "" }, token, verdict.ExitUsage, "neither a Rekor nor a timestamp authority"},
		"a page for an answer":   {func(i *sign.Instance) { i.Fulcio = s.Issuer }, token, verdict.ExitUsage, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := s.instance()
			if tt.change != nil {
				tt.change(&i)
			}
			_, err := sign.Keyless(t.Context(), opened(t, i), tt.token)
			if err == nil || verdict.ExitCodeOf(err) != tt.exit || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("exit %d, want %d with %q: %v", verdict.ExitCodeOf(err), tt.exit, tt.want, err)
			}
			if strings.Contains(fmt.Sprint(err), "eyJ") {
				t.Errorf("the token is shown: %v", err)
			}
		})
	}
}

// TestKeylessUnwitnessed: nothing is stored that nobody has seen.
func TestKeylessUnwitnessed(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	for name, change := range map[string]func(*sign.Instance){
		"Rekor away":                 func(i *sign.Instance) { i.Rekor = "http://127.0.0.1:1" },
		"a Rekor 1 away":             func(i *sign.Instance) { *i = s.first(); i.Rekor = "http://127.0.0.1:1" },
		"the timestamps away":        func(i *sign.Instance) { i.Timestamp = "http://127.0.0.1:1" },
		"no log, which others want":  func(i *sign.Instance) { i.Rekor = "" },
		"no time, which others want": func(i *sign.Instance) { i.Timestamp = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := s.instance()
			change(&i)
			at := pushed(t, c, inProcess(t), "platform/spark")
			err := s.keyless(t, i).AttestAll(t.Context(), c, at, fresh(t, at), sign.AttestOptions{Signature: true})
			var known *verdict.Error
			if verdict.ExitCodeOf(err) != verdict.ExitInconclusive || !errors.As(err, &known) || known.Code != sign.CodeUnavailable {
				t.Errorf("%v", err)
			}
			report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, s.instance()), Now: time.Now()})
			if len(report.Signatures)+len(report.Evidence)+len(report.Rejected) > 0 {
				t.Errorf("something was stored: %+v", report)
			}
		})
	}
}

// TestKeylessRenewed: a run is longer than a certificate. It takes another one, for the same identity and no other.
func TestKeylessRenewed(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	at := pushed(t, c, inProcess(t), "platform/spark")
	asked, query := atomic.Int64{}, url.Values{}
	signer, err := sign.Keyless(t.Context(), opened(t, s.instance()), func(ctx context.Context) (string, error) {
		asked.Add(1)
		return s.token(s.Issuer, query)(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	all := fresh(t, at)
	for i, statement := range all {
		if i == 1 {
			signer.Expire()
		}
		if err := signer.Attest(t.Context(), c, statement, sign.AttestOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("%d tokens were asked for, want one for each certificate", asked.Load())
	}
	report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, s.instance()), Now: time.Now()})
	if len(report.Evidence) != len(all) {
		t.Errorf("%+v", report)
	}
	signer.Expire()
	query.Set("workflow", "other.yml")
	if err := signer.Sign(t.Context(), c, at); verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(err.Error(), "other.yml") {
		t.Errorf("it goes on as somebody else: %v", err)
	}
}

// TestKeylessTags: cosign's older tags would need what the newer Rekor does not give.
func TestKeylessTags(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	at := pushed(t, c, inProcess(t), "platform/spark")
	err := s.keyless(t, s.instance()).AttestAll(t.Context(), c, at, fresh(t, at), sign.AttestOptions{Signature: true, Tags: true})
	if verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(err.Error(), "sign.tags") {
		t.Errorf("%v", err)
	}
}

// TestTrustedRootByTUF: fetched once, kept, used without a network, and refused where it is another's.
func TestTrustedRootByTUF(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	i := sign.Instance{TUF: s.TUF, TUFRoot: s.TUFRoot, Cache: filepath.Join(t.TempDir(), "cache")}
	at := pushed(t, c, inProcess(t), "platform/spark")
	if err := s.keyless(t, i).Sign(t.Context(), c, at); err != nil { // the services are those of the signing configuration
		t.Fatal(err)
	}
	if report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, i)}); report.Err() != nil {
		t.Error(report.Err())
	}
	away := i
	away.Cache = t.TempDir()
	away.TUF = "http://127.0.0.1:1"
	if _, err := sign.OpenRoot(t.Context(), away); verdict.ExitCodeOf(err) != verdict.ExitInconclusive || !strings.Contains(err.Error(), "trusted_root.json") {
		t.Errorf("away: %v", err)
	}
	public := sign.Instance{TUF: s.TUF, Cache: t.TempDir(), TUFRoot: filepath.Join(t.TempDir(), "none")}
	if _, err := sign.OpenRoot(t.Context(), public); verdict.ExitCodeOf(err) != verdict.ExitUsage {
		t.Errorf("without a first root: %v", err)
	}
}

// TestTrustedRootKept: a TUF repository that is away does no harm while what it said last is valid.
func TestTrustedRootKept(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	behind, err := url.Parse(s.TUF)
	if err != nil {
		t.Fatal(err)
	}
	address := inFrontOf(t, behind)
	i := sign.Instance{TUF: address.url, TUFRoot: s.TUFRoot, Cache: t.TempDir()}
	opened(t, i)
	asked := address.count.Load()
	opened(t, i)
	if again := address.count.Load(); again != asked || asked == 0 {
		t.Errorf("it was asked %d times at first, and %d times more", asked, again-asked)
	}
	// A day later, and away.
	settings, err := filepath.Glob(filepath.Join(i.Cache, "*.json"))
	if err != nil || len(settings) != 1 {
		t.Fatal(settings, err)
	}
	if err := os.WriteFile(settings[0], []byte(`{"lastTimestamp":"2020-01-01T00:00:00Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	address.away.Store(true)
	opened(t, i)
	if address.count.Load() == asked {
		t.Error("nobody tried to refresh it")
	}
}

// TestTrustedRootLacks: a root that leaves something out would let something through.
func TestTrustedRootLacks(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	text, err := os.ReadFile(s.TrustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		without []string
		want    string
	}{
		"no authority":    {[]string{"certificateAuthorities"}, "no certificate authority"},
		"no log of them":  {[]string{"ctlogs"}, "no certificate transparency log"},
		"nobody who sees": {[]string{"tlogs", "timestampAuthorities"}, "neither a transparency log nor a timestamp authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all map[string]any
			if err := json.Unmarshal(text, &all); err != nil {
				t.Fatal(err)
			}
			for _, key := range tt.without {
				if all[key] == nil {
					t.Fatalf("the trusted root has no %s", key)
				}
				delete(all, key)
			}
			less, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "root.json")
			if err := os.WriteFile(path, less, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := sign.OpenRoot(t.Context(), sign.Instance{TrustedRoot: path}); verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
