package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// fileOutputs are the outputs that name a report, with the report's kind and the name that it has by itself.
var fileOutputs = map[string]struct{ kind, name string }{
	"report": {"html", "report.html"},
	"sarif":  {"sarif", "report.sarif"},
	"sbom":   {"cyclonedx", "sbom.cdx.json"},
}

// files writes the reports where the inputs want them, and otherwise into the runner's folder for what does not outlive the
// job, where the steps after this one may read them whoever they run as.
func (s *step) files(rep *report.Report) {
	s.written = map[string]string{}
	for output, made := range fileOutputs {
		if made.kind == "sarif" && (s.in.command == "build" || s.in.command == "verify" || s.in.command == "promote") {
			continue // nothing has looked for findings
		}
		path := s.in.files[made.kind]
		if path == "" {
			path = filepath.Join(s.ownFolder(), made.name)
		}
		path, err := filepath.Abs(path)
		if output == "report" {
			rep.Path = path
		}
		if err == nil {
			err = s.file(path, made.kind, rep)
		}
		switch {
		case os.IsNotExist(err) && made.kind == "cyclonedx": // nothing was scanned
		case err != nil:
			s.told.note("The " + output + " could not be written: " + err.Error())
		default:
			s.written[output] = path
		}
	}
	if rep.Path != s.written["report"] {
		rep.Path = ""
	}
}

// ownFolder is where this step's reports lie that nobody asked for at another place.
func (s *step) ownFolder() string {
	if temp := s.env("RUNNER_TEMP"); temp != "" {
		return filepath.Join(temp, "hallmark", s.options.RunID)
	}
	return s.options.Home.Run(s.options.RunID)
}

func (s *step) file(path, kind string, rep *report.Report) error {
	var text bytes.Buffer
	switch kind {
	case "cyclonedx":
		file, err := os.Open(s.options.Home.Bill(s.options.RunID))
		if err != nil {
			return err
		}
		_, err = io.Copy(&text, file)
		if err := file.Close(); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	case "html":
		if err := report.HTML(&text, *rep); err != nil {
			return err
		}
	case "sarif":
		if err := report.SARIF(&text, *rep, relative(s.facts.Workspace, dockerfile(s.cfg))); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the report's folder: %w", err)
	}
	return os.WriteFile(path, []byte(secret.Redact(text.String())), 0o644)
}
