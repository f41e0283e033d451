package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// needs are the steps that each step of a run cannot do without.
var needs = map[string][]string{
	stepBuild:   nil,
	stepCheck:   {stepBuild},
	stepScan:    {stepBuild},
	stepUpload:  {stepBuild},
	stepStage:   {stepBuild, stepCheck, stepScan, stepUpload},
	stepLaunch:  {stepStage},
	stepPromote: {stepStage, stepLaunch},
}

// Skipping says which steps a run leaves out that shall do only some, and none of others: what Options.Skip takes. Steps
// that the named ones need are done too; with a step that is left out, those go that need it. Only a launch may be missing
// where golden tags move, and then the promotion policy asks for an earlier one.
func Skipping(only, skip []string) (map[string]string, error) {
	left := map[string]string{}
	for _, name := range slices.Concat(only, skip) {
		if _, known := needs[name]; !known {
			names := slices.DeleteFunc(slices.Clone(sentence), func(s string) bool { return s == stepRead })
			return nil, fmt.Errorf("%w: a run has no step %q: name some of %s", verdict.ErrUsage, name, strings.Join(names, ", "))
		}
	}
	if len(only) > 0 {
		wanted := map[string]bool{}
		var want func(string)
		want = func(step string) {
			wanted[step] = true
			for _, needed := range needs[step] {
				want(needed)
			}
		}
		for _, step := range only {
			want(step)
		}
		for step := range needs {
			if !wanted[step] {
				left[step] = "this run was to do only " + strings.Join(only, ", ")
			}
		}
	}
	for _, step := range skip {
		if slices.Contains(only, step) {
			return nil, fmt.Errorf("%w: the step %s is asked for and left out", verdict.ErrUsage, step)
		}
		left[step] = "this run was to leave it out"
	}
	if left[stepBuild] != "" {
		return nil, fmt.Errorf("%w: a run begins with its build, which cannot be left out; check, scan, verify and promote take an image that is there", verdict.ErrUsage)
	}
	return withFollowers(left), nil
}

// GatesOnly is what a run leaves out that may neither sign nor push, for the given reason.
func GatesOnly(reason string) map[string]string {
	return withFollowers(map[string]string{stepUpload: reason, stepStage: reason})
}

// withFollowers leaves out also what cannot be done without what is left out. Golden tags may move without a launch in the
// same run: the policy judges the evidence.
func withFollowers(left map[string]string) map[string]string {
	left = maps.Clone(left)
	for _, step := range sentence {
		for _, needed := range needs[step] {
			if reason := left[needed]; reason != "" && left[step] == "" && (step != stepPromote || needed != stepLaunch) {
				left[step] = reason
			}
		}
	}
	return left
}

// signs says whether the run signs and pushes: else it needs no key, and asks its registry for nothing.
func (r *run) signs() bool { return r.book.skips[stepStage] == "" }
