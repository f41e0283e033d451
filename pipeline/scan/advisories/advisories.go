// Package advisories holds the vulnerability advisories that the Hallmark project wrote itself, and writes them as a
// trivy database: for the demonstration, for tests, and for machines that cannot reach a public database but want to
// see the scan work. It assesses nothing, and whoever uses it must say so.
//
// It must not know images or gates.
package advisories

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

//go:embed demo.yaml
var demo []byte

// Advisory is one published weakness in one package.
type Advisory struct {
	ID string `yaml:"id"`
	// In is a distribution and its release ("debian 12") or an ecosystem: maven, pip, npm, go, rubygems, cargo, nuget,
	// composer.
	In string `yaml:"in"`
	// Package is a distribution's source package, or a name as its ecosystem writes it.
	Package string `yaml:"package"`
	// Vulnerable are version ranges, for ecosystems only.
	Vulnerable []string `yaml:"vulnerable"`
	// Fixed is the version that fixes it, several separated by commas; empty where none is known.
	Fixed string `yaml:"fixed"`
	// Status says why there is no fix: affected (the default), will_not_fix, fix_deferred, end_of_life.
	Status      string `yaml:"status"`
	Severity    string `yaml:"severity"`
	Title       string `yaml:"title"`
	Description string `yaml:"description"`
	Published   string `yaml:"published"`
}

// Set is a list of advisories with the day of its last change.
type Set struct {
	Updated    time.Time
	Digest     string // "sha256:…" of the text
	Advisories []Advisory
}

// Demo returns the advisories that come with the program.
func Demo() (Set, error) { return Parse(demo) }

// Note is the sentence that every output of a scan with these advisories shows.
func (s Set) Note() string {
	return fmt.Sprintf("demonstration database: %d advisories written by the Hallmark project; not a vulnerability assessment",
		len(s.Advisories))
}

// Parse reads a list of advisories in YAML, strictly.
func Parse(text []byte) (Set, error) {
	var file struct {
		Updated    string     `yaml:"updated"`
		Advisories []Advisory `yaml:"advisories"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return Set{}, fmt.Errorf("reading the advisories: %w", err)
	}
	set := Set{Digest: subject.DigestOf(text), Advisories: file.Advisories}
	var err error
	if set.Updated, err = time.Parse(time.DateOnly, file.Updated); err != nil {
		return Set{}, fmt.Errorf("reading the advisories: updated is no date (YYYY-MM-DD): %q", file.Updated)
	}
	for i, advisory := range set.Advisories {
		if err := advisory.check(); err != nil {
			return Set{}, fmt.Errorf("reading the advisories: number %d (%s in %s): %w", i+1, advisory.ID, advisory.Package, err)
		}
	}
	return set, nil
}

func (a Advisory) check() error {
	switch {
	case a.ID == "" || a.Package == "" || a.Title == "":
		return errors.New("id, package and title are needed")
	case !a.distribution() && !slices.Contains(ecosystems, a.In):
		return fmt.Errorf("%q is neither a distribution with its release nor one of %s", a.In, strings.Join(ecosystems, ", "))
	case a.distribution() && len(a.Vulnerable) > 0:
		return errors.New("a distribution's advisory has a fixed version, no ranges")
	case !a.distribution() && len(a.Vulnerable) == 0:
		return errors.New("an ecosystem's advisory needs version ranges")
	case !slices.Contains([]string{"low", "medium", "high", "critical"}, a.Severity):
		return fmt.Errorf("severity %q is none of low, medium, high, critical", a.Severity)
	}
	_, err := time.Parse(time.DateOnly, a.Published)
	return err
}

var ecosystems = []string{"maven", "pip", "npm", "go", "rubygems", "cargo", "nuget", "composer"}

// distribution says whether In is "debian 12" and the like.
func (a Advisory) distribution() bool { return strings.Contains(a.In, " ") }
