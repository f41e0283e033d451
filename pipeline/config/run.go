package config

import (
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"strings"
)

// Step is a step of a run.
type Step string

// Steps says which steps a run takes.
type Steps struct {
	Only []Step `yaml:"only" doc:"Only these steps, and what they need. Empty: all."`
	Skip []Step `yaml:"skip" doc:"All but these steps, and what needs them. [launch, promote] ends at the staging tag." example:"[promote]"`
}

// Reports names files for the renderings of a run, and says what a CI system is shown of it.
type Reports struct {
	HTML                    string `yaml:"html" format:"path" doc:"The page that needs nothing else." example:"out/report.html"`
	Markdown                string `yaml:"markdown" format:"path" doc:"The summary." example:"out/report.md"`
	JSON                    string `yaml:"json" format:"path" doc:"All data of the run." example:"out/report.json"`
	SARIF                   string `yaml:"sarif" format:"path" doc:"The findings for code scanning." example:"out/findings.sarif"`
	JUnit                   string `yaml:"junit" format:"path" doc:"Steps, findings and probes as test results." example:"out/junit.xml"`
	CycloneDX               string `yaml:"cyclonedx" format:"path" doc:"The bill of materials." example:"out/sbom.cdx.json"`
	Dotenv                  string `yaml:"dotenv" format:"path" doc:"The results as variables." example:"out/hallmark.env"`
	GitLabCodeQuality       string `yaml:"gitlab_codequality" format:"path" doc:"Findings of rules and secrets for GitLab's merge requests." example:"gl-code-quality-report.json"`
	GitLabContainerScanning string `yaml:"gitlab_container_scanning" format:"path" doc:"Vulnerabilities for GitLab." example:"gl-container-scanning-report.json"`
	Annotations             bool   `yaml:"annotations" doc:"Whether a CI system shows findings at the line of the Dockerfile or of hallmark.yaml that they come from, where it can. How a run that did not pass ended is shown without, too."`
	Summary                 bool   `yaml:"summary" doc:"Whether a CI system's page of the run gets the verdict and what it rests on, where it has one."`
}

// files are the places of the files, by the kinds of reports as --report names them: the names of the fields with hyphens.
func (r *Reports) files() iter.Seq2[string, *string] {
	return func(yield func(string, *string) bool) {
		for f, value := range reflect.ValueOf(r).Elem().Fields() {
			if file, is := value.Addr().Interface().(*string); is && !yield(strings.ReplaceAll(f.Tag.Get("yaml"), "_", "-"), file) {
				return
			}
		}
	}
}

// ReportKinds are the kinds of reports, as --report names them.
func ReportKinds() []string {
	var kinds []string
	for kind := range new(Reports).files() {
		kinds = append(kinds, kind)
	}
	return kinds
}

// NoFiles leaves no file to be written; what a CI system is shown stays as it was.
func (r *Reports) NoFiles() {
	for _, file := range r.files() {
		*file = ""
	}
}

// File is the file for a kind of report; empty where none is asked for.
func (r *Reports) File(kind string) string {
	if file := r.file(kind); file != nil {
		return *file
	}
	return ""
}

func (r *Reports) file(kind string) *string {
	for name, file := range r.files() {
		if name == kind {
			return file
		}
	}
	return nil
}

// validateReports refuses two reports in one file.
func (d *decoder) validateReports(c *Config) {
	by := map[string]string{}
	for _, kind := range ReportKinds() {
		file := c.Reports.File(kind)
		if file == "" {
			continue
		}
		file = filepath.Clean(file)
		if other := by[file]; other != "" {
			d.refuse("reports."+strings.ReplaceAll(kind, "-", "_"), fmt.Sprintf("%s is the file of %s, too", file, other), "give each report a file of its own")
		}
		by[file] = kind
	}
}
