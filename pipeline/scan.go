package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// scanned is the verdict of the scanner.
type scanned struct {
	findings []verdict.Finding
	// state is the evidence of it, vulnerabilities and bill of materials; nil where signed evidence stands.
	state func() ([]evidence.Statement, error)
}

// scan matches the candidate's packages with the database and looks for secrets.
func (r *run) scan(ctx context.Context, c candidate, contents func() (*image.Contents, error), standing standing) (found scanned, err error) {
	err = r.book.step(ctx, stepScan, func(ctx context.Context) (outcome, error) {
		database, err := r.database(ctx)
		if err != nil {
			return outcome{}, err
		}
		inputs, err := scanInputs(r.cfg.Scan, database.Info, scan.Method(), time.Now())
		if err != nil {
			return outcome{}, err
		}
		r.book.database(database.Info, r.cfg.Scan.FailOn)
		known, vulnerabilities := standing.find(evidence.KindVulnerabilities, "", inputs)
		bill, billed := standing.find(evidence.KindSBOM, billFormat, bomInputs(scan.Method()))
		if vulnerabilities && billed {
			r.book.reuse(known)
			r.book.reuse(bill)
			r.keepBill(bill.Statement.Predicate)
			before, _, err := evidence.ParseVulnerabilities(known.Statement)
			found.findings = before.Findings
			r.book.findings(found.findings)
			return skip("passed with the same database on %s: %s", day(known.At), known.Summary.Text), err
		}
		all, err := contents()
		if err != nil {
			return outcome{}, err
		}
		started := time.Now()
		result, err := scan.Run(ctx, all, database, r.scanOptions(c.subject.String()))
		if err != nil {
			return outcome{}, err
		}
		c.locate(result.Findings)
		found.findings = result.Findings
		r.book.write(func(rep *report.Report) { rep.Scan.Packages = result.Packages })
		r.book.findings(result.Findings)
		// The check is seldom done by now, and would not miss the processor that this takes.
		found.state = soon(func() ([]evidence.Statement, error) { return r.scanStatements(c.subject, result, inputs, started) })
		if err := blocked(result.Findings); err != nil {
			return outcome{}, stopped{err}
		}
		return did("%s: %s", verdict.Plural(result.Packages, "package"), tally(result.Findings)), nil
	})
	return found, withoutGate(err)
}

// soon does something in the background, and returns what waits for it.
func soon[T any](do func() (T, error)) func() (T, error) {
	once := sync.OnceValues(do)
	go func() { _, _ = once() }()
	return once
}

// database opens the configured vulnerability database.
func (s *surroundings) database(ctx context.Context) (*scan.Database, error) {
	d := s.cfg.Scan.Database
	return scan.OpenDatabase(ctx, s.registry, scan.DatabaseOptions{
		From: d.From, File: d.File, CacheDir: s.home.databases(), MaxAge: time.Duration(d.MaxAge),
	})
}

// scanOptions are the configured ones; name is how outputs call the image.
func (s *surroundings) scanOptions(name string) scan.Options {
	cfg := s.cfg.Scan
	o := scan.Options{
		Name: name, FailOn: cfg.FailOn, FixableOnly: cfg.FixableOnly, Secrets: cfg.Secrets, VEX: cfg.VEX, Version: s.version,
	}
	for _, ignore := range cfg.Ignore {
		o.Ignore = append(o.Ignore, scan.Ignore{
			ID: ignore.ID, Package: ignore.Package, Reason: ignore.Reason, Owner: ignore.Owner, Until: string(ignore.Until),
		})
	}
	return o
}

// billFormat is the format of the bill of materials that every run signs.
const billFormat = "CycloneDX"

func (r *run) scanStatements(s subject.Subject, result *scan.Result, inputs string, started time.Time) ([]evidence.Statement, error) {
	vulnerabilities, err := evidence.Vulnerabilities(s, evidence.Scan{
		Scanner: "pkg:golang/github.com/aquasecurity/trivy@" + scan.Version(), Version: scan.Version(),
		Database: evidence.Database{
			Source: result.Database.Source, Digest: result.Database.Digest, Updated: result.Database.UpdatedAt, Note: result.Database.Note,
		},
		Findings: result.Findings, Packages: result.Packages, Started: started, Finished: time.Now(),
		Settings: &evidence.ScanSettings{FailOn: r.cfg.Scan.FailOn, FixableOnly: r.cfg.Scan.FixableOnly, Secrets: r.cfg.Scan.Secrets},
	}, r.mark(inputs, result.Verdict))
	if err != nil {
		return nil, err
	}
	var document bytes.Buffer
	if err := result.Write(&document, "cyclonedx"); err != nil {
		return nil, fmt.Errorf("writing the bill of materials: %w", err)
	}
	r.keepBill(document.Bytes())
	bill, err := evidence.CycloneDX(s, document.Bytes(), r.mark(bomInputs(scan.Method()), ""))
	return []evidence.Statement{vulnerabilities, bill}, err
}

// keepBill leaves the bill of materials in the run's folder, for whoever wants it as a file. The signed one counts.
func (r *run) keepBill(document []byte) {
	if err := os.WriteFile(r.home.Bill(r.id), document, 0o644); err != nil {
		r.book.note("The bill of materials could not be kept as a file: " + err.Error())
	}
}

func (b *book) database(info scan.DatabaseInfo, failOn verdict.Severity) {
	b.write(func(r *report.Report) {
		r.Scan.FailOn = string(failOn)
		r.Scan.Database = report.Database{
			Source: info.Source, Digest: info.Digest, Updated: info.UpdatedAt, Age: time.Since(info.UpdatedAt), Note: info.Note,
		}
	})
}
