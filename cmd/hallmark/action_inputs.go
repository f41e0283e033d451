package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// inputs are those of action.yml that are not for the launcher alone.
type inputs struct {
	command, folder, config   string
	image, reference          string
	contexts, tags, set, keys []string
	only, skip                []string
	maxAge                    string
	files                     map[string]string // report kind -> file
	annotations, summary      bool
	promoted                  bool
	bad                       []string // inputs that say neither true nor false
}

// fileInputs are the inputs that name a file for a report, with the report's kind.
var fileInputs = map[string]string{"report": "html", "sarif": "sarif", "sbom": "cyclonedx", "junit": "junit"}

func readInputs(env ci.Env) inputs {
	get := func(name string) string { return strings.TrimSpace(env("INPUT_" + strings.ToUpper(name))) }
	in := inputs{
		command: get("command"), folder: get("folder"), config: get("config"), image: get("image"), reference: get("reference"),
		contexts: lines(get("context")), tags: words(get("tags")), set: lines(get("set")), keys: lines(get("key")),
		only: words(get("only")), skip: words(get("skip")), maxAge: get("max-age"), files: map[string]string{},
	}
	if in.command == "" {
		in.command = "run"
	}
	for name, kind := range fileInputs {
		in.files[kind] = get(name)
	}
	truth := func(name string, unsaid bool) bool {
		switch strings.ToLower(get(name)) {
		case "":
			return unsaid
		case "true":
			return true
		case "false":
			return false
		}
		in.bad = append(in.bad, name)
		return unsaid
	}
	in.annotations, in.summary, in.promoted = truth("annotations", true), truth("summary", true), truth("promoted", false)
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
}

// check says what is wrong with the inputs, all at once.
func (in inputs) check() error {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	given := map[string]bool{
		"reference": in.reference != "", "tags": len(in.tags) > 0, "only": len(in.only) > 0, "skip": len(in.skip) > 0,
		"context": len(in.contexts) > 0, "key": len(in.keys) > 0, "max-age": in.maxAge != "",
		"promoted": in.promoted,
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
	for _, name := range in.bad {
		say("the input %s is neither true nor false", name)
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
	if in.maxAge != "" {
		if age, err := time.ParseDuration(in.maxAge); err != nil || age < 0 {
			say("the input max-age is %s, which is no duration: write 720h", foreign.Quoted(in.maxAge, 80))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", verdict.ErrUsage, strings.Join(wrong, "; "))
}

// tokenInput is where the runner puts the workflow's token: hyphens stay in the names of inputs.
const tokenInput = "INPUT_GITHUB-TOKEN"

// mask hides what the inputs hold of secrets, before anything is done with them.
func (in inputs) mask(env ci.Env) { secret.Mask(env(tokenInput)) }

// configure reads the configuration, with the inputs above it.
func (s *step) configure() error {
	folder := s.in.folder
	if s.in.config != "" {
		folder = s.in.config
	}
	if folder == "." {
		folder = ""
	}
	sets, err := s.sets(folder)
	if err != nil {
		return err
	}
	s.cfg, err = config.Load(folder, os.Environ(), sets)
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
	var sets []string
	if s.in.image != "" {
		sets = append(sets, "image="+s.in.image)
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
