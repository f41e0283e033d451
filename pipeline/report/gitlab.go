package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// codeQuality is one issue as GitLab reads it: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
type codeQuality struct {
	Description string `json:"description"`
	CheckName   string `json:"check_name"`
	Fingerprint string `json:"fingerprint"`
	Severity    string `json:"severity"` // info, minor, major, critical, blocker
	Location    struct {
		Path  string `json:"path"`
		Lines struct {
			Begin int `json:"begin"`
		} `json:"lines"`
	} `json:"location"`
}

// GitLabCodeQuality writes the findings that are about the project's files as GitLab's code quality report. Those of
// packages are in the container scanning report; dockerfile is the Dockerfile's path in the project.
func GitLabCodeQuality(w io.Writer, r Report, dockerfile string) error {
	r = redacted(r)
	issues := []codeQuality{}
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if f.Kind == "vulnerability" || f.Waiver != nil && !f.Blocking {
			continue
		}
		issue := codeQuality{CheckName: foreign.Line(f.ID), Severity: codeQualitySeverity(f)}
		issue.Description = foreign.Line(strings.TrimSpace(f.ID + ": " + cmp.Or(f.Message, f.Title) + " " + f.Remedy))
		issue.Location.Path, issue.Location.Lines.Begin = cmp.Or(dockerfile, "Dockerfile"), 1
		if _, line, known := f.Place.InProject(); known {
			issue.Location.Lines.Begin = line
		}
		issue.Fingerprint = fingerprint("code-quality", Key(f))
		if !seen[issue.Fingerprint] { // GitLab drops all of a report in which one stands twice
			issues = append(issues, issue)
		}
		seen[issue.Fingerprint] = true
	}
	return writeJSON(w, issues)
}

func codeQualitySeverity(f verdict.Finding) string {
	switch {
	case f.Blocking:
		return "blocker"
	case f.Severity.AtLeast(verdict.Critical):
		return "critical"
	case f.Severity.AtLeast(verdict.High):
		return "major"
	case f.Severity.AtLeast(verdict.Medium):
		return "minor"
	default:
		return "info"
	}
}

// containerScanning is version 15.0.7 of GitLab's report of that name:
// https://gitlab.com/gitlab-org/security-products/security-report-schemas
type containerScanning struct {
	Version         string                `json:"version"`
	Scan            gitLabScan            `json:"scan"`
	Vulnerabilities []gitLabVulnerability `json:"vulnerabilities"`
}

type gitLabTool struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	URL     string `json:"url"`
	Version string `json:"version"`
	Vendor  struct {
		Name string `json:"name"`
	} `json:"vendor"`
}

type gitLabMessage struct {
	Level string `json:"level"`
	Value string `json:"value"`
}

type gitLabScan struct {
	Analyzer gitLabTool      `json:"analyzer"`
	Scanner  gitLabTool      `json:"scanner"`
	Type     string          `json:"type"`
	Start    string          `json:"start_time"`
	End      string          `json:"end_time"`
	Status   string          `json:"status"`
	Messages []gitLabMessage `json:"messages,omitempty"`
}

type gitLabIdentifier struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
	URL   string `json:"url,omitempty"`
}

type gitLabLink struct {
	URL string `json:"url"`
}

type gitLabVulnerability struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Description string             `json:"description,omitempty"`
	Severity    string             `json:"severity"`
	Solution    string             `json:"solution,omitempty"`
	Identifiers []gitLabIdentifier `json:"identifiers"`
	Links       []gitLabLink       `json:"links,omitempty"`
	Location    struct {
		Dependency struct {
			Package struct {
				Name string `json:"name"`
			} `json:"package"`
			Version string `json:"version"`
		} `json:"dependency"`
		OperatingSystem string `json:"operating_system"`
		Image           string `json:"image"`
	} `json:"location"`
}

// GitLab's bounds, in characters.
const (
	gitLabName     = 255
	gitLabSolution = 7000
	gitLabText     = 64 << 10
)

