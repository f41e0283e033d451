package main

import (
	"cmp"
	"errors"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// fileOutputs are the outputs that name a report, with the report's kind and the name that it has by itself.
var fileOutputs = map[string]struct{ kind, name string }{
	"report": {"html", "report.html"},
	"sarif":  {"sarif", "report.sarif"},
	"sbom":   {"cyclonedx", "sbom.cdx.json"},
}

// files writes the reports where the inputs or the configuration want them, and those that outputs name otherwise into
// the runner's folder for what does not outlive the job, where the steps after this one may read them whoever they run as.
func (s *step) files(rep *report.Report) {
	s.written = map[string]string{}
	for output, made := range fileOutputs {
		if made.kind == "sarif" && rep.Unfinished() != "" {
			continue // code scanning would close the alerts of everything that was not looked at
		}
		path := cmp.Or(s.in.files[made.kind], s.cfg.Reports.File(made.kind))
		if path == "" {
			path = filepath.Join(s.ownFolder(), made.name)
		}
		if full, err := filepath.Abs(path); err == nil {
			path = full
		}
		if output == "report" {
			rep.Path = path
		}
		if s.write(reportFile{made.kind, path}, rep) {
			s.written[output] = path
		}
	}
	if rep.Path != s.written["report"] {
		rep.Path = ""
	}
	for _, kind := range config.ReportKinds() {
		path := cmp.Or(s.in.files[kind], s.cfg.Reports.File(kind))
		if path != "" && !isOutput(kind) {
			s.write(reportFile{kind, path}, rep)
		}
	}
}

// isOutput says whether an output names the report, which is written with or without a path of its own.
func isOutput(kind string) bool {
	for _, made := range fileOutputs {
		if made.kind == kind {
			return true
		}
	}
	return false
}

func (s *step) write(file reportFile, rep *report.Report) bool {
	made := missing(file.path)
	err := writeReport(file, *rep, relative(s.facts.Workspace, dockerfile(s.cfg)), s.options.Home.Bill(s.options.RunID))
	if err != nil && !errors.Is(err, errNoBill) {
		s.told.note("A report is missing: " + verdict.Plain(err))
	}
	if given := ownerOf(s.env).give(append(made, file.path)...); given != nil {
		s.told.note("A report is root's: " + verdict.Plain(given))
	}
	return err == nil
}

// ownFolder is where this step's reports lie that nobody asked for at another place.
func (s *step) ownFolder() string {
	if temp := s.env("RUNNER_TEMP"); temp != "" {
		return filepath.Join(temp, "hallmark", s.options.RunID)
	}
	return s.options.Home.Run(s.options.RunID)
}
