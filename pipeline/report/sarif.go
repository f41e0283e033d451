package report

import (
	"cmp"
	"io"
	"net/url"
	"strings"

	"github.com/owenrumney/go-sarif/v2/sarif"

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
	findings := append([]verdict.Finding(nil), r.Findings...)
	verdict.Sort(findings)
	return WriteSARIF(w, SARIFRun{
		Image: named(r), Tool: "Hallmark", Version: r.Hallmark, Verdict: r.Verdict, Unfinished: r.Unfinished(),
		Notes: r.allNotes(), Database: r.Scan.Database, Findings: findings, Project: true, Dockerfile: dockerfile,
	})
}

// named is the image by its digest, where it has one.
func named(r Report) string {
	if r.Subject.Digest == "" {
		return r.Image
	}
	return r.Subject.String()
}

// WriteSARIF writes SARIF 2.1.0: one rule a policy rule, vulnerability or secret rule, one result a finding. Excused
// findings stay in as suppressed, so that who closes alerts by them sees why.
func WriteSARIF(w io.Writer, r SARIFRun) error {
	report, err := sarif.New(sarif.Version210)
	if err != nil {
		return err
	}
	run := sarif.NewRunWithInformationURI("Hallmark", "https://github.com/hallmark-ci/hallmark")
	run.Tool.Driver.WithFullName(r.Tool)
	if r.Version != "" {
		run.Tool.Driver.WithVersion(r.Version)
	}
	run.Properties = sarif.Properties{"image": r.Image, "verdict": string(r.Verdict), "notes": append([]string{}, r.Notes...)}
	if d := r.Database; d.Source != "" {
		run.Properties["database"] = sarif.Properties{
			"source": d.Source, "digest": d.Digest, "updated_at": d.Updated.UTC().Format("2006-01-02T15:04:05Z"), "note": d.Note,
		}
	}
	invocation := run.AddInvocation(r.Unfinished == "")
	if r.Unfinished != "" {
		invocation.ToolExecutionNotifications = append(invocation.ToolExecutionNotifications, &sarif.Notification{
			Level: "error", Message: sarif.NewTextMessage(r.Unfinished),
		})
	}
	for _, note := range r.Notes {
		invocation.ToolExecutionNotifications = append(invocation.ToolExecutionNotifications, &sarif.Notification{
			Level: "note", Message: sarif.NewTextMessage(note),
		})
	}
	rules := map[string]int{}
	for i := range r.Findings {
		f := &r.Findings[i]
		at, known := rules[f.ID]
		if !known {
			at = len(rules)
			rules[f.ID] = at
			addSARIFRule(run, f)
		}
		run.AddResult(r.resultOf(f, at))
	}
	report.AddRun(run)
	return report.PrettyWrite(w)
}

func addSARIFRule(run *sarif.Run, f *verdict.Finding) {
	rule := run.AddRule(f.ID).WithName(f.Kind).WithDescription(f.Title).
		WithDefaultConfiguration(&sarif.ReportingConfiguration{Level: sarifLevel(f.Severity)}).
		WithProperties(sarif.Properties{
			"tags": []string{"security", f.Kind, string(f.Severity)}, "precision": "high",
			"security-severity": securitySeverity[f.Severity],
		})
	if f.Source != "" {
		rule.WithHelpURI(f.Source)
	}
	help := f.Title + ". " + f.Remedy + "."
	rule.WithHelp(&sarif.MultiformatMessageString{Text: &help})
}

func (r SARIFRun) resultOf(f *verdict.Finding, rule int) *sarif.Result {
	text := f.Message
	if f.Remedy != "" {
		text = strings.TrimRight(text, ".") + ". " + f.Remedy + "."
	}
	// Code scanning wants a file; what has none is in the image as a whole.
	path := strings.TrimPrefix(cmp.Or(f.Place.File, "image"), "/")
	shown, line := path, max(f.Place.Line, 1)
	if file, at, known := f.Place.InProject(); known && r.Project {
		shown, line = cmp.Or(r.Dockerfile, file), at
	}
	physical := sarif.NewPhysicalLocation().
		WithArtifactLocation(sarif.NewSimpleArtifactLocation((&url.URL{Path: shown}).EscapedPath())).
		WithRegion(sarif.NewRegion().WithStartLine(line).WithEndLine(line))
	location := sarif.NewLocation().WithPhysicalLocation(physical)
	if f.Place.Layer != "" {
		location.AddLogicalLocations(sarif.NewLogicalLocation().WithKind("module").
			WithName(f.Place.Layer).WithFullyQualifiedName(f.Place.Layer + ":/" + path))
	}
	result := sarif.NewRuleResult(f.ID).WithRuleIndex(rule).WithLevel(sarifLevel(f.Severity)).
		WithMessage(sarif.NewTextMessage(text)).WithLocations([]*sarif.Location{location})
	result.Properties = sarif.Properties{"blocking": f.Blocking}
	if f.Place.CreatedBy != "" {
		result.Properties["created_by"] = f.Place.CreatedBy
	}
	// What stays the same when a line moves or another version is installed.
	identity := []string{f.ID, path, f.Place.Layer}
	if f.Package != nil {
		identity = []string{f.ID, f.Package.Type, f.Package.Name, path}
	}
	result.WithPartialFingerPrints(map[string]any{"hallmark/v1": strings.Join(identity, "|")})
	if f.Waiver != nil && !f.Blocking {
		suppression := sarif.NewSuppression("external")
		suppression.Justification = &f.Waiver.Reason
		result.AddSuppression(suppression)
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
