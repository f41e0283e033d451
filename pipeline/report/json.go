package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// JSON writes the report for machines, indented, with masked secrets hidden. Its fields are those of Report.
func JSON(w io.Writer, r Report) error {
	r.Version = Version
	if r.Findings == nil {
		r.Findings = []verdict.Finding{} // a list, also where it is empty
	}
	if r.Steps == nil {
		r.Steps = []Step{}
	}
	return writeJSON(w, redacted(r))
}

// VerifyJSON writes a verification for machines.
func VerifyJSON(w io.Writer, v Verification) error {
	v.Version = Version
	if v.Evidence == nil {
		v.Evidence = []Evidence{}
	}
	return writeJSON(w, redacted(v))
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the report as JSON: %w", err)
	}
	return nil
}
