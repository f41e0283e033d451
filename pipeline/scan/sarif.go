package scan

import (
	"cmp"
	"io"
	"net/url"
	"strings"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// writeSARIF writes SARIF 2.1.0: one rule a vulnerability or secret rule, one result a finding. Excused findings stay in
// as suppressed, so that who closes alerts by them sees why.
func (r *Result) writeSARIF(w io.Writer) error {
	report, err := sarif.New(sarif.Version210)
	if err != nil {
		return err
	}
	run := sarif.NewRunWithInformationURI("Hallmark", "https://github.com/hallmark-ci/hallmark")
	run.Tool.Driver.WithFullName("Hallmark image scan (trivy " + trivyVersion + " as a library)")
	if r.version != "" {
		run.Tool.Driver.WithVersion(r.version)
	}
	run.Properties = sarif.Properties{
		"image": r.report.ArtifactName, "verdict": string(r.Verdict), "notes": append([]string{}, r.Notes...),
		"database": sarif.Properties{
			"source": r.Database.Source, "digest": r.Database.Digest,
			"updated_at": r.Database.UpdatedAt.UTC().Format("2006-01-02T15:04:05Z"), "note": r.Database.Note,
		},
	}
	invocation := run.AddInvocation(true)
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
			addRule(run, f)
		}
		run.AddResult(resultOf(f, at))
	}
	report.AddRun(run)
	return report.PrettyWrite(w)
}

func addRule(run *sarif.Run, f *verdict.Finding) {
	rule := run.AddRule(f.ID).WithName(f.Kind).WithDescription(f.Title).
		WithDefaultConfiguration(&sarif.ReportingConfiguration{Level: level(f.Severity)}).
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

func resultOf(f *verdict.Finding, rule int) *sarif.Result {
	text := f.Message
	if f.Remedy != "" {
		text = strings.TrimRight(text, ".") + ". " + f.Remedy + "."
	}
	// Code scanning wants a file; what has none is in the image as a whole.
	path := strings.TrimPrefix(cmp.Or(f.Place.File, "image"), "/")
	line := max(f.Place.Line, 1)
	physical := sarif.NewPhysicalLocation().
		WithArtifactLocation(sarif.NewSimpleArtifactLocation((&url.URL{Path: path}).EscapedPath())).
		WithRegion(sarif.NewRegion().WithStartLine(line).WithEndLine(line))
	location := sarif.NewLocation().WithPhysicalLocation(physical)
	if f.Place.Layer != "" {
		location.AddLogicalLocations(sarif.NewLogicalLocation().WithKind("module").
			WithName(f.Place.Layer).WithFullyQualifiedName(f.Place.Layer + ":/" + path))
	}
	result := sarif.NewRuleResult(f.ID).WithRuleIndex(rule).WithLevel(level(f.Severity)).
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

// level maps five severities to SARIF's three.
func level(severity verdict.Severity) string {
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
