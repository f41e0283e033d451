package reasons

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

//go:embed data/*.yaml
var data embed.FS

// table is data/*.yaml by code, read when somebody asks for the first time. That it can be read is tested.
var table = sync.OnceValue(func() map[string]*entry {
	all, err := read(data)
	if err != nil {
		panic(err)
	}
	return all
})

// document is one file of the table.
type document struct {
	About  string   `yaml:"about"`  // what the file is about
	Source string   `yaml:"source"` // where its facts come from
	Date   string   `yaml:"date"`   // when they were looked at, YYYY-MM-DD
	Codes  []*entry `yaml:"codes"`
}

// entry is what is known of one code.
type entry struct {
	Code  string `yaml:"code"`
	Class Class  `yaml:"class"`
	Retry bool   `yaml:"retry"`
	// As is the code of the launch's error, without "launch."; empty: that of the class.
	As       string `yaml:"as"`
	Sentence string `yaml:"sentence"`
	Remedy   string `yaml:"remedy"`
	// When refines the entry: the first one whose pattern is in the platform's own words counts.
	When []*refinement `yaml:"when"`
}

// refinement is an entry for one kind of message. What it leaves empty is as in its entry, but for Retry.
type refinement struct {
	Says     string `yaml:"says"` // regular expression, case does not matter
	Class    Class  `yaml:"class"`
	Retry    bool   `yaml:"retry"`
	As       string `yaml:"as"`
	Sentence string `yaml:"sentence"`
	Remedy   string `yaml:"remedy"`

	pattern *regexp.Regexp
}

// Codes of launch errors that only a workspace brings about.
const (
	CodeConfiguration = "launch.configuration" // somebody must change a setting first
	CodeWorkspace     = "launch.workspace"     // the cloud or the platform could not launch the cluster
	CodeEnded         = "launch.ended"         // the cluster was ended from outside
)

// errorCodes are what an entry may call its error. The class alone would be too coarse for machines.
var errorCodes = map[string]string{
	"configuration": CodeConfiguration, "workspace": CodeWorkspace, "ended": CodeEnded,
	"driver": launch.CodeDriver, "init-script": launch.CodeInitScript, "start": launch.CodeStart,
	"platform": launch.CodePlatform, "requirement": launch.CodeRequirement, "memory": launch.CodeMemory,
	"unpack": launch.CodeUnpack, "pull": launch.CodePull, "denied": launch.CodeDenied, "disk": launch.CodeDisk,
	"timeout": launch.CodeTimeout,
}

var classCodes = map[Class]string{
	ClassImage: launch.CodeDriver, ClassSurroundings: CodeWorkspace, ClassConfiguration: CodeConfiguration, ClassEnded: CodeEnded,
}

// read reads every file of a table and refuses what it does not know.
func read(from fs.FS) (map[string]*entry, error) {
	files, err := fs.Glob(from, "data/*.yaml")
	if err != nil {
		return nil, err
	}
	all := map[string]*entry{}
	for _, file := range files {
		text, err := fs.ReadFile(from, file)
		if err != nil {
			return nil, err
		}
		doc, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("reading the table of reasons %s: %w", file, err)
		}
		for _, e := range doc.Codes {
			if all[e.Code] != nil {
				return nil, fmt.Errorf("reading the table of reasons %s: %s stands there already", file, e.Code)
			}
			all[e.Code] = e
		}
	}
	return all, nil
}

func parse(text []byte) (*document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var doc document
	if err := decoder.Decode(&doc); err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is a second document")
	}
	if doc.About == "" || doc.Source == "" || doc.Date == "" {
		return nil, errors.New("about, source or date is missing")
	}
	for _, e := range doc.Codes {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Code, err)
		}
	}
	return &doc, nil
}

// check says what an entry lacks, and makes its patterns.
func (e *entry) check() error {
	if e.Code == "" || e.Sentence == "" || e.Remedy == "" {
		return errors.New("code, sentence or remedy is missing")
	}
	if err := checkWords(e.Class, e.As, e.Sentence, e.Remedy, e.Retry); err != nil {
		return err
	}
	for _, w := range e.When {
		if w.Says == "" {
			return errors.New("a refinement says nothing")
		}
		pattern, err := regexp.Compile("(?i)" + w.Says)
		if err != nil {
			return err
		}
		w.pattern = pattern
		full := e.refined(w)
		if err := checkWords(full.Class, full.As, full.Sentence, full.Remedy, full.Retry); err != nil {
			return fmt.Errorf("%s: %w", w.Says, err)
		}
	}
	return nil
}

func checkWords(class Class, as, sentence, remedy string, retry bool) error {
	if classCodes[class] == "" {
		return fmt.Errorf("the class %q is none of image, surroundings, configuration, ended", class)
	}
	if as != "" && errorCodes[as] == "" {
		return fmt.Errorf("as %q is no code of a launch error", as)
	}
	if retry && class != ClassSurroundings {
		return fmt.Errorf("%s is never worth a retry", class)
	}
	if strings.HasSuffix(sentence, ".") || strings.HasSuffix(remedy, ".") {
		return errors.New("the full stop is set by whoever shows it")
	}
	return checkPlaceholders(sentence)
}

// placeholder is one part of a sentence that needs a parameter, with the words around it.
var placeholder = regexp.MustCompile(`\[[^\[\]{}]*\{[a-z_]+\}[^\[\]{}]*\]`)

func checkPlaceholders(sentence string) error {
	if rest := placeholder.ReplaceAllString(sentence, ""); strings.ContainsAny(rest, "[]{}") {
		return fmt.Errorf("%q: a parameter stands as [words {name} words], once in its brackets", sentence)
	}
	return nil
}

// refined is the entry as a refinement makes it.
func (e *entry) refined(w *refinement) *entry {
	full := *e
	full.Retry, full.When = w.Retry, nil
	if w.Class != "" {
		full.Class, full.As = w.Class, w.As
	}
	if w.As != "" {
		full.As = w.As
	}
	if w.Sentence != "" {
		full.Sentence = w.Sentence
	}
	if w.Remedy != "" {
		full.Remedy = w.Remedy
	}
	return &full
}

// errorCode is the code of the launch's error.
func (e *entry) errorCode() string {
	if e.As != "" {
		return errorCodes[e.As]
	}
	return classCodes[e.Class]
}
