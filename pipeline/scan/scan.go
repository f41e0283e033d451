// Package scan matches what an image holds against a vulnerability database and looks for secrets in its layers.
//
// It uses trivy's parsers, detectors and writers as a library. Trivy's types end here: what leaves this package is
// verdict.Finding and bytes in a documented format. It reads no layer itself (the image room walks each layer once
// and keeps what the analyzers say of a file) and knows nothing of builds, signatures or promotions.
package scan

import (
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Options says what fails the gate and what is excused.
type Options struct {
	// Name is how the outputs call the image: a reference or a path. It has no influence on findings.
	Name string
	// Repository is where the image will be or is, host/path; outputs and VEX documents name the image by it.
	Repository string
	// FailOn is the lowest severity that fails the gate; empty never fails on a vulnerability.
	FailOn verdict.Severity
	// FixableOnly lets a vulnerability without a released fix pass whatever its severity.
	FixableOnly bool
	// Secrets says whether secrets are looked for; one that is found fails the gate if it is at least FailOn.
	Secrets bool
	// Ignore lists the exceptions; an expired one no longer excuses and is named in the finding.
	Ignore []Ignore
	// VEX lists OpenVEX documents (paths of JSON files) whose not_affected and fixed statements excuse.
	VEX []string
	// Now is the clock for expiry dates; nil is time.Now.
	Now func() time.Time
	// Version is the program's version, for the outputs' tool fields.
	Version string
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}
