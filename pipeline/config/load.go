package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Name is the file that is read where none is named.
const Name = "hallmark.yaml"

// Load reads the configuration at path, which is a file or a folder that may hold hallmark.yaml; empty means the
// current folder. What env (NAME=value, as os.Environ gives it) and then sets (path=value) say goes above the file.
//
// The error is a *Problems where something in the configuration is wrong; it always wraps verdict.ErrUsage.
func Load(path string, env []string, sets []string) (*Config, error) {
	file, dir, err := find(path)
	if err != nil {
		return nil, err
	}
	var body []byte
	if file != "" {
		if body, err = read(file); err != nil {
			return nil, err
		}
	}
	shown := file
	if path == "" {
		shown = Name
	}
	return parse(body, shown, file, dir, env, sets)
}

// LoadWithoutFile is what Load makes of env and sets alone, as if there were no file at path: the word of whoever runs the
// program, without that of whoever wrote the file. Relative paths are meant from the same folder.
func LoadWithoutFile(path string, env []string, sets []string) (*Config, error) {
	_, dir, err := find(path)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{"SOURCE_DATE_EPOCH": true} // the file may hold references to others, which are no mistakes then
	for _, l := range leaves(root(), "") {
		known[EnvName(l.path)] = true
	}
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !known[name]
	})
	return parse(nil, Name, "", dir, env, sets)
}

// find is the file to read, empty where there is none, and the folder that its paths are relative to.
func find(path string) (file, dir string, err error) {
	info, err := os.Stat(cmp.Or(path, "."))
	if err != nil {
		return "", "", fmt.Errorf("%w: reading the configuration %s: %w. Name a file, or the folder that holds %s", verdict.ErrUsage, path, verdict.WithoutPath(err), Name)
	}
	if !info.IsDir() {
		dir, err = filepath.Abs(filepath.Dir(path))
		return path, dir, err
	}
	if dir, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	switch info, err := os.Stat(filepath.Join(dir, Name)); {
	case err == nil && !info.Mode().IsRegular(): // a pipe would be waited for
		return "", "", fmt.Errorf("%w: reading the configuration %s: it is no regular file. Put one in its place, or name another with --config", verdict.ErrUsage, filepath.Join(path, Name))
	case err == nil:
		return filepath.Join(path, Name), dir, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("%w: reading the configuration %s: %w", verdict.ErrUsage, filepath.Join(path, Name), verdict.WithoutPath(err))
	}
	if _, err := os.Stat(filepath.Join(dir, "hallmark.yml")); err == nil {
		return "", "", fmt.Errorf("%w: there is hallmark.yml in %s, which is not read. Rename it to %s", verdict.ErrUsage, dir, Name)
	}
	return "", dir, nil
}

// read returns the file's bytes, at most maxFile of them.
func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the configuration %s: %w", verdict.ErrUsage, file, verdict.WithoutPath(err))
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: reading the configuration %s: %w", verdict.ErrUsage, file, verdict.WithoutPath(err))
	}
	if len(body) > maxFile {
		return nil, fmt.Errorf("%w: reading the configuration %s: it is larger than 1 MiB, which no configuration should be", verdict.ErrUsage, file)
	}
	return body, nil
}

// parse is Load without the file system.
func parse(body []byte, shown, file, dir string, env, sets []string) (*Config, error) {
	src := &source{name: shown, lines: strings.Split(string(body), "\n"), overrides: map[*yaml.Node]string{}}
	d := newDecoder(src)
	tree := d.document(body)
	if err := d.err(); err != nil {
		return nil, err // nothing below would make sense
	}
	d.environment(tree, env)
	d.flags(tree, sets)

	cfg := Defaults()
	cfg.File, cfg.Dir = file, dir
	d.decode("", tree, root(), reflect.ValueOf(&cfg).Elem(), 0)
	cfg.derive(func(path string) bool { return d.nodes[path] != nil })
	d.deriveParams(&cfg)
	if !d.full {
		d.validate(&cfg)
		d.strays(&cfg, env)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	cfg.origins = map[string]string{}
	cfg.lines = map[string]int{}
	for path, n := range d.nodes {
		cfg.origins[path] = src.origin(n)
		if _, overridden := src.overrides[n]; !overridden {
			cfg.lines[path] = n.Line
		}
	}
	cfg.resolve()
	return &cfg, nil
}

// document is the one mapping that body holds; an empty one where it says nothing.
func (d *decoder) document(body []byte) *yaml.Node {
	empty := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if !utf8.Valid(body) {
		valid := len(body) - len(bytes.TrimLeftFunc(body, func(r rune) bool { return r != utf8.RuneError }))
		line := 1 + bytes.Count(body[:valid], []byte("\n"))
		column := 1 + utf8.RuneCount(body[bytes.LastIndexByte(body[:valid], '\n')+1:valid])
		d.problem(&yaml.Node{Line: line, Column: column}, "", "is not UTF-8 text", "save it as UTF-8")
		return empty
	}
	reader := yaml.NewDecoder(bytes.NewReader(body))
	var doc, second yaml.Node
	if err := reader.Decode(&doc); errors.Is(err, io.EOF) {
		return empty
	} else if err != nil {
		d.syntax(err)
		return empty
	}
	switch err := reader.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
		return empty
	default:
		d.problem(&second, "", "a second document begins here", "one file holds one configuration: remove the --- and what follows")
		return empty
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].ShortTag() == "!!null" {
		return empty
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// syntax tells of text that is no YAML.
func (d *decoder) syntax(err error) {
	found := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	line, _ := strconv.Atoi(found[1])
	at := &yaml.Node{Line: line, Column: 1}
	if line > 0 && line <= len(d.source.lines) {
		text := d.source.lines[line-1]
		at.Column = 1 + len(text) - len(strings.TrimLeft(text, " \t"))
	}
	hint := ""
	switch message := found[2]; {
	case strings.Contains(message, "cannot start any token"), strings.Contains(message, "tab"):
		hint = "indent with spaces, and quote texts that begin with @, ` or %"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "quote the text if it holds a colon, or check the indentation"
	case strings.Contains(message, "did not find expected"):
		hint = "check the indentation, and that every bracket and quote is closed"
	}
	d.problem(at, "", "is not YAML: "+found[2], hint)
}
