package starter

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

//go:embed templates
var templates embed.FS

// jobs are the files of each system: the one that it reads by itself, and the name that is taken where that one is there
// already, with what people do then.
var jobs = map[ci.System]struct{ template, own, other, note string }{
	ci.GitHub:     {"github.yml", ".github/workflows/hallmark.yml", ".github/workflows/hallmark.yml", ""},
	ci.GitLab:     {"gitlab.yml", ".gitlab-ci.yml", ".gitlab/hallmark.yml", "add to .gitlab-ci.yml: include: [{local: .gitlab/hallmark.yml}]"},
	ci.Azure:      {"azure-pipelines.yml", "azure-pipelines.yml", "azure-pipelines.hallmark.yml", "make a pipeline from it, or move its job into the one that is there"},
	ci.Jenkins:    {"Jenkinsfile", "Jenkinsfile", "Jenkinsfile.hallmark", "make a job from it, or move its stage into the Jenkinsfile that is there"},
	ci.CircleCI:   {"circleci.yml", ".circleci/config.yml", ".circleci/hallmark.yml", "move its job into .circleci/config.yml"},
	ci.Buildkite:  {"buildkite.yml", ".buildkite/pipeline.yml", ".buildkite/hallmark.yml", "upload it with a step of the pipeline that is there: buildkite-agent pipeline upload .buildkite/hallmark.yml"},
	ci.Bitbucket:  {"bitbucket-pipelines.yml", "bitbucket-pipelines.yml", "bitbucket-pipelines.hallmark.yml", "move its step into bitbucket-pipelines.yml"},
	ci.Drone:      {"drone.yml", ".drone.yml", ".drone.hallmark.yml", "append it to .drone.yml, behind a line with ---"},
	ci.Woodpecker: {"woodpecker.yml", ".woodpecker/hallmark.yaml", ".woodpecker/hallmark.yaml", ""},
	ci.Tekton:     {"tekton.yaml", ".tekton/hallmark.yaml", ".tekton/hallmark.yaml", "apply it: kubectl apply -f .tekton/hallmark.yaml"},
	ci.TeamCity:   {"teamcity.kts", ".teamcity/settings.kts", ".teamcity/hallmark.kts", "move its build type into .teamcity/settings.kts"},
}

// released are the versions of releases; one of a build between them, v1.2.3-4-gabc, is none.
var released = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)[0-9.]*)?)$`)

// workflow is the CI system's job; none where the system is unknown.
func workflow(s Survey, version string) (File, error) {
	job, known := jobs[s.System]
	if !known {
		return File{}, nil
	}
	body, err := templates.ReadFile("templates/" + job.template)
	if err != nil {
		return File{}, err
	}
	parsed, err := template.New(job.template).Delims("<<", ">>").Option("missingkey=error").Parse(string(body))
	if err != nil {
		return File{}, err
	}
	fill := "fill in HALLMARK_VERSION and HALLMARK_SHA256: the page of the release has both"
	values := struct{ Image, Host, Branch, Folder, Version, Ref, Pin, Tag string }{
		Image: s.Registry, Host: strings.Split(s.Registry, "/")[0], Branch: s.Branch, Folder: ".", Version: "VERSION", Ref: "main", Tag: "latest",
		Pin: "the head of its development, compiled in each run: name a release by its SHA",
	}
	if found := released.FindStringSubmatch(version); found != nil {
		// A program cannot know the commit of its release, which holds the program's own checksum.
		values.Version, values.Ref, values.Tag = found[1], "v"+found[1], "v"+found[1]
		values.Pin = "the release's page has its SHA, which fixes every byte that runs"
		fill = "fill in HALLMARK_SHA256: the page of the release has it"
	}
	var text strings.Builder
	if err := parsed.Execute(&text, values); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", job.template, err)
	}
	f := File{Path: job.own, Body: text.String()}
	// The system's own file is there for something else: then the job gets a file beside it.
	if existing := s.own[s.System]; existing == job.own || s.exists(job.own) {
		f.Path, f.Note = job.other, job.note
	} else if s.System == ci.GitLab && existing != "" {
		f.Note = job.note
	}
	if strings.Contains(f.Body, `HALLMARK_SHA256: ""`) {
		f.Note = strings.TrimPrefix(f.Note+"; "+fill, "; ")
	}
	return f, nil
}

// For returns the survey with another CI system, by name.
func (s Survey) For(name string) (Survey, error) {
	for _, system := range append([]ci.System{ci.None}, ci.Systems...) {
		if string(system) != name && !(system == ci.None && name == "none") {
			continue
		}
		found := slices.Index(s.Findings, s.destination())
		s.System = system
		if found >= 0 { // it depends on the system
			s.Findings = slices.Clone(s.Findings)
			s.Findings[found] = s.destination()
		}
		return s, nil
	}
	names := []string{"none"}
	for _, system := range ci.Systems {
		names = append(names, string(system))
	}
	return s, fmt.Errorf("%w: there is no CI system %q: name one of %s", verdict.ErrUsage, name, strings.Join(names, ", "))
}

// folder is where the Dockerfile stands.
func (s Survey) folder() string {
	if s.Dockerfile == "" {
		return "."
	}
	return path.Dir(s.Dockerfile)
}
