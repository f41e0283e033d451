package scan

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Ignore excuses findings of one vulnerability or secret rule, with a reason, until a day.
type Ignore struct {
	// ID is the vulnerability ("CVE-2024-1234") or the secret rule ("private-key"), compared without regard to case.
	ID string `json:"id" yaml:"id"`
	// Package restricts the exception to packages of that name; "*" stands for any run of characters.
	Package string `json:"package,omitempty" yaml:"package,omitempty"`
	// Path restricts it to files, by a pattern with "*" that does not cross a "/", or "/**" at the end for all below.
	Path   string `json:"path,omitempty" yaml:"path,omitempty"`
	Reason string `json:"reason" yaml:"reason"`
	Owner  string `json:"owner,omitempty" yaml:"owner,omitempty"`
	// Until is the last day on which it holds, YYYY-MM-DD, ending at midnight UTC.
	Until string `json:"until" yaml:"until"`
}

// Check says what is wrong with an exception; its error is the user's.
func (i Ignore) Check() error {
	var missing error
	switch {
	case i.ID == "":
		missing = errors.New("it names no id")
	case strings.TrimSpace(i.Reason) == "":
		missing = errors.New("it gives no reason")
	case i.Until == "":
		missing = errors.New("it has no last day (until: YYYY-MM-DD)")
	}
	if missing == nil {
		if _, err := time.Parse(time.DateOnly, i.Until); err != nil {
			missing = fmt.Errorf("until is %q, which is no date like 2027-01-31", i.Until)
		}
	}
	if missing == nil {
		for _, pattern := range []string{i.Package, strings.TrimSuffix(i.Path, "/**")} {
			if _, err := path.Match(pattern, ""); err != nil {
				missing = fmt.Errorf("%q is no pattern", pattern)
			}
		}
	}
	if missing != nil {
		return fmt.Errorf("%w: the exception for %q in scan.ignore: %w", verdict.ErrUsage, i.ID, missing)
	}
	return nil
}

func (i Ignore) matches(f *verdict.Finding) bool {
	if !strings.EqualFold(i.ID, f.ID) {
		return false
	}
	if i.Package != "" {
		if f.Package == nil {
			return false
		}
		// A name may hold slashes (Go modules, scoped npm packages), and "*" is to cover them.
		flat := strings.NewReplacer("/", "\x00")
		if match, err := path.Match(flat.Replace(i.Package), flat.Replace(f.Package.Name)); err != nil || !match {
			return false
		}
	}
	return i.Path == "" || matchPath(i.Path, f.Place.File)
}

func matchPath(pattern, file string) bool {
	// Cleaned, because what an image says of its files may have more slashes than a path needs, and no end on the way up.
	pattern, file = strings.TrimPrefix(pattern, "/"), strings.TrimPrefix(path.Clean("/"+file), "/")
	if file == "" {
		return false
	}
	folder, below := strings.CutSuffix(pattern, "/**")
	if !below {
		match, err := path.Match(pattern, file)
		return err == nil && match
	}
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if match, err := path.Match(folder, dir); err == nil && match {
			return true
		}
	}
	return false
}

func (i Ignore) waiver() *verdict.Waiver {
	return &verdict.Waiver{Rule: i.ID, Reason: i.Reason, Owner: i.Owner, Until: i.Until}
}
