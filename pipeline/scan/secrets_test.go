package scan

import (
	"bytes"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aquasecurity/trivy/pkg/fanal/secret"

	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// sample makes a text that tree matches, up to its anchors.
func sample(tree *syntax.Regexp, random *rand.Rand) string {
	var b strings.Builder
	switch tree.Op {
	case syntax.OpLiteral:
		b.WriteString(string(tree.Rune))
	case syntax.OpCharClass:
		for range 100 {
			pair := 2 * random.IntN(len(tree.Rune)/2)
			low, high := tree.Rune[pair], min(tree.Rune[pair+1], 0x7e)
			if low > high || high < 0x20 && low != ' ' && low != '\n' {
				continue
			}
			b.WriteRune(max(low, 0x20) + random.Int32N(high-max(low, 0x20)+1))
			break
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString("x")
	case syntax.OpCapture, syntax.OpPlus:
		b.WriteString(sample(tree.Sub[0], random))
	case syntax.OpStar, syntax.OpQuest:
		if random.IntN(2) == 0 {
			b.WriteString(sample(tree.Sub[0], random))
		}
	case syntax.OpRepeat:
		for range tree.Min {
			b.WriteString(sample(tree.Sub[0], random))
		}
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			b.WriteString(sample(sub, random))
		}
	case syntax.OpAlternate:
		b.WriteString(sample(tree.Sub[random.IntN(len(tree.Sub))], random))
	default:
	}
	return b.String()
}

// What a rule matches, with its keyword there, the filter must let through: for each rule, texts made of its expression.
func TestPrefilterLosesNothing(t *testing.T) {
	t.Parallel()
	e := engine()
	tried := 0
	for _, rule := range e.scanner.Rules {
		tree, err := syntax.Parse(rule.Regex.String(), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			text := []byte("first line\n" + sample(tree, random) + "\nlast line\n")
			if rule.Regex.Match(text) {
				tried++
				checkCandidates(t, e, text)
			}
		}
	}
	if tried < 15*len(e.scanner.Rules) {
		t.Errorf("only %d texts of %d rules: the test proves little", tried, len(e.scanner.Rules))
	}
}

// checkCandidates fails if a rule that matches text is not among the candidates.
func checkCandidates(t *testing.T, e *secretEngine, text []byte) {
	t.Helper()
	candidates := map[string]bool{}
	for _, rule := range e.filter.candidates(text) {
		candidates[rule.ID] = true
	}
	lower := bytes.ToLower(text)
	for _, rule := range e.scanner.Rules {
		keyword := len(rule.Keywords) == 0
		for _, word := range rule.Keywords {
			keyword = keyword || bytes.Contains(lower, []byte(strings.ToLower(word)))
		}
		if keyword && rule.Regex.Match(text) && !candidates[rule.ID] {
			t.Errorf("rule %s matches %q, and the filter drops it", rule.ID, text)
		}
	}
}

func FuzzPrefilter(f *testing.F) {
	f.Add([]byte("aws_secret_access_key = " + strings.Repeat("a", 40)))
	f.Add([]byte("\u212aEY awſ"))
	f.Add([]byte(githubToken))
	e := engine()
	f.Fuzz(func(t *testing.T, text []byte) { checkCandidates(t, e, text) })
}

func TestFilterGivesTheSameFindings(t *testing.T) {
	t.Parallel()
	e := engine()
	plain := secret.NewScanner(nil)
	text := strings.Repeat("key = value of no interest\n", 5000) + "token: " + githubToken + "\n" + privateKey + awsKeyID + "\n"
	want := plain.Scan(secret.ScanArgs{FilePath: "/x", Content: strings.NewReader(text)}).Findings
	got := e.scan("/x", []byte(text), false)
	if len(got) != len(want) || len(got) != 3 {
		t.Fatalf("%d findings, unfiltered %d", len(got), len(want))
	}
	for i := range got {
		if got[i].RuleID != want[i].RuleID || got[i].StartLine != want[i].StartLine {
			t.Errorf("%s:%d, unfiltered %s:%d", got[i].RuleID, got[i].StartLine, want[i].RuleID, want[i].StartLine)
		}
		if strings.Contains(got[i].Match, githubToken) || len(got[i].Code.Lines) > 0 {
			t.Errorf("shows too much: %+v", got[i])
		}
	}
}

func TestShownMatch(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"GITHUB_TOKEN=****************************************": "GITHUB_TOKEN=********",
		"password=hunter2 token=***** rest=geheim":              "password=*** token=*****",
		"  a: b, key: \"*******\"":                              "a: *** key: \"*******",
		"no asterisk":                                           "",
	} {
		if got := shownMatch(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestSecretsInEveryLayer(t *testing.T) {
	t.Parallel()
	// Layers below a CMD entry count as well: an image built on a base with a secret has the secret.
	file := &v1.ConfigFile{OS: "linux", Architecture: "amd64", History: []v1.History{
		{CreatedBy: "ADD base / # buildkit"}, {CreatedBy: "CMD [\"sh\"]", EmptyLayer: true}, {CreatedBy: "RUN install"},
	}}
	r := scan(t, options(), imagetest.WithConfig(t, file,
		imagetest.Layer(append([]imagetest.File{imagetest.Text("srv/credentials", "token: "+githubToken+"\n")}, debian...)...),
		imagetest.Layer(imagetest.Text("app/config.py", "x = 1\nKEY = '"+awsKeyID+"'\n"), imagetest.Whiteout("srv/credentials"))))
	deleted := find(t, r, "github-pat")
	if !deleted.Blocking || deleted.Place.File != "/srv/credentials" || deleted.Place.Line != 1 ||
		deleted.Place.CreatedBy != "ADD base / # buildkit" || !strings.Contains(deleted.Message, "a later layer deletes the file") {
		t.Errorf("%+v", deleted)
	}
	if key := find(t, r, "aws-access-key-id"); !key.Blocking || key.Place.Line != 2 || key.Place.CreatedBy != "RUN install" {
		t.Errorf("%+v", key)
	}
	for _, f := range r.Findings {
		if strings.Contains(f.Message, githubToken) || strings.Contains(f.Message, awsKeyID) {
			t.Errorf("a finding shows the secret: %q", f.Message)
		}
	}
}

func TestSecretsCanBeSwitchedOffAndExcepted(t *testing.T) {
	t.Parallel()
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(debian...), imagetest.Layer(imagetest.Text("srv/key.pem", privateKey)))
	off := options()
	off.Secrets = false
	if r := scan(t, off, img); r.Verdict != verdict.Pass || !strings.Contains(strings.Join(r.Notes, "\n"), "secrets were not looked for") {
		t.Errorf("%s, notes %v", r.Verdict, r.Notes)
	}
	// A private key is rated high. It fails even where only critical vulnerabilities do: it gets no fixed version.
	strict := options()
	strict.FailOn = verdict.Critical
	if f := find(t, scan(t, strict, img), "private-key"); !f.Blocking || f.Severity != verdict.High {
		t.Errorf("%+v", f)
	}
	excepted := options()
	excepted.Ignore = []Ignore{{ID: "private-key", Path: "/srv/*.pem", Reason: "a public test key", Until: "2027-01-01"}}
	if f := find(t, scan(t, excepted, img), "private-key"); f.Blocking || f.Waiver == nil {
		t.Errorf("%+v", f)
	}
}

func TestBinariesAndSkippedPathsAreNotSearched(t *testing.T) {
	t.Parallel()
	token := "token: " + githubToken + "\n"
	r := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(debian...), imagetest.Layer(
		imagetest.Text("opt/binary", "\x00\x01"+token),
		imagetest.Text("srv/node_modules/a/index.js", token),
		imagetest.Text("usr/share/doc/readme", token),
		imagetest.Text("srv/example.txt", token),
		imagetest.Text("srv/__pycache__/settings.cpython-311.pyc", "\x00\x00\x00\x00\x01"+token+"\x00\x02"),
	)))
	if len(r.Findings) == 0 || find(t, r, "github-pat").Place.File != "/srv/__pycache__/settings.cpython-311.pyc" {
		t.Errorf("%+v", r.Findings)
	}
	count := 0
	for _, f := range r.Findings {
		if f.Kind == "secret" {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d secrets, want the one in the compiled Python file", count)
	}
}