var webAddress = regexp.MustCompile(`^(https?|ftp)://.+`)

// GitLabContainerScanning writes the vulnerabilities as GitLab's container scanning report. Its vulnerability list has no
// word for exceptions: what a waiver covers is left out, as what a scanner would be told to ignore.
func GitLabContainerScanning(w io.Writer, r Report) error {
	r = redacted(r)
	tool := gitLabTool{ID: "hallmark", Name: "Hallmark", URL: "https://github.com/hallmark-ci/hallmark", Version: cmp.Or(r.Hallmark, "dev")}
	tool.Vendor.Name = "Hallmark"
	report := containerScanning{Version: "15.0.7", Vulnerabilities: []gitLabVulnerability{}, Scan: gitLabScan{
		Analyzer: tool, Scanner: tool, Type: "container_scanning", Status: "success",
		Start: gitLabTime(r.Started), End: gitLabTime(r.Started.Add(r.Elapsed)),
	}}
	if !r.scanned() {
		report.Scan.Status = "failure"
	}
	for _, note := range r.allNotes() {
		report.Scan.Messages = append(report.Scan.Messages, gitLabMessage{"warn", foreign.Line(note)})
	}
	for _, f := range r.Findings {
		if f.Kind != "vulnerability" || f.Package == nil || f.Waiver != nil && !f.Blocking {
			continue
		}
		report.Vulnerabilities = append(report.Vulnerabilities, gitLabFinding(f, named(r)))
	}
	return writeJSON(w, report)
}

// scanned says whether the scan came to a result: only then do findings that are missing mean something.
func (r Report) scanned() bool {
	for _, s := range r.Steps {
		if s.Name == "scan" {
			return s.State == Done || s.State == Skipped && s.Verdict != verdict.Inconclusive || s.Verdict == verdict.Fail
		}
	}
	return false
}

func gitLabFinding(f verdict.Finding, image string) gitLabVulnerability {
	v := gitLabVulnerability{
		ID: uuidOf(fingerprint("container-scanning", Key(f), f.Package.Installed)), Name: foreign.Cut(foreign.Line(cmp.Or(f.Title, f.ID)), gitLabName-1),
		Description: foreign.Bound(foreign.Text(f.Message), gitLabText), Solution: foreign.Cut(foreign.Line(f.Remedy), gitLabSolution-1),
		Severity: gitLabSeverity(f.Severity),
	}
	id := gitLabIdentifier{Type: "hallmark", Name: foreign.Line(f.ID), Value: foreign.Line(f.ID)}
	if kind, _, found := strings.Cut(strings.ToLower(f.ID), "-"); found && (kind == "cve" || kind == "ghsa") {
		id.Type = kind
	}
	if webAddress.MatchString(f.Source) {
		id.URL = f.Source
		v.Links = []gitLabLink{{f.Source}}
	}
	v.Identifiers = []gitLabIdentifier{id}
	v.Location.Dependency.Package.Name, v.Location.Dependency.Version = foreign.Line(f.Package.Name), foreign.Line(f.Package.Installed)
	v.Location.OperatingSystem, v.Location.Image = cmp.Or(f.Package.Type, "unknown"), image
	return v
}

func gitLabTime(t time.Time) string {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return stamp(t)
}

// fingerprint is what a system knows a finding by, from run to run.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// uuidOf makes a UUID of a fingerprint, as GitLab recommends for ids: version 8, which leaves the digits to whoever makes it.
func uuidOf(hexDigits string) string {
	return hexDigits[:8] + "-" + hexDigits[8:12] + "-8" + hexDigits[13:16] + "-8" + hexDigits[17:20] + "-" + hexDigits[20:32]
}

// gitLabSeverity is a severity in GitLab's words, which are ours with a capital.
func gitLabSeverity(s verdict.Severity) string {
	word := string(cmp.Or(s, verdict.Unknown))
	return strings.ToUpper(word[:1]) + word[1:]
}
