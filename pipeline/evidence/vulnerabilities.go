package evidence

import (
	"fmt"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Scan is what is known against the image.
type Scan struct {
	Scanner  string // URI: "pkg:golang/github.com/aquasecurity/trivy@v0.74.0"
	Version  string
	Database Database
	// Findings are vulnerabilities and secrets, the covered and the tolerated ones too. Of a secret only its rule
	// and place are stated.
	Findings []verdict.Finding
	Packages int           // how many packages were compared with the database
	Settings *ScanSettings // nil: the statement does not say
	Started  time.Time
	Finished time.Time
}

// ScanSettings are what was looked for, and from where on it blocked.
type ScanSettings struct {
	FailOn      verdict.Severity `json:"fail_on"`
	FixableOnly bool             `json:"fixable_only"` // what has no fix did not block
	Secrets     bool             `json:"secrets"`      // they were looked for
}

// Database is what the image was compared with.
type Database struct {
	Source  string // where it came from: reference or file
	Digest  string // "sha256:…"
	Updated time.Time
	Note    string // what people must know of it: "demo database …"
}

type vulnerabilities struct {
	Scanner struct {
		URI     string `json:"uri"`
		Version string `json:"version,omitzero"`
		DB      struct {
			URI     string    `json:"uri,omitzero"`
			Version string    `json:"version,omitzero"`
			Updated time.Time `json:"lastUpdate"`
		} `json:"db"`
		Result []vulnerability `json:"result"`
	} `json:"scanner"`
	Metadata struct {
		Started  time.Time `json:"scanStartedOn"`
		Finished time.Time `json:"scanFinishedOn"`
	} `json:"metadata"`
	Hallmark scanMark `json:"hallmark"`
}

type scanMark struct {
	Mark
	Packages int           `json:"packages"`
	Settings *ScanSettings `json:"settings,omitzero"`
	Note     string        `json:"database_note,omitzero"`
	Secrets  []exposed     `json:"secrets,omitempty"`
}

type exposed struct {
	Rule     string           `json:"rule"`
	Severity verdict.Severity `json:"severity"`
	File     string           `json:"file,omitzero"`
	Layer    string           `json:"layer,omitzero"`
	Blocking bool             `json:"blocking"`
	Waiver   *verdict.Waiver  `json:"waiver,omitzero"`
}

type vulnerability struct {
	ID          string                 `json:"id"`
	Severity    []score                `json:"severity"`
	Annotations []vulnerabilityDetails `json:"annotations"`
}

type score struct {
	Method string `json:"method"`
	Score  string `json:"score"`
}

type vulnerabilityDetails struct {
	Package   string          `json:"package,omitzero"`
	Type      string          `json:"type,omitzero"`
	Installed string          `json:"installed,omitzero"`
	Fixed     string          `json:"fixed,omitzero"`
	Path      string          `json:"path,omitzero"`
	Layer     string          `json:"layer,omitzero"`
	Blocking  bool            `json:"blocking"`
	Waiver    *verdict.Waiver `json:"waiver,omitzero"`
}

// severityMethod names the scale of the scores: Hallmark's five words.
const severityMethod = "hallmark"

// Vulnerabilities states what is known against s, as in-toto's vulns v0.2.
func Vulnerabilities(s subject.Subject, scan Scan, m Mark) (Statement, error) {
	if err := m.check(true); err != nil {
		return Statement{}, invalid(TypeVulnerabilities, err)
	}
	if err := blockingAgrees(scan.Findings, m.Verdict); err != nil {
		return Statement{}, invalid(TypeVulnerabilities, err)
	}
	var p vulnerabilities
	p.Scanner.URI, p.Scanner.Version = scan.Scanner, scan.Version
	p.Scanner.DB.URI, p.Scanner.DB.Version, p.Scanner.DB.Updated = withoutUser(scan.Database.Source), scan.Database.Digest, utc(scan.Database.Updated)
	p.Scanner.Result = []vulnerability{}
	p.Metadata.Started, p.Metadata.Finished = utc(scan.Started), utc(scan.Finished)
	p.Hallmark = scanMark{Mark: m.normal(), Packages: scan.Packages, Settings: scan.Settings, Note: scan.Database.Note}
	for _, f := range scan.Findings {
		if f.Kind == kindSecret {
			p.Hallmark.Secrets = append(p.Hallmark.Secrets, exposed{
				Rule: f.ID, Severity: f.Severity, File: f.Place.File, Layer: f.Place.Layer, Blocking: f.Blocking, Waiver: f.Waiver,
			})
			continue
		}
		d := vulnerabilityDetails{Layer: f.Place.Layer, Blocking: f.Blocking, Waiver: f.Waiver}
		if f.Package != nil {
			d.Package, d.Type, d.Installed, d.Fixed, d.Path = f.Package.Name, f.Package.Type, f.Package.Installed, f.Package.Fixed, f.Package.Path
		}
		p.Scanner.Result = append(p.Scanner.Result, vulnerability{
			ID: f.ID, Severity: []score{{Method: severityMethod, Score: string(f.Severity)}}, Annotations: []vulnerabilityDetails{d},
		})
	}
	return build(s, TypeVulnerabilities, p)
}

// The kinds of verdict.Finding that a scan reports.
const (
	kindVulnerability = "vulnerability"
	kindSecret        = "secret"
)

// ParseVulnerabilities reads what Vulnerabilities stated. Findings come back without the texts that the statement
// does not hold: title, message, remedy.
func ParseVulnerabilities(s Statement) (Scan, Mark, error) {
	var p vulnerabilities
	if err := read(s, TypeVulnerabilities, &p); err != nil {
		return Scan{}, Mark{}, err
	}
	if err := p.Hallmark.check(true); err != nil {
		return Scan{}, Mark{}, invalid(TypeVulnerabilities, err)
	}
	scan := Scan{
		Scanner: p.Scanner.URI, Version: p.Scanner.Version, Packages: p.Hallmark.Packages, Settings: p.Hallmark.Settings,
		Database: Database{Source: p.Scanner.DB.URI, Digest: p.Scanner.DB.Version, Updated: p.Scanner.DB.Updated, Note: p.Hallmark.Note},
		Started:  p.Metadata.Started, Finished: p.Metadata.Finished,
	}
	for _, v := range p.Scanner.Result {
		f := verdict.Finding{ID: v.ID, Gate: "scan", Kind: kindVulnerability, Severity: verdict.Unknown}
		for _, sc := range v.Severity {
			if known, err := verdict.ParseSeverity(sc.Score); err == nil && sc.Method == severityMethod {
				f.Severity = known
			}
		}
		if len(v.Annotations) != 1 {
			return Scan{}, Mark{}, invalid(TypeVulnerabilities, fmt.Errorf("the vulnerability %s has %d annotations, not one", clip(v.ID), len(v.Annotations)))
		}
		d := v.Annotations[0]
		f.Blocking, f.Waiver, f.Place.Layer = d.Blocking, d.Waiver, d.Layer
		if d.Package != "" {
			f.Package = &verdict.Package{Name: d.Package, Type: d.Type, Installed: d.Installed, Fixed: d.Fixed, Path: d.Path}
		}
		scan.Findings = append(scan.Findings, f)
	}
	for _, e := range p.Hallmark.Secrets {
		scan.Findings = append(scan.Findings, verdict.Finding{
			ID: e.Rule, Gate: "scan", Kind: kindSecret, Severity: e.Severity, Blocking: e.Blocking, Waiver: e.Waiver,
			Place: verdict.Place{File: e.File, Layer: e.Layer},
		})
	}
	if err := blockingAgrees(scan.Findings, p.Hallmark.Verdict); err != nil {
		return Scan{}, Mark{}, invalid(TypeVulnerabilities, err)
	}
	return scan, p.Hallmark.Mark, nil
}

// blockingAgrees refuses a pass with blocking findings, and a fail without.
func blockingAgrees(findings []verdict.Finding, v verdict.Verdict) error {
	if got := verdict.Of(findings); got != v {
		return fmt.Errorf("its findings amount to %s, but it says %s", got, v)
	}
	return nil
}

// sortedCopy keeps a statement the same whatever order its parts were found in.
func sortedCopy(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}
