package report

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// SARIFRun is what a SARIF document says besides the findings.
type SARIFRun struct {
	Image   string
	Tool    string // what found them, in full
	Version string // of Hallmark
	Verdict verdict.Verdict
	Notes   []string
	// Unfinished says why the findings are not all there are; empty: everything was looked at. Who reads the document must
	// not close alerts by it then.
	Unfinished string
	Database   Database // zero: no scan
	Findings   []verdict.Finding
	// Project places findings at the Dockerfile's line that brought them, where it is known: code scanning shows files of
	// the project. Without it they stand at the file in the image.
	Project bool
	// Dockerfile is its path in the project, for Project; empty: as the findings call it.
	Dockerfile string
}

// Unfinished says why the report's findings are not all that the image has: a gate was left out, was not reached, or came
// to no verdict. Empty: every gate of the run has judged. No findings mean a clean image only then.
func (r Report) Unfinished() string {
	gates := 0
	for _, s := range r.Steps {
		if s.Name != "check" && s.Name != "scan" {
			continue
		}
		gates++
		if s.State != Done && (s.State != Failed || s.Verdict != verdict.Fail) {
			return "The " + s.Name + " came to no verdict (" + string(s.State) + "): findings may be missing"
		}
	}
	if gates == 0 {
		return "Nothing has looked for findings"
	}
	return ""
}

// SARIF writes a run's findings as SARIF 2.1.0, those at the project's files first of all. Where a gate came to no verdict
// it says that the execution was not successful.
func SARIF(w io.Writer, r Report, dockerfile string) error {
	r = redacted(r)
	return WriteSARIF(w, SARIFRun{
		Image: named(r), Tool: "Hallmark", Version: r.Hallmark, Verdict: r.Verdict, Unfinished: r.Unfinished(),
		Notes: r.allNotes(), Database: r.Scan.Database, Findings: r.Findings, Project: true, Dockerfile: dockerfile,
	})
}

// named is the image by its digest, where it has one.
func named(r Report) string {
	if r.Subject.Digest == "" {
		return r.Image
	}
	return r.Subject.String()
}

// Bounds of a SARIF document: what GitHub's code scanning shows or takes. Of more results it shows the 5,000 gravest and
// does not say so where anybody looks; a larger file it refuses.
// https://docs.github.com/en/code-security/code-scanning/troubleshooting-sarif-uploads/results-exceed-limit
const (
	sarifResults = 5_000
	sarifPacked  = 10_000_000 // bytes, compressed with gzip
	sarifName    = 255        // characters of a rule's name
	sarifTitle   = 1024       // of its description
	sarifWords   = 4096       // of a message; ours
)

// WriteSARIF writes SARIF 2.1.0: one rule a policy rule, vulnerability or secret rule, one result a finding. Excused
// findings stay in as suppressed, so that who closes alerts by them sees why. Of more findings than code scanning shows
// it writes the gravest, and says in a notification how many it left out.
func WriteSARIF(w io.Writer, r SARIFRun) error {
	findings := slices.Clone(r.Findings)
	verdict.Sort(findings)
	for keep := min(len(findings), sarifResults); ; {
		body, err := r.render(findings[:keep], len(findings)-keep)
		if err != nil {
			return fmt.Errorf("writing the findings as SARIF: %w", err)
		}
		packed, err := gzipped(body)
		if err != nil {
			return fmt.Errorf("compressing the findings as SARIF: %w", err)
		}
		if packed <= sarifPacked || keep == 0 {
			_, err = w.Write(body)
			return err
		}
		keep = int(float64(keep) * 0.9 * sarifPacked / float64(packed)) // ends: it is less each time
	}
}

// gzipped is how many bytes a text takes that is compressed. What is small enough as it is is not tried.
func gzipped(body []byte) (int64, error) {
	if len(body) <= sarifPacked {
		return int64(len(body)), nil
	}
	var n counting
	pack := gzip.NewWriter(&n)
	_, err := pack.Write(body)
	return int64(n), errors.Join(err, pack.Close())
}

type counting int64

func (c *counting) Write(p []byte) (int, error) {
	*c += counting(len(p))
	return len(p), nil
}

func (r SARIFRun) render(findings []verdict.Finding, leftOut int) ([]byte, error) {
	run := sarifRun{Invocations: []sarifInvocation{r.invocation(len(findings), leftOut)}, Results: make([]sarifResult, 0, len(findings))}
	run.Tool.Driver = sarifDriver{Name: "Hallmark", FullName: r.Tool, Version: r.Version, InformationURI: "https://github.com/hallmark-ci/hallmark", Rules: []sarifRule{}}
	run.Properties = map[string]any{"image": r.Image, "verdict": string(r.Verdict), "notes": append([]string{}, r.Notes...)}
	if d := r.Database; d.Source != "" {
		run.Properties["database"] = map[string]any{
			"source": d.Source, "digest": d.Digest, "updated_at": d.Updated.UTC().Format("2006-01-02T15:04:05Z"), "note": d.Note,
		}
	}
	rules := map[string]int{}
	for i := range findings {
		f := &findings[i]
		at, known := rules[f.ID]
		if !known {
			at = len(rules)
			rules[f.ID] = at
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleOf(f))
		}
		run.Results = append(run.Results, r.resultOf(f, at))
	}
	var body bytes.Buffer
	err := writeJSON(&body, sarifLog{
		Version: "2.1.0", Schema: "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/main/sarif-2.1/schema/sarif-schema-2.1.0.json",
		Runs: []sarifRun{run},
	})
	return body.Bytes(), err
}

