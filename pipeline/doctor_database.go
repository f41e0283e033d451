package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
)

// createdAnnotation is when an artifact was made, in its manifest: https://specs.opencontainers.org/image-spec/annotations/
const createdAnnotation = "org.opencontainers.image.created"

// vulnerabilities looks at the vulnerability database's age, where it can without fetching all of it.
func (d *doctor) vulnerabilities(ctx context.Context) {
	cfg := d.cfg.Scan.Database
	limit := time.Duration(cfg.MaxAge)
	if cfg.File != "" || cfg.From == scan.DemoDatabase {
		found, err := d.database(ctx)
		switch {
		case err != nil:
			d.failed("database", err)
		case found.Info.Demo:
			d.care("database", "Leave scan.database to its default for results that mean something", "%s: %s", found.Info.Source, found.Info.Note)
		default:
			d.aged(found.Info.Source, found.Info.UpdatedAt, limit)
		}
		return
	}
	annotations, err := d.registry.Annotations(ctx, cfg.From)
	if err != nil {
		s := symptom("database", err)
		s.Remedy = strings.TrimPrefix(s.Remedy+"; without a way to it, name a copy of it in scan.database.from, or a file in scan.database.file", "; ")
		d.found.Add(s)
		return
	}
	made, err := time.Parse(time.RFC3339, annotations[createdAnnotation])
	if err != nil {
		d.well("database", "%s is there; its registry does not say how old it is, the scan will", cfg.From)
		return
	}
	d.aged(cfg.From, made, limit)
}

func (d *doctor) aged(source string, made time.Time, limit time.Duration) {
	age := time.Since(made)
	text := fmt.Sprintf("%s, of %s", source, strings.TrimSuffix(made.UTC().Format("2006-01-02 15:04"), " 00:00"))
	if limit > 0 && age > limit {
		d.found.Add(report.Symptom{
			What: "database", Health: report.Unknown, Detail: text + fmt.Sprintf(", which is older than scan.database.max_age allows (%s)", limit),
			Remedy: "Fetch a newer one, or allow more in scan.database.max_age",
		})
		return
	}
	d.well("database", "%s", text)
}
