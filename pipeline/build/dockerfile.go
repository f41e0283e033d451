package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// maxDockerfile bounds what is read as a Dockerfile.
const maxDockerfile = 4 << 20

// dockerfile is the Dockerfile as this room needs it beside what the frontend does: to point at its lines.
type dockerfile struct {
	path   string
	lines  []string
	escape rune
	stages []instructions.Stage
	args   []instructions.ArgCommand // those before the first FROM
}

// readDockerfile reads and parses the Dockerfile, and refuses one that asks for a frontend other than the usual one.
func readDockerfile(path string) (*dockerfile, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage("there is no Dockerfile at %s: name it in build.dockerfile, or run in the folder that holds it", path)
	}
	if err != nil {
		return nil, usage("the Dockerfile %s: %v", path, errors.Unwrap(err))
	}
	if info.IsDir() {
		return nil, usage("the Dockerfile %s is a folder: name the file in it in build.dockerfile", path)
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, usage("the Dockerfile %s is no regular file", path)
	}
	if err := staysBeside(path); err != nil {
		return nil, err
	}
	if info.Size() > maxDockerfile {
		return nil, usage("the Dockerfile %s holds %d bytes, more than the %d that are read", path, info.Size(), maxDockerfile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("the Dockerfile %s: %v", path, errors.Unwrap(err))
	}
	return parseDockerfile(path, text)
}

// staysBeside refuses a Dockerfile that is a link out of its folder: BuildKit is shown the folder, and finds nothing there.
func staysBeside(path string) error {
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return usage("the folder of the Dockerfile %s: %v", path, err)
	}
	at, err := filepath.EvalSymlinks(path)
	if err != nil {
		return usage("the Dockerfile %s: %v", path, err)
	}
	if rel, err := filepath.Rel(folder, at); err != nil || !filepath.IsLocal(rel) {
		return usage("the Dockerfile %s is a link to %s, outside of its folder, where a build does not look: name that file in build.dockerfile", path, at)
	}
	return nil
}

func parseDockerfile(path string, text []byte) (*dockerfile, error) {
	file := &dockerfile{path: path, lines: strings.Split(string(text), "\n"), escape: '\\'}
	if err := checkSyntax(path, text); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, file.broken(err)
	}
	file.escape = tree.EscapeToken
	file.stages, file.args, err = instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, file.broken(err)
	}
	return file, nil
}

// checkSyntax refuses a "# syntax=" line that names a frontend which is not the built-in one: it would be code pulled
// from somewhere that decides what is built.
func checkSyntax(path string, text []byte) error {
	wanted, _, location, found := parser.DetectSyntax(text)
	if !found {
		return nil
	}
	if named, err := reference.ParseNormalizedNamed(wanted); err == nil && reference.FamiliarName(named) == "docker/dockerfile" {
		return nil
	}
	line := 1
	if len(location) > 0 {
		line = location[0].Start.Line
	}
	return usage("%s:%d: syntax=%s asks for another frontend than docker/dockerfile, which is built in and the only one that is run. Remove the line",
		display(path), line, wanted)
}

// broken is the verdict on a Dockerfile that cannot be parsed.
func (f *dockerfile) broken(err error) error {
	line := 0
	if located := (*parser.LocationError)(nil); errors.As(err, &located) && len(located.Locations) > 0 && len(located.Locations[0]) > 0 {
		line = located.Locations[0][0].Start.Line
	}
	cause := &StepError{File: display(f.path), Line: line, Source: f.excerpt(line, line), Problem: shorten(err.Error())}
	return tell(&verdict.Error{Verdict: verdict.Fail, Code: "build.dockerfile", Doing: "reading", Cause: cause, Remedy: "Correct the line"})
}

// excerpt returns the lines from first to last, numbered from 1; none when unknown.
func (f *dockerfile) excerpt(first, last int) []string {
	if first < 1 || first > len(f.lines) {
		return nil
	}
	return f.lines[first-1 : min(max(first, last), len(f.lines))]
}

// stage finds the stage that target names; empty is the last.
func (f *dockerfile) stage(target string) int {
	for i := range f.stages {
		if target != "" && strings.EqualFold(f.stages[i].Name, target) {
			return i
		}
	}
	return len(f.stages) - 1
}

// chain lists the commands that make the stage, those of the stages that it starts from first.
func (f *dockerfile) chain(stage int, args map[string]string) []instructions.Command {
	if stage < 0 {
		return nil
	}
	base := f.expand(f.stages[stage].BaseName, args)
	var commands []instructions.Command
	for i := stage - 1; i >= 0; i-- {
		if f.stages[i].Name != "" && strings.EqualFold(f.stages[i].Name, base) {
			commands = f.chain(i, args)
			break
		}
	}
	return append(commands, f.stages[stage].Commands...)
}

// expand replaces build arguments in the name of a base, as FROM does.
func (f *dockerfile) expand(word string, args map[string]string) string {
	lex := shell.NewLex(f.escape)
	var env environment
	for _, command := range f.args {
		for _, arg := range command.Args {
			if given, found := args[arg.Key]; found {
				env = append(env, arg.Key+"="+given)
			} else if arg.Value != nil {
				value, _, err := lex.ProcessWord(*arg.Value, env)
				if err == nil {
					env = append(env, arg.Key+"="+value)
				}
			}
		}
	}
	out, _, err := lex.ProcessWord(word, env)
	if err != nil {
		return word
	}
	return out
}

// environment is a list of NAME=value in which the last wins.
type environment []string

// Get looks name up.
func (e environment) Get(name string) (string, bool) {
	for i := len(e) - 1; i >= 0; i-- {
		if value, found := strings.CutPrefix(e[i], name+"="); found {
			return value, true
		}
	}
	return "", false
}

// Keys lists the names.
func (e environment) Keys() []string {
	var names []string
	for _, entry := range e {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return names
}

// lineOf finds the line that asks for the image ref: a FROM, or a COPY --from.
func (f *dockerfile) lineOf(ref string, args map[string]string) int {
	for _, stage := range f.stages {
		if sameImage(f.expand(stage.BaseName, args), ref) && len(stage.Location) > 0 {
			return stage.Location[0].Start.Line
		}
	}
	for _, stage := range f.stages {
		for _, command := range stage.Commands {
			if c, ok := command.(*instructions.CopyCommand); ok && sameImage(c.From, ref) && len(c.Location()) > 0 {
				return c.Location()[0].Start.Line
			}
		}
	}
	return 0
}

func sameImage(written, resolved string) bool {
	if written == "" || written == resolved {
		return written != ""
	}
	named, err := reference.ParseNormalizedNamed(written)
	return err == nil && reference.TagNameOnly(named).String() == resolved
}

// display shortens a path for people: relative to the working folder where it lies below it.
func display(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(relative, "..") {
		return path
	}
	return relative
}

// place is "Dockerfile:12".
func place(file string, line int) string {
	if line < 1 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}
