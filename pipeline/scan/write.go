package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/aquasecurity/trivy/pkg/clock"
	"github.com/aquasecurity/trivy/pkg/sbom/cyclonedx"
	trivyspdx "github.com/aquasecurity/trivy/pkg/sbom/spdx"
	"github.com/aquasecurity/trivy/pkg/types"
	"github.com/spdx/tools-golang/spdx/v2/common"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Formats are the outputs of one scan, as Write takes them.
var Formats = []string{"table", "json", "sarif", "cyclonedx", "spdx"}

// trivyVersion is the version of the library whose parsers and detectors made a result; a test compares it with go.mod.
const trivyVersion = "0.74.0"

// Write renders the result. Every format carries the database's identity and the result's notes.
func (r *Result) Write(w io.Writer, format string) error {
	switch format {
	case "table":
		return r.writeTable(w)
	case "json":
		return r.writeJSON(w)
	case "sarif":
		return r.writeSARIF(w)
	case "cyclonedx":
		return r.writeCycloneDX(w)
	case "spdx":
		return r.writeSPDX(w)
	default:
		return fmt.Errorf("%w: the format %q is none of %s", verdict.ErrUsage, format, strings.Join(Formats, ", "))
	}
}

// hallmarkJSON is what Hallmark adds to trivy's report: tools that read the report skip what they do not know.
type hallmarkJSON struct {
	Version      string            `json:"version,omitempty"`
	Verdict      verdict.Verdict   `json:"verdict"`
	Database     DatabaseInfo      `json:"database"`
	Notes        []string          `json:"notes"`
	Unidentified []string          `json:"unidentified,omitempty"`
	Findings     []verdict.Finding `json:"findings"`
}

// writeJSON writes trivy's report (schema 2) with one more key, "Hallmark".
func (r *Result) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	report := struct {
		types.Report
		Hallmark hallmarkJSON
	}{r.report, hallmarkJSON{
		Version: r.version, Verdict: r.Verdict, Database: r.Database, Unidentified: r.Unidentified,
		Notes: append([]string{}, r.Notes...), Findings: append([]verdict.Finding{}, r.Findings...),
	}}
	report.Trivy.Version = trivyVersion
	return encoder.Encode(report)
}

// sbom is the report as the SBOM encoders take it. They write references into it, so they get a copy.
func (r *Result) sbom() (context.Context, types.Report) {
	report := r.report
	report.Results = slices.Clone(report.Results)
	for i := range report.Results {
		result := &report.Results[i]
		result.Packages = slices.Clone(result.Packages)
		result.Vulnerabilities = slices.Clone(result.Vulnerabilities)
	}
	return clock.With(context.Background(), report.CreatedAt), report
}

// writeCycloneDX writes an SBOM with the vulnerabilities in CycloneDX JSON.
func (r *Result) writeCycloneDX(w io.Writer) error {
	ctx, report := r.sbom()
	marshaler := cyclonedx.NewMarshaler(trivyVersion)
	bom, err := marshaler.MarshalReport(ctx, report)
	if err != nil {
		return fmt.Errorf("writing the CycloneDX document: %w", err)
	}
	if tools := bom.Metadata.Tools; tools != nil && tools.Components != nil {
		*tools.Components = append(*tools.Components, cdx.Component{
			Type: cdx.ComponentTypeApplication, Name: "hallmark", Version: r.version,
		})
	}
	properties := []cdx.Property{
		{Name: "hallmark:database:source", Value: r.Database.Source},
		{Name: "hallmark:database:digest", Value: r.Database.Digest},
		{Name: "hallmark:database:updated_at", Value: r.Database.UpdatedAt.UTC().Format("2006-01-02T15:04:05Z")},
	}
	for _, note := range r.Notes {
		properties = append(properties, cdx.Property{Name: "hallmark:note", Value: note})
	}
	bom.Metadata.Properties = &properties
	encoder := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(bom)
}

// writeSPDX writes an SBOM in SPDX 2.3 JSON.
func (r *Result) writeSPDX(w io.Writer) error {
	ctx, report := r.sbom()
	document, err := trivyspdx.NewMarshaler(trivyVersion).MarshalReport(ctx, report)
	if err != nil {
		return fmt.Errorf("writing the SPDX document: %w", err)
	}
	document.DocumentComment = strings.Join(append([]string{"vulnerability database: " + r.databaseLine()}, r.Notes...), "\n")
	creator := "hallmark"
	if r.version != "" {
		creator += "-" + r.version
	}
	document.CreationInfo.Creators = append(document.CreationInfo.Creators,
		common.Creator{CreatorType: "Tool", Creator: creator})
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// databaseLine identifies the database in one line.
func (r *Result) databaseLine() string {
	return fmt.Sprintf("%s, data of %s, %s", r.Database.Source, r.Database.UpdatedAt.UTC().Format("2006-01-02"), r.Database.Digest)
}
