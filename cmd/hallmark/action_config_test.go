package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// stepOnly are the inputs that hallmark.yaml has no word for, each with the reason.
var stepOnly = map[string]string{
	"command":      "which verb it is: the command line's first word",
	"folder":       "where hallmark.yaml is",
	"config":       "where hallmark.yaml is",
	"reference":    "which image the verb is about: its argument",
	"set":          "any field, by its path",
	"github-token": "a secret of the job; registry.auth says how others are referred to",
	"sudo":         "who runs the program, which has not begun",
	"binary":       "where the program comes from",
	"sha256":       "where the program comes from",
	"mirror":       "where the program comes from",
	"mirror-token": "where the program comes from",
}

// inFile are all other inputs: the field that says the same, a file that says it, and what an input says against it.
var inFile = map[string]struct{ path, file, input string }{
	"context":         {`build.contexts["base"]`, "build: {contexts: {base: ./a}}", "base=./b"},
	"image":           {"image", "image: a", "b"},
	"tags":            {"promote.tags", "promote: {tags: [a]}", "b"},
	"only":            {"run.only", "run: {only: [check]}", "scan"},
	"skip":            {"run.skip", "run: {skip: [launch]}", "promote"},
	"key":             {"sign.trust[0].key", "sign: {trust: [{key: a.pub}]}", "b.pub"},
	"identity":        {"sign.trust[0].identity", "sign: {trust: [{identity: a, issuer: i}]}", "b"},
	"identity-regexp": {"sign.trust[0].identity_regexp", "sign: {trust: [{identity_regexp: a, issuer: i}]}", "b"},
	"issuer":          {"sign.trust[0].issuer", "sign: {trust: [{identity: a, issuer: i}]}", "j"},
	"issuer-regexp":   {"sign.trust[0].issuer_regexp", "sign: {trust: [{identity: a, issuer_regexp: i}]}", "j"},
	"trusted-root":    {"sign.keyless.trusted_root", "sign: {keyless: {trusted_root: a.json}}", "b.json"},
	"max-age":         {"verify.max_age", "verify: {max_age: 1h}", "0"},
	"promoted":        {"verify.promoted", "verify: {promoted: true}", "False"},
	"report":          {"reports.html", "reports: {html: a}", "b"},
	"sarif":           {"reports.sarif", "reports: {sarif: a}", "b"},
	"sbom":            {"reports.cyclonedx", "reports: {cyclonedx: a}", "b"},
	"junit":           {"reports.junit", "reports: {junit: a}", "b"},
	"annotations":     {"reports.annotations", "reports: {annotations: false}", "true"},
	"summary":         {"reports.summary", "reports: {summary: false}", "true"},
}

// beside are the inputs that leave the field as it is, and count in its place where it would be used: see TestScripts.
var beside = []string{"only", "skip", "key", "identity", "identity-regexp", "issuer", "issuer-regexp", "report", "sarif", "sbom", "junit"}

// TestEveryInputIsConfigurable: an input that is not of the step alone has a field, whose word counts where the input says
// nothing, and does not where it does.
func TestEveryInputIsConfigurable(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct{ Default *string }
	}
	if err := yaml.Unmarshal(body, &action); err != nil {
		t.Fatal(err)
	}
	for name := range inFile {
		if _, known := action.Inputs[name]; !known {
			t.Errorf("action.yml does not know the input %s", name)
		}
	}
	for name, input := range action.Inputs {
		fields, configurable := inFile[name]
		switch {
		case configurable == (stepOnly[name] != ""):
			t.Errorf("the input %s needs a field of the configuration, or a reason in stepOnly, and not both", name)
			continue
		case !configurable:
			continue
		case input.Default != nil:
			t.Errorf("the input %s has the default %q, which hides what hallmark.yaml says", name, *input.Default)
		}
		unsaid := configuredBy(t, fields.file, name, "")
		if origin := unsaid.Origin(fields.path); !strings.HasSuffix(origin, config.Name+":1") {
			t.Errorf("%s comes from %q where the input %s says nothing", fields.path, origin, name)
		}
		said := configuredBy(t, fields.file, name, fields.input)
		origin := said.Origin(fields.path)
		switch isBeside := slices.Contains(beside, name); {
		case isBeside && !strings.HasSuffix(origin, config.Name+":1"):
			t.Errorf("%s comes from %q, and the input %s is listed as one that leaves it", fields.path, origin, name)
		case !isBeside && !strings.HasPrefix(origin, "--set "):
			t.Errorf("%s comes from %q where the input %s says %s", fields.path, origin, name, fields.input)
		}
	}
}