func (r SARIFRun) invocation(kept, leftOut int) sarifInvocation {
	i := sarifInvocation{Successful: r.Unfinished == ""}
	say := func(level, text string) {
		i.Notifications = append(i.Notifications, sarifNotification{level, sarifText{text}})
	}
	if r.Unfinished != "" {
		say("error", r.Unfinished)
	}
	if leftOut > 0 {
		say("warning", verdict.Plural(leftOut, "finding")+" left out: these are the "+verdict.Plural(kept, "gravest one")+", as code scanning takes no more. The JSON report has all.")
	}
	for _, note := range r.Notes {
		say("note", note)
	}
	return i
}

func ruleOf(f *verdict.Finding) sarifRule {
	rule := sarifRule{ID: f.ID, Name: foreign.Cut(f.Kind, sarifName), ShortDescription: sarifText{foreign.Cut(cmp.Or(f.Title, f.ID), sarifTitle)}}
	rule.Default.Level = sarifLevel(f.Severity)
	severity := cmp.Or(f.Severity, verdict.Unknown)
	rule.Properties.Precision, rule.Properties.Severity = "high", securitySeverity[severity]
	rule.Properties.Tags = []string{"security", f.Kind, string(severity)}
	if u, err := url.Parse(f.Source); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		rule.HelpURI = f.Source
	}
	rule.Help = &sarifText{foreign.Cut(sentences(f.Title, f.Remedy), sarifWords)}
	return rule
}

// sentences joins texts, each with one full stop at its end.
func sentences(texts ...string) string {
	var all []string
	for _, text := range texts {
		if text != "" {
			all = append(all, strings.TrimRight(text, ".")+".")
		}
	}
	return strings.Join(all, " ")
}

func (r SARIFRun) resultOf(f *verdict.Finding, rule int) sarifResult {
	text := f.Message
	if f.Remedy != "" {
		text = sentences(foreign.Cut(f.Message, sarifWords/2), f.Remedy)
	}
	// Code scanning wants a file; what has none is in the image as a whole.
	path := strings.TrimPrefix(cmp.Or(f.Place.File, "image"), "/")
	shown, line := path, max(f.Place.Line, 1)
	if file, at, known := f.Place.InProject(); known && r.Project {
		shown, line = cmp.Or(r.Dockerfile, file), at
	}
	var location sarifLocation
	location.Physical.Artifact.URI = (&url.URL{Path: shown}).EscapedPath()
	location.Physical.Region.StartLine, location.Physical.Region.EndLine = line, line
	if f.Place.Layer != "" {
		location.Logical = []sarifLogical{{Kind: "module", Name: f.Place.Layer, QualifiedName: f.Place.Layer + ":/" + path}}
	}
	// What stays the same when a line moves or another version is installed.
	identity := []string{f.ID, path, f.Place.Layer}
	if f.Package != nil {
		identity = []string{f.ID, f.Package.Type, f.Package.Name, path}
	}
	result := sarifResult{
		RuleID: f.ID, RuleIndex: rule, Level: sarifLevel(f.Severity), Message: sarifText{foreign.Cut(cmp.Or(text, f.Title, f.ID), sarifWords)},
		Locations: []sarifLocation{location}, Fingerprints: map[string]string{"hallmark/v1": strings.Join(identity, "|")},
		Properties: map[string]any{"blocking": f.Blocking},
	}
	if f.Place.CreatedBy != "" {
		result.Properties["created_by"] = foreign.Cut(f.Place.CreatedBy, sarifTitle)
	}
	if f.Waiver != nil && !f.Blocking {
		result.Suppressions = []sarifSuppression{{"external", f.Waiver.Reason}}
	}
	return result
}

// sarifLevel maps five severities to SARIF's three.
func sarifLevel(severity verdict.Severity) string {
	switch {
	case severity.AtLeast(verdict.High):
		return "error"
	case severity == verdict.Medium:
		return "warning"
	default:
		return "note"
	}
}

// securitySeverity is the score by which GitHub's code scanning sorts: the middle of the severity's CVSS range.
var securitySeverity = map[verdict.Severity]string{
	verdict.Critical: "9.5", verdict.High: "8.0", verdict.Medium: "5.5", verdict.Low: "2.0", verdict.Unknown: "0.0",
}
