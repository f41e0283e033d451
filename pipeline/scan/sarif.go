package scan

import (
	"io"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// writeSARIF writes SARIF 2.1.0, with findings at the files of the image.
func (r *Result) writeSARIF(w io.Writer) error {
	return report.WriteSARIF(w, report.SARIFRun{
		Image: r.report.ArtifactName, Tool: "Hallmark image scan (trivy " + trivyVersion + " as a library)", Version: r.version,
		Verdict: r.Verdict, Notes: r.Notes, Findings: r.Findings,
		Database: report.Database{Source: r.Database.Source, Digest: r.Database.Digest, Updated: r.Database.UpdatedAt, Note: r.Database.Note},
	})
}
