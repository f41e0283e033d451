package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// teller says how a run went in the words of the CI system that it runs on.
type teller struct {
	says      ci.Speaker
	workspace string
	elsewhere bool // the image was not built from the project
	shown     map[ci.Level]int
}

// annotate shows one thing, and counts: beyond what systems take, the caller says what is missing.
func (t *teller) annotate(n ci.Annotation) {
	if t.shown == nil {
		t.shown = map[ci.Level]int{}
	}
	t.shown[n.Level]++
	t.says.Annotate(n)
}

func (t *teller) note(text string) {
	t.annotate(ci.Annotation{Level: ci.Notice, Title: "Hallmark", Message: text})
}

// state keeps a value for the post step, on systems that have one.
func (t *teller) state(name, value string) {
	if keeper, ok := t.says.(interface{ SaveState(name, value string) }); ok {
		keeper.SaveState(name, value)
	}
}

// findings shows each finding where somebody can mend it: errors are those that stop the image, warnings the grave ones
// that do not.
func (t *teller) findings(rep *report.Report, cfg *config.Config) {
	sorted := slices.Clone(rep.Findings)
	verdict.Sort(sorted)
	var stops, grave []verdict.Finding
	for _, f := range sorted {
		switch {
		case f.Blocking:
			stops = append(stops, f)
		case f.Waiver == nil && f.Severity.AtLeast(verdict.High):
			grave = append(grave, f)
		}
	}
	t.level(ci.Error, stops, cfg)
	t.level(ci.Warning, grave, cfg)
}

// level shows as many of the findings as the system takes, and keeps one place for the run itself.
func (t *teller) level(level ci.Level, findings []verdict.Finding, cfg *config.Config) {
	const most = ci.Most - 2 // one for the sentence on the rest, one for the run's own end
	for i, f := range findings {
		if i == most {
			t.annotate(ci.Annotation{Level: level, Title: "Hallmark", Message: fmt.Sprintf("…and %s more: see the summary and the report", verdict.Plural(len(findings)-i, "finding"))})
			return
		}
		file, line := t.place(f, cfg)
		title := f.ID + " (" + string(f.Severity) + ")"
		message := cmp.Or(f.Message, f.Title)
		if f.Package != nil {
			title += " in " + f.Package.Name + " " + f.Package.Installed
		}
		if f.Place.File != "" {
			message += "\nIn the image: " + f.Place.File
		}
		if f.Remedy != "" {
			message += "\nRemedy: " + f.Remedy
		}
		if f.Source != "" {
			message += "\n" + f.Source
		}
		t.annotate(ci.Annotation{Level: level, Title: title, Message: message, File: file, Line: line})
	}
}

// place is the line of the project that a finding comes from: the waiver that has expired, the launch that was asked for,
// or the instruction that made the layer.
func (t *teller) place(f verdict.Finding, cfg *config.Config) (file string, line int) {
	if f.Waiver != nil && f.Blocking {
		for i, w := range cfg.Check.Waivers {
			if w.Rule == f.Waiver.Rule && string(w.Until) == f.Waiver.Until {
				return t.configured(cfg, fmt.Sprintf("check.waivers[%d].until", i))
			}
		}
		for i, ignored := range cfg.Scan.Ignore {
			if ignored.ID == f.ID && string(ignored.Until) == f.Waiver.Until {
				return t.configured(cfg, fmt.Sprintf("scan.ignore[%d].until", i))
			}
		}
	}
	if f.Gate == "launch" {
		return t.configured(cfg, cmp.Or(f.Place.Setting, "launch"))
	}
	if t.elsewhere {
		return "", 0
	}
	if _, line, known := f.Place.InProject(); known {
		return relative(t.workspace, dockerfile(cfg)), line
	}
	if f.Gate == "check" || f.Gate == "scan" {
		return relative(t.workspace, dockerfile(cfg)), 1
	}
	return "", 0
}

func (t *teller) configured(cfg *config.Config, path string) (string, int) {
	if cfg.File == "" {
		return "", 0
	}
	return relative(t.workspace, cfg.File), cfg.Line(path)
}

