package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Severity is how much a finding matters, in the five steps that scanners and policies share.
type Severity string

const (
	Unknown  Severity = "unknown"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities lists them from the least to the most severe.
var Severities = []Severity{Unknown, Low, Medium, High, Critical}

// AtLeast says whether s is as severe as floor or more.
func (s Severity) AtLeast(floor Severity) bool {
	return slices.Index(Severities, s) >= slices.Index(Severities, floor)
}

// ParseSeverity reads a severity in any case; "warning"-like words of other tools are refused.
func ParseSeverity(text string) (Severity, error) {
	s := Severity(strings.ToLower(text))
	if !slices.Contains(Severities, s) {
		return "", fmt.Errorf("severity %q is none of unknown, low, medium, high, critical", text)
	}
	return s, nil
}

// Finding is one result of a rule or of the scanner.
type Finding struct {
	// ID is the rule ("spark.uid"), the vulnerability ("CVE-2024-1234") or the secret rule ("aws-access-key-id").
	ID       string   `json:"id"`
	Gate     string   `json:"gate"` // check, scan, launch or promote
	Kind     string   `json:"kind"` // rule, vulnerability, secret, probe, evidence
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"`
	Source   string   `json:"source,omitempty"` // where the rule or advisory comes from: a URL or a document
	Place    Place    `json:"place,omitzero"`
	Package  *Package `json:"package,omitempty"` // vulnerabilities only
	// Blocking says that this finding alone fails its gate; waived and below-threshold findings do not.
	Blocking bool    `json:"blocking"`
	Waiver   *Waiver `json:"waiver,omitempty"` // the exception that covers it, expired or not
}

// Place is where in the image, and in the project, a finding stands. Zero fields are unknown.
type Place struct {
	File      string `json:"file,omitempty"`       // path inside the image, or of the project's file
	Line      int    `json:"line,omitempty"`       // line in File, from 1
	Layer     string `json:"layer,omitempty"`      // diff id of the layer that brought it
	CreatedBy string `json:"created_by,omitempty"` // that layer's history entry
	// Dockerfile is the Dockerfile's line ("Dockerfile:12") that made the layer, where known.
	Dockerfile string `json:"dockerfile,omitempty"`
	// Setting is the field of hallmark.yaml that asked for what failed ("launch[1].probes[0]"), where known.
	Setting string `json:"setting,omitempty"`
}

// String is the shortest text that finds the place: "Dockerfile:12 (/etc/passwd)".
func (p Place) String() string {
	file := p.File
	if file != "" && p.Line > 0 {
		file = fmt.Sprintf("%s:%d", file, p.Line)
	}
	switch {
	case p.Dockerfile != "" && file != "":
		return p.Dockerfile + " (" + file + ")"
	case p.Dockerfile != "":
		return p.Dockerfile
	case file != "":
		return file
	case p.Layer != "":
		return "layer " + p.Layer
	default:
		return ""
	}
}

// InProject is the line of the project's Dockerfile that the place is about, where that is known.
func (p Place) InProject() (file string, line int, known bool) {
	file, number, found := strings.Cut(p.Dockerfile, ":")
	line, err := strconv.Atoi(number)
	return file, line, found && err == nil && line > 0
}

// Package is the installed package that a vulnerability was found in.
type Package struct {
	Name      string `json:"name"`
	Installed string `json:"installed"`
	Fixed     string `json:"fixed,omitempty"` // empty: no fix is known
	Type      string `json:"type"`            // debian, alpine, jar, python-pkg, …
	Path      string `json:"path,omitempty"`
}

// Waiver is an exception with a reason, an owner and a last day. An expired one fails.
type Waiver struct {
	Rule   string `json:"rule" yaml:"rule"`
	Reason string `json:"reason" yaml:"reason"`
	Owner  string `json:"owner" yaml:"owner"`
	// Until is the last day on which the waiver holds, YYYY-MM-DD, ending at midnight UTC.
	Until string `json:"until" yaml:"until"`
}

// ExpiredAt says whether the waiver no longer holds at now. A date that cannot be read never holds.
func (w Waiver) ExpiredAt(now time.Time) bool {
	last, err := time.Parse(time.DateOnly, w.Until)
	return err != nil || !now.UTC().Before(last.AddDate(0, 0, 1))
}

// Sort orders findings as people read them: blocking first, then by severity, id and place.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			-compareBool(a.Blocking, b.Blocking),
			-cmp.Compare(slices.Index(Severities, a.Severity), slices.Index(Severities, b.Severity)),
			cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Place.String(), b.Place.String()),
		)
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// Of is the verdict that findings amount to: fail if one of them is blocking, else pass.
func Of(findings []Finding) Verdict {
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Blocking }) {
		return Fail
	}
	return Pass
}

// Count says how many findings fail their gate, and how many an exception covers instead.
func Count(findings []Finding) (blocking, waived int) {
	for _, f := range findings {
		switch {
		case f.Blocking:
			blocking++
		case f.Waiver != nil:
			waived++
		}
	}
	return blocking, waived
}
