package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestVerifyTableNamesIdentities: a column holds a key's digest, and no workflow's name: that stands below, in full and once.
func TestVerifyTableNamesIdentities(t *testing.T) {
	t.Parallel()
	const who = "https://github.com/octo/spark/.github/workflows/golden.yml@refs/heads/main, by https://token.actions.githubusercontent.com"
	v := Verification{Version: Version, Ref: "spark:golden", Verdict: verdict.Pass, Headline: "it holds", Evidence: []Evidence{
		{Kind: "signature", Signer: "identity " + who, Summary: "stored as bundle"},
		{Kind: "check", Signer: "identity " + who, Summary: "61 rules"},
		{Kind: "launch", Signer: "key sha256:" + strings.Repeat("a6", 32), Summary: "3 of 3 probes passed"},
	}}
	var text bytes.Buffer
	if err := VerifyTable(&text, v, 200, false); err != nil {
		t.Fatal(err)
	}
	shown := text.String()
	if strings.Count(shown, "identity "+who) != 1 || strings.Count(shown, "octo") != 1 || !strings.Contains(shown, "key a6a6a6a6a6a6") {
		t.Errorf("%s", shown)
	}
}