// configuredBy is the configuration of a step with one input.
func configuredBy(t *testing.T, file, name, value string) *config.Config {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, config.Name), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	env := func(variable string) string {
		return map[string]string{"INPUT_FOLDER": folder, "INPUT_" + upper(name): value}[variable]
	}
	s := &step{env: env, in: readInputs(env)}
	if err := s.configure(); err != nil {
		t.Fatalf("%s with %s=%q: %v", file, name, value, err)
	}
	return s.cfg
}

// TestTrustInputs: who counts is said by inputs as by the flags of verify and promote, all of them.
func TestTrustInputs(t *testing.T) {
	t.Parallel()
	var flags verifyFlags
	command := &cobra.Command{}
	flags.add(command)
	values := map[string]string{}
	for _, flag := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(command.Flags().FlagUsages(), -1) {
		values[flag[1]] = "/a/" + flag[1]
		if err := command.Flags().Set(flag[1], values[flag[1]]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(suits[name], "verify") || !slices.Contains(suits[name], "promote") {
			t.Errorf("the flag --%s of verify and promote is no input of theirs", name)
		}
	}
	in := readInputs(func(variable string) string { return values[strings.ToLower(strings.TrimPrefix(variable, "INPUT_"))] })
	if diff := cmp.Diff(flags.options(), in.who()); diff != "" {
		t.Errorf("the inputs say something else than the flags (-flags +inputs):\n%s", diff)
	}
	if diff := cmp.Diff(flags.sets(), in.trust().sets()); diff != "" || len(flags.sets()) != 1 || len(values) < 6 {
		t.Errorf("the inputs set something else than the flags (-flags +inputs):\n%s", diff)
	}
}

// TestInputMistakes: each is told in the words of inputs.
func TestInputMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says   string // empty: nothing is wrong
		inputs map[string]string
	}{
		{"", map[string]string{"command": "verify", "promoted": "TRUE", "max-age": "30d", "annotations": "False", "summary": " true "}},
		{"", map[string]string{"command": "verify", "max-age": "0"}},
		{"", map[string]string{"command": "promote", "identity-regexp": ".*@example.com", "issuer": "https://issuer.example", "trusted-root": "root.json"}},
		{"the input max-age is \"-1h\", which is no duration", map[string]string{"command": "verify", "max-age": "-1h"}},
		{"the input max-age is \"720\", which is no duration", map[string]string{"command": "verify", "max-age": "720"}},
		{"the input promoted is neither true nor false", map[string]string{"command": "verify", "promoted": "yes"}},
		{"the input annotations is neither true nor false", map[string]string{"command": "run", "reference": "", "annotations": "1"}},
		{"the input promoted means nothing to the command run, only to verify", map[string]string{"command": "run", "reference": "", "promoted": "false"}},
		{"the input issuer means nothing to the command check", map[string]string{"command": "check", "identity": "a", "issuer": "b"}},
		{"the inputs identity and issuer, with their patterns: the trusted identity a, by (none): it has no issuer", map[string]string{"command": "verify", "identity": "a"}},
		{"it has no identity", map[string]string{"command": "promote", "issuer": "a"}},
		{"it has an exact issuer and a pattern for it", map[string]string{"command": "verify", "identity": "a", "issuer": "a", "issuer-regexp": "b"}},
		{"its pattern for the identity is no regular expression", map[string]string{"command": "verify", "identity-regexp": "(", "issuer": "a"}},
	} {
		if _, given := c.inputs["reference"]; !given {
			c.inputs["reference"] = "r.example/a:b"
		}
		err := readInputs(func(variable string) string { return c.inputs[strings.ToLower(strings.TrimPrefix(variable, "INPUT_"))] }).check()
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: error %v, want %q", c.inputs, err, c.says)
		}
	}
}