func dockerfile(cfg *config.Config) string {
	if filepath.IsAbs(cfg.Build.Dockerfile) {
		return cfg.Build.Dockerfile
	}
	return filepath.Join(cfg.Build.Context, cfg.Build.Dockerfile)
}

// failure tells of what kept the verb from beginning: mistakes of the configuration at their lines.
func (t *teller) failure(err error, code int) {
	title := "Hallmark: " + ending(code)
	problems := (*config.Problems)(nil)
	if !errors.As(err, &problems) {
		t.annotate(ci.Annotation{Level: ci.Error, Title: title, Message: verdict.Plain(err)})
		return
	}
	for i, p := range problems.List {
		if i == ci.Most-1 {
			t.annotate(ci.Annotation{Level: ci.Error, Title: title, Message: fmt.Sprintf("…and %d more", len(problems.List)-i+problems.More)})
			return
		}
		message := p.Message
		if p.Field != "" {
			message = p.Field + ": " + message
		}
		if p.Hint != "" {
			message += "\n" + p.Hint
		}
		n := ci.Annotation{Level: ci.Error, Title: title, Message: message}
		if p.Line > 0 {
			n.File, n.Line, n.Column = relative(t.workspace, p.Source), p.Line, p.Column
		} else {
			n.Message = p.Source + ": " + message
		}
		t.annotate(n)
	}
}

// ending is an exit code in words.
func ending(code int) string {
	words := map[int]string{
		verdict.ExitPass: "pass", verdict.ExitFail: "fail", verdict.ExitUsage: "usage", verdict.ExitInconclusive: "inconclusive",
		verdict.ExitConflict: "conflict", verdict.ExitInterrupted: "interrupted",
	}
	return cmp.Or(words[code], "fail")
}

// end shows how the run ended, where that is no pass: at the launch that came to no verdict, if one did.
func (t *teller) end(rep *report.Report, cfg *config.Config) {
	if rep.ExitCode == verdict.ExitPass {
		return
	}
	n := ci.Annotation{Level: ci.Error, Title: "Hallmark: " + ending(rep.ExitCode), Message: rep.Headline}
	for _, l := range rep.Launches {
		at := slices.IndexFunc(cfg.Launch, func(c config.Launch) bool { return string(c.Target) == l.Target && string(c.Profile) == l.Profile })
		if l.Verdict == verdict.Inconclusive && at >= 0 {
			n.File, n.Line = t.configured(cfg, fmt.Sprintf("launch[%d]", at))
		}
	}
	if rep.Next != "" {
		n.Message += "\n" + rep.Next
	}
	t.annotate(n)
}

// stepLine finds the line of the Dockerfile in what a build that failed says.
var stepLine = regexp.MustCompile(`(?:^|[\s/])([^\s/:]+):(\d+): `)

// broken shows the instruction that a build failed at.
func (t *teller) broken(rep *report.Report, cfg *config.Config) {
	for _, s := range rep.Steps {
		if s.Name != "build" || s.State != report.Failed {
			continue
		}
		found := stepLine.FindStringSubmatch(s.Reason)
		if found == nil || found[1] != filepath.Base(dockerfile(cfg)) {
			continue
		}
		line, err := strconv.Atoi(found[2])
		if err != nil {
			continue
		}
		message := s.Reason
		if s.Output != "" {
			message += "\n" + s.Output
		}
		t.annotate(ci.Annotation{Level: ci.Error, Title: "Hallmark: build", Message: message, File: relative(t.workspace, dockerfile(cfg)), Line: line})
	}
}

func (t *teller) summary(rep *report.Report) {
	var text bytes.Buffer
	if err := report.Summary(&text, *rep); err != nil {
		t.note(err.Error())
		return
	}
	t.says.Summary(text.String())
}

// outputs hands the results to later steps, those of a step too that never began.
func (s *step) outputs(rep *report.Report, code int, err error) {
	values := map[string]string{}
	if rep == nil {
		rep = &report.Report{ExitCode: code}
		if err != nil {
			rep.Headline = foreign.Short(verdict.Plain(err), 500)
		}
		rep.Verdict = verdict.Inconclusive
	}
	for _, o := range rep.Outputs() {
		values[o.Name] = o.Value
	}
	for name := range fileOutputs {
		values[name] = s.written[name]
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		s.says.Output(name, values[name])
	}
}
