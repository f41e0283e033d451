package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// reportKinds are the renderings of a run that --report writes. dockerfile is the Dockerfile's path in the project.
var reportKinds = map[string]func(w io.Writer, r report.Report, dockerfile string) error{
	"html":                      func(w io.Writer, r report.Report, _ string) error { return report.HTML(w, r) },
	"json":                      func(w io.Writer, r report.Report, _ string) error { return report.JSON(w, r) },
	"markdown":                  func(w io.Writer, r report.Report, _ string) error { return report.Summary(w, r) },
	"junit":                     func(w io.Writer, r report.Report, _ string) error { return report.JUnit(w, r) },
	"dotenv":                    func(w io.Writer, r report.Report, _ string) error { return report.Dotenv(w, r) },
	"gitlab-container-scanning": func(w io.Writer, r report.Report, _ string) error { return report.GitLabContainerScanning(w, r) },
	"gitlab-codequality":        report.GitLabCodeQuality,
	"sarif":                     report.SARIF,
	"cyclonedx":                 nil, // a file that the run has made: see writeReport
}

// reportFile is one report that somebody asked for.
type reportFile struct{ kind, path string }

// reportFiles reads KIND=FILE words.
func reportFiles(words []string) ([]reportFile, error) {
	var files []reportFile
	for _, word := range words {
		kind, path, found := strings.Cut(word, "=")
		if _, known := reportKinds[kind]; !known || !found || path == "" {
			return nil, fmt.Errorf("%w: --report %q is not KIND=FILE with one of the kinds %s", verdict.ErrUsage, word, strings.Join(slices.Sorted(maps.Keys(reportKinds)), ", "))
		}
		files = append(files, reportFile{kind, path})
	}
	return files, nil
}

// withConfigured are the reports that were asked for by hand, and those that the configuration asks for of other kinds.
func withConfigured(asked []reportFile, cfg *config.Config) []reportFile {
	files := slices.Clone(asked)
	for _, kind := range config.ReportKinds() {
		if path := cfg.Reports.File(kind); path != "" && !slices.ContainsFunc(asked, func(f reportFile) bool { return f.kind == kind }) {
			files = append(files, reportFile{kind, path})
		}
	}
	return files
}

// errNoBill says that a run has no bill of materials: it ended before its scan was through.
var errNoBill = errors.New("nothing was scanned, so there is no bill of materials")

// writeReport writes one report, and the folders above it. bill is where the run left its bill of materials.
func writeReport(file reportFile, rep report.Report, dockerfile, bill string) error {
	var text bytes.Buffer
	if file.kind == "cyclonedx" {
		body, err := os.ReadFile(bill)
		if errors.Is(err, os.ErrNotExist) {
			return errNoBill
		}
		if err != nil {
			return err
		}
		text.Write(body)
	} else if err := reportKinds[file.kind](&text, rep, dockerfile); err != nil {
		return fmt.Errorf("drawing the report %s: %w", file.kind, err)
	}
	if err := os.MkdirAll(filepath.Dir(file.path), 0o755); err != nil {
		return fmt.Errorf("%w: making the folder of the report %s: %w", verdict.ErrUsage, file.kind, err)
	}
	if err := putWhole(os.WriteFile, file.path, []byte(secret.Redact(text.String()))); err != nil {
		return fmt.Errorf("%w: writing the report %s: %w", verdict.ErrUsage, file.kind, err)
	}
	return nil
}

// putWhole writes a file with write, or leaves none: a report that ends in the middle, on a full disk, would be read by
// others as one that says little. What is no regular file, such as a pipe, stays.
func putWhole(write func(string, []byte, os.FileMode) error, path string, body []byte) error {
	err := write(path, body, 0o644)
	if err == nil {
		return nil
	}
	if info, statErr := os.Lstat(path); statErr == nil && info.Mode().IsRegular() && info.Size() != int64(len(body)) {
		return errors.Join(err, os.Remove(path))
	}
	return err
}
