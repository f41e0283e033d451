//go:build real

package real

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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
		o := plain.call(t, append([]string{"verify", golden, "--set", wholeEvidence}, args...)...)
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
	byInputs(t, s, plain, golden)
	onForks(t, s, plain, golden)
	stoppedKeyless(t, s, h, plain)

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

const wholeEvidence = "promote.require=[signature,provenance,sbom,vulnerabilities,check,launch]"

// byInputs has the action verify what the workflow has signed, by the inputs that say whom to believe.
func byInputs(t *testing.T, s sigstore, plain home, golden string) {
	t.Helper()
	for _, c := range []struct {
		code   int
		says   string
		inputs []string
	}{
		{0, "PASS", []string{"IDENTITY=" + workflow, "ISSUER=" + s.Issuer}},
		{0, "PASS", []string{"IDENTITY-REGEXP=https://github\\.com/octo/.+@refs/heads/main", "ISSUER-REGEXP=" + regexp.QuoteMeta(s.Issuer), "MAX-AGE=1d", "PROMOTED=true"}},
		{1, "Beside the image, and not believed", []string{"IDENTITY=" + workflow, "ISSUER=" + s.Other}},
		{1, "and not believed", []string{"IDENTITY-REGEXP=octo/spark", "ISSUER=" + s.Issuer}}, // a pattern must match all of it
		{2, "it has no issuer", []string{"IDENTITY=" + workflow}},
	} {
		step := home{dir: plain.dir, env: slices.Concat(plain.env, []string{
			"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=octo/reader", "GITHUB_EVENT_NAME=schedule", "RUNNER_TEMP=" + t.TempDir(), "GITHUB_WORKSPACE=",
			"GITHUB_OUTPUT=" + os.DevNull, "GITHUB_STATE=" + os.DevNull, "GITHUB_STEP_SUMMARY=" + os.DevNull,
			"INPUT_COMMAND=verify", "INPUT_REFERENCE=" + golden, "INPUT_SET=" + wholeEvidence, "INPUT_TRUSTED-ROOT=" + s.TrustedRoot,
		})}
		for _, input := range c.inputs {
			step.env = append(step.env, "INPUT_"+input)
		}
		if o := step.call(t, "action", "main"); o.code != c.code || !strings.Contains(string(o.stdout)+o.said, c.says) {
			t.Errorf("the inputs %q end with %d, want %d with %q: %s\n%s", c.inputs, o.code, c.code, c.says, o.said, o.stdout)
		}
	}
}

// onForks has a stranger's hallmark.yaml name a Sigstore of its own, which vouches for whomever it likes: it counts where the
// repository's own people wrote the file, and on a pull request from a fork only one that a flag names does.
func onForks(t *testing.T, s sigstore, plain home, golden string) {
	t.Helper()
	dir := t.TempDir()
	file, event := filepath.Join(dir, "hallmark.yaml"), filepath.Join(dir, "event.json")
	for path, text := range map[string]string{
		file:  fmt.Sprintf("image: tiny\nsign: {keyless: {trusted_root: %q}}\n", s.TrustedRoot),
		event: `{"number": 12, "pull_request": {"number": 12, "head": {"repo": {"full_name": "mallory/app"}}, "base": {"repo": {"full_name": "octo/app"}}}}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The public Sigstore, which is asked in place of the stranger's, is out of reach.
	ours := home{dir: plain.dir, env: slices.Concat(plain.env, []string{"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1"})}
	forks := home{dir: plain.dir, env: slices.Concat(ours.env, []string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=octo/app", "GITHUB_EVENT_NAME=pull_request", "GITHUB_EVENT_PATH=" + event})}
	for _, c := range []struct {
		on   home
		code int
		says string
		more []string
	}{
		{ours, 0, "holds", nil},
		{forks, 3, "fetching trusted_root.json", nil},
		{forks, 0, "does not count here", []string{"--trusted-root", s.TrustedRoot}},
	} {
		args := append([]string{"verify", golden, "-f", file, "--set", wholeEvidence, "--identity", workflow, "--issuer", s.Issuer}, c.more...)
		if o := c.on.call(t, args...); o.code != c.code || !strings.Contains(string(o.stdout)+o.said, c.says) {
			t.Errorf("%v ends with %d, want %d with %q: %s\n%s", args, o.code, c.code, c.says, o.said, o.stdout)
		}
	}
}

// stoppedKeyless has a gate stop an image: the workflow signs that. Without a token later, when nothing is built again, the
// gate says what it said.
func stoppedKeyless(t *testing.T, s sigstore, h, plain home) {
	t.Helper()
	project := tiny{stamp: "keyless stopped"}.project(t)
	strict := []string{"run", project, "--set", "check.params.base.allow_no_os=false", "--set", "check.fail_on=low"}
	o := h.call(t, strict...)
	var signed []string
	for _, e := range o.report.Evidence {
		signed = append(signed, e.Kind)
	}
	slices.Sort(signed)
	if o.code != 1 || o.report.StagingTag != "" || !slices.Equal(signed, []string{"check", "provenance", "vulnerabilities"}) {
		t.Fatalf("it ends with %d, staged as %q, with %+v: %s", o.code, o.report.StagingTag, o.report.Evidence, o)
	}
	told := plain.call(t, "verify", o.report.Subject.String(), "--identity", workflow, "--issuer", s.Issuer, "--trusted-root", s.TrustedRoot)
	if told.code != 1 || !strings.Contains(string(told.stdout), "says fail") {
		t.Errorf("what was signed is verified with %d: %s\n%s", told.code, told.said, told.stdout)
	}
	h.env = append(slices.Clone(h.env), "ACTIONS_ID_TOKEN_REQUEST_URL=")
	again := h.call(t, strict...)
	if again.code != 1 || !strings.Contains(strings.Join(again.report.Notes, "\n"), "could not be signed") {
		t.Errorf("without a token it ends with %d, notes %q: %s", again.code, again.report.Notes, again)
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
