//go:build real

package real

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign/sigstoretest"
)

// sigstore is a whole one on this machine, as jobs use it.
type sigstore struct{ sigstoretest.Sigstore }

func newSigstore(t *testing.T) sigstore {
	t.Helper()
	s, stop, err := sigstoretest.Start(filepath.Join(top, "tools", "build"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return sigstore{s}
}

// job is the environment of a job on GitHub that may have tokens; query says what is odd about them.
func (s sigstore) job(query string) []string {
	return []string{
		"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=octo/spark", "GITHUB_EVENT_NAME=push", "GITHUB_RUN_ID=7", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_WORKFLOW_REF=octo/spark/.github/workflows/golden.yml@refs/heads/main", "GITHUB_REF=refs/heads/main",
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + s.Issuer + "/token?" + query, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + s.RequestToken,
		"HALLMARK_SIGN_KEY=keyless", "HALLMARK_SIGN_PASSWORD=",
	}
}

// private names the servers one by one; the other way is by TUF.
func (s sigstore) private() []string {
	return []string{
		"HALLMARK_SIGN_KEYLESS_FULCIO=" + s.Fulcio, "HALLMARK_SIGN_KEYLESS_REKOR=" + s.Rekor, "HALLMARK_SIGN_KEYLESS_REKOR_VERSION=2",
		"HALLMARK_SIGN_KEYLESS_TIMESTAMP=" + s.Timestamp, "HALLMARK_SIGN_KEYLESS_TRUSTED_ROOT=" + s.TrustedRoot,
	}
}

const workflow = "https://github.com/octo/spark/.github/workflows/golden.yml@refs/heads/main"

// TestKeyless: a run as a job on GitHub signs without a key; whoever names the workflow verifies it, and nobody else is
// believed.
func TestKeyless(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	h := newHome(t)
	h.env = slices.Concat(s.job("x=1"), s.private())
	o := h.call(t, "run", tiny{stamp: "keyless"}.project(t))
	if o.code != 0 {
		t.Fatalf("the run ends with %d: %s", o.code, o)
	}
	who := "identity " + workflow + ", by " + s.Issuer
	for _, e := range o.report.Evidence {
		if e.Signer != who {
			t.Errorf("%s is signed by %q", e.Kind, e.Signer)
		}
	}
	golden := o.report.Golden[0].Ref
	plain := home{dir: h.dir, env: []string{"HALLMARK_SIGN_KEY=", "HALLMARK_SIGN_PASSWORD="}} // a reader's machine: no job, no key
	judge := func(code int, wants string, args ...string) {
		t.Helper()
		o := plain.call(t, append([]string{"verify", golden, "--set", "promote.require=[signature,provenance,sbom,vulnerabilities,check,launch]"}, args...)...)
		if o.code != code || !strings.Contains(string(o.stdout)+o.said, wants) {
			t.Errorf("verify %v ends with %d, want %d with %q: %s\n%s", args, o.code, code, wants, o.said, o.stdout)
		}
	}
	judge(0, "holds", "--identity", workflow, "--issuer", s.Issuer, "--trusted-root", s.TrustedRoot)
	judge(0, "holds", "--identity-regexp", `https://github\.com/octo/.+@refs/heads/main`, "--issuer", s.Issuer, "--trusted-root", s.TrustedRoot)
	judge(1, "who is not trusted", "--identity", strings.Replace(workflow, "golden.yml", "other.yml", 1), "--issuer", s.Issuer, "--trusted-root", s.TrustedRoot)
	judge(1, "who is not trusted", "--identity", workflow, "--issuer", s.Other, "--trusted-root", s.TrustedRoot)
	judge(1, "only keys are trusted", "--key", keyFiles+".pub")
	judge(2, "has no issuer", "--identity", workflow, "--trusted-root", s.TrustedRoot)
	judge(2, "nobody to verify with")
	judge(0, "holds", "--identity", workflow, "--issuer", s.Issuer, "--set", "sign.keyless.tuf="+s.TUF, "--set", "sign.keyless.tuf_root="+s.TUFRoot)
	judge(3, "fetching trusted_root.json", "--identity", workflow, "--issuer", s.Issuer, "--set", "sign.keyless.tuf=http://127.0.0.1:1", "--set", "sign.keyless.tuf_root="+s.TUFRoot)
	asReported(t, o)

	again := h.call(t, "run", tiny{stamp: "keyless"}.project(t))
	if again.code != 0 || len(again.report.Golden) != 1 || again.report.Golden[0].Move != report.Already {
		t.Errorf("the second run ends with %d, %+v: %s", again.code, again.report.Golden, again)
	}

	// Another workflow promotes what the first has signed, if it trusts that, and not otherwise.
	other := home{dir: h.dir, env: slices.Concat(s.job("workflow=promote.yml"), s.private())}
	ref := o.report.Subject.String()
	alone := other.call(t, "promote", ref, "--tag", "stable")
	if alone.code != 1 || !strings.Contains(string(alone.stdout)+alone.said, "not trusted") {
		t.Errorf("another workflow's evidence is believed: %d, %s\n%s", alone.code, alone.said, alone.stdout)
	}
	trusting := filepath.Join(t.TempDir(), "hallmark.yaml")
	text := fmt.Sprintf("image: tiny\nsign:\n  trust:\n    - {issuer: %q, identity: %q}\n", s.Issuer, workflow)
	if err := os.WriteFile(trusting, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if both := other.call(t, "promote", ref, "--tag", "stable", "--config", trusting); both.code != 0 {
		t.Errorf("a trusted workflow's evidence is not believed: %d, %s\n%s", both.code, both.said, both.stdout)
	}
}

// TestKeylessFaults: what is missing, what is away, and whose fault it is. Nothing is staged, and no secret is shown.
func TestKeylessFaults(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	h := newHome(t)
	project := tiny{stamp: "keyless faults"}.project(t)
	without := func(env []string, name string) []string {
		var left []string
		for _, entry := range env {
			if !strings.HasPrefix(entry, name+"=") {
				left = append(left, entry)
			}
		}
		return left
	}
	with := func(env []string, more ...string) []string { return slices.Concat(env, more) }
	good := slices.Concat(s.job("x=1"), s.private())
	for name, tt := range map[string]struct {
		env  []string
		code int
		says string
	}{
		"no permission":          {without(good, "ACTIONS_ID_TOKEN_REQUEST_URL"), 2, "id-token: write"},
		"an expired token":       {slices.Concat(s.job("expired=yes"), s.private()), 2, "expired at"},
		"Fulcio away":            {with(good, "HALLMARK_SIGN_KEYLESS_FULCIO=http://127.0.0.1:1"), 3, "getting a certificate"},
		"a foreign authority":    {with(good, "HALLMARK_SIGN_KEYLESS_FULCIO="+s.FulcioForeign), 3, "of no authority that the trusted root names"},
		"a certificate unlogged": {with(good, "HALLMARK_SIGN_KEYLESS_FULCIO="+s.FulcioNoLog), 3, "no certificate transparency log"},
		"Rekor away":             {with(good, "HALLMARK_SIGN_KEYLESS_REKOR=http://127.0.0.1:1"), 3, "dated and logged"},
		"the timestamps away":    {with(good, "HALLMARK_SIGN_KEYLESS_TIMESTAMP=http://127.0.0.1:1/api/v1/timestamp"), 3, "dated and logged"},
		"no trusted root":        {with(good, "HALLMARK_SIGN_KEYLESS_TRUSTED_ROOT=/nowhere.json"), 2, "trusted root"},
		"TUF away":               {with(s.job("x=1"), "HALLMARK_SIGN_KEYLESS_TUF=http://127.0.0.1:1", "HALLMARK_SIGN_KEYLESS_TUF_ROOT="+s.TUFRoot), 3, "fetching trusted_root.json"},
	} {
		t.Run(name, func(t *testing.T) {
			o := home{dir: h.dir, env: tt.env}.call(t, "run", project, "--set", "launch=[]", "--report", "json="+filepath.Join(t.TempDir(), "r.json"))
			everything := string(o.stdout) + o.said
			for _, event := range o.events {
				everything += fmt.Sprintf("%+v\n", event)
			}
			if o.code != tt.code || !strings.Contains(everything, tt.says) {
				t.Errorf("it ends with %d, want %d with %q:\n%.3000s", o.code, tt.code, tt.says, everything)
			}
			if strings.Contains(everything, "eyJ") || strings.Contains(everything, s.RequestToken) {
				t.Errorf("a token is shown:\n%.3000s", everything)
			}
			if o.report.StagingTag != "" {
				t.Errorf("it was staged as %s", o.report.StagingTag)
			}
		})
	}
	if answer, err := http.Get(s.Rekor + "/healthz"); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("the log that was there is not: %v", err)
	}
	o := home{dir: h.dir, env: good}.call(t, "run", project, "--set", "launch=[]")
	if o.code != 0 {
		t.Errorf("with everything there it ends with %d: %s", o.code, o)
	}
	if said := (home{dir: h.dir, env: good}).call(t, "doctor", project); !strings.Contains(string(said.stdout), "repo:octo/spark:ref:refs/heads/main") {
		t.Errorf("doctor: %s\n%s", said.said, said.stdout)
	}
}
