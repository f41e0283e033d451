package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// inputs are those of action.yml that are not for the launcher alone.
type inputs struct {
	command, folder, config   string
	reference                 string
	contexts, tags, set, keys []string
	only, skip                []string
	identity                  sign.Identity
	trustedRoot               string            // file
	files                     map[string]string // report kind -> file
	fields                    map[string]string // input of fieldInputs -> what it says, where it says something
}

// fileInputs are the inputs that name a file for a report, with the report's kind.
var fileInputs = map[string]string{"report": "html", "sarif": "sarif", "sbom": "cyclonedx", "junit": "junit"}

// fieldInputs are the inputs that say what one field of the configuration says else, and whether that is true or false.
var fieldInputs = map[string]struct {
	path  string
	truth bool
}{
	"image": {path: "image"}, "max-age": {path: "verify.max_age"}, "promoted": {path: "verify.promoted", truth: true},
	"annotations": {path: "reports.annotations", truth: true}, "summary": {path: "reports.summary", truth: true},
}

func readInputs(env ci.Env) inputs {
	get := func(name string) string { return strings.TrimSpace(env("INPUT_" + strings.ToUpper(name))) }
	in := inputs{
		command: get("command"), folder: get("folder"), config: get("config"), reference: get("reference"),
		contexts: lines(get("context")), tags: words(get("tags")), set: lines(get("set")), keys: lines(get("key")),
		only: words(get("only")), skip: words(get("skip")), trustedRoot: get("trusted-root"),
		identity: sign.Identity{Name: get("identity"), NameRegexp: get("identity-regexp"), Issuer: get("issuer"), IssuerRegexp: get("issuer-regexp")},
		files:    map[string]string{}, fields: map[string]string{},
	}
	if in.command == "" {
		in.command = "run"
	}
	for name, kind := range fileInputs {
		in.files[kind] = get(name)
	}
	for name, field := range fieldInputs {
		value := get(name)
		if field.truth {
			value = strings.ToLower(value)
		}
		if value != "" {
			in.fields[name] = value
		}
	}
	return in
}

// words splits a list that people write with blanks, commas or line ends between its entries.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}

// lines are the lines that say something.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// suits says which inputs mean something to which commands; those that are not listed suit all.
var suits = map[string][]string{
	"reference": {"check", "scan", "verify", "promote"},
	"tags":      {"run", "promote"},
	"only":      {"run"},
	"skip":      {"run"},
	"context":   {"run", "build", "check", "scan"},
	"key":       {"verify", "promote"},
	"max-age":   {"verify"},
	"promoted":  {"verify"},

	"identity": {"verify", "promote"}, "identity-regexp": {"verify", "promote"},
	"issuer": {"verify", "promote"}, "issuer-regexp": {"verify", "promote"},
	"trusted-root": {"verify", "promote"},
}

// check says what is wrong with the inputs, all at once.
func (in inputs) check() error {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	given := map[string]bool{
		"reference": in.reference != "", "tags": len(in.tags) > 0, "only": len(in.only) > 0, "skip": len(in.skip) > 0,
		"context": len(in.contexts) > 0, "key": len(in.keys) > 0, "trusted-root": in.trustedRoot != "",
		"max-age": in.fields["max-age"] != "", "promoted": in.fields["promoted"] != "",
		"identity": in.identity.Name != "", "identity-regexp": in.identity.NameRegexp != "",
		"issuer": in.identity.Issuer != "", "issuer-regexp": in.identity.IssuerRegexp != "",
	}
	for _, name := range slices.Sorted(maps.Keys(suits)) {
		if given[name] && !slices.Contains(suits[name], in.command) {
			say("the input %s means nothing to the command %s, only to %s", name, in.command, strings.Join(suits[name], ", "))
		}
	}
	if in.reference == "" && (in.command == "verify" || in.command == "promote") {
		say("the command %s needs the input reference: the image, best as REPOSITORY@sha256:…", in.command)
	}
	if in.config != "" && in.folder != "" && in.folder != "." {
		say("give the input folder or the input config, not both")
	}
	for _, name := range slices.Sorted(maps.Keys(in.fields)) {
		if value := in.fields[name]; fieldInputs[name].truth && value != "true" && value != "false" {
			say("the input %s is neither true nor false", name)
		}
	}
	for _, line := range in.contexts {
		if name, where, found := strings.Cut(line, "="); !found || name == "" || where == "" {
			say("the input context holds %s, which is not NAME=WHERE", foreign.Quoted(line, 80))
		}
	}
	for _, line := range in.set {
		if path, _, found := strings.Cut(line, "="); !found || path == "" {
			say("the input set holds a line that is not PATH=VALUE") // it may hold a secret: it is not repeated
		}
	}
	if age := in.fields["max-age"]; age != "" && new(config.Duration).UnmarshalText([]byte(age)) != nil {
		say("the input max-age is %s, which is no duration: write 720h or 30d", foreign.Quoted(age, 80))
	}
	for _, who := range in.who().Identities {
		if err := who.Check(); err != nil {
			say("of the inputs identity and issuer, with their patterns: %s", foreign.Short(verdict.Plain(err), 300))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", verdict.ErrUsage, strings.Join(wrong, "; "))
}

// trust is whose signatures count, as the flags of verify and promote say it.
func (in inputs) trust() *verifyFlags {
	return &verifyFlags{with: pipeline.VerifyOptions{Keys: in.keys}, who: in.identity, root: in.trustedRoot}
}

func (in inputs) who() pipeline.VerifyOptions { return in.trust().options() }

// tokenInput is where the runner puts the workflow's token: hyphens stay in the names of inputs.
const tokenInput = "INPUT_GITHUB-TOKEN"

// mask hides what the inputs hold of secrets, before anything is done with them.
func (in inputs) mask(env ci.Env) { secret.Mask(env(tokenInput)) }

// configure reads the configuration, with the inputs above it.
func (s *step) configure() (err error) {
	s.folder = cmp.Or(s.in.config, s.in.folder)
	if s.folder == "." {
		s.folder = ""
	}
	if s.given, err = s.sets(s.folder); err != nil {
		return err
	}
	s.cfg, err = config.Load(s.folder, os.Environ(), s.given)
	return err
}

// load prepares the step for its verb, and notes for the post step where things are kept and under which name.
func (s *step) load() (err error) {
	if err := s.configure(); err != nil {
		return err
	}
	if s.options, err = s.app.options(); err != nil {
		return err
	}
	s.options.RunID = pipeline.NewRunID()
	if err := limit(s.cfg, &s.options, s.facts, s.in.only, s.in.skip); err != nil {
		return err
	}
	s.told.state("home", string(s.options.Home))
	s.told.state("engine", s.cfg.Engine.Root)
	s.told.state("run", s.options.RunID)
	// The checkout may be gone when the job has ended, or hold another configuration.
	launched, err := json.Marshal(pipeline.Workspaces(s.cfg, os.Getenv))
	if err != nil {
		return fmt.Errorf("noting the workspaces for the post step: %w", err)
	}
	s.told.state("workspaces", string(launched))
	return nil
}

// sets are the inputs as overrides of the configuration; what the input set says comes last and wins.
func (s *step) sets(folder string) ([]string, error) {
	sets := s.in.trust().sets()
	for _, name := range slices.Sorted(maps.Keys(s.in.fields)) {
		sets = append(sets, fieldInputs[name].path+"="+s.in.fields[name])
	}
	for _, line := range s.in.contexts {
		sets = append(sets, entry("build.contexts", line))
	}
	if len(s.in.tags) > 0 {
		sets = append(sets, list("promote.tags", s.in.tags))
	}
	sets = append(sets, s.in.set...)
	open, err := s.openGitHub(folder, sets)
	return append(open, sets...), err
}

// gitHubRegistry is the one that the workflow's own token opens.
const gitHubRegistry = "ghcr.io"

// openGitHub gives ghcr.io the workflow's token where neither configuration nor environment nor docker login know better.
func (s *step) openGitHub(folder string, sets []string) ([]string, error) {
	if s.env(tokenInput) == "" || s.env(registry.EnvHost) == gitHubRegistry {
		return nil, nil
	}
	cfg, err := config.Load(folder, os.Environ(), sets)
	if err != nil {
		return nil, err
	}
	if _, named := cfg.Registry.Auth[gitHubRegistry]; named {
		return nil, nil
	}
	if client, err := registry.New(registry.Options{}); err == nil {
		if _, password, err := client.Credentials(gitHubRegistry); err == nil && password != "" {
			return nil, nil
		}
	}
	at := "registry.auth[" + strconv.Quote(gitHubRegistry) + "]"
	user := s.facts.Actor
	if user == "" {
		user = "github-actions" // the registry looks at the token alone
	}
	return []string{at + ".username=" + user, at + ".password=env:" + tokenInput}, nil
}

// relative is a path as annotations name it: below the checkout, with slashes.
func relative(workspace, path string) string {
	if workspace == "" || path == "" {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for _, root := range []string{workspace, resolved(workspace)} {
		if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return path
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
