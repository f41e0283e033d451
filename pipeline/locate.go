package pipeline

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// locate adds the Dockerfile's line to findings whose layer the Dockerfile made, and to those about the image's settings that
// name what one of its instructions set.
func (c candidate) locate(findings []verdict.Finding) {
	lines := map[string]int{}
	for _, step := range c.made.Steps {
		if step.Layer != "" {
			lines[step.Layer] = step.Line
		}
	}
	for i := range findings {
		f := &findings[i]
		if f.Place.Dockerfile != "" {
			continue
		}
		line := lines[f.Place.Layer]
		if f.Place.Layer == "" && f.Place.File == "" && f.Gate == "check" {
			line = settingLine(c.made.Steps, f.Message)
		}
		if line > 0 {
			f.Place.Dockerfile = fmt.Sprintf("%s:%d", filepath.Base(c.made.Dockerfile), line)
		}
	}
}

// assigned are the names that an ENV or ARG gives values to: NAME=VALUE pairs, or the first word.
var assigned = regexp.MustCompile(`(?:^|\s)([A-Za-z_][A-Za-z0-9_]*)(?:=|\s|$)`)

// settingLine is the line of the last instruction that set what a message speaks of; 0: none did.
func settingLine(steps []build.Step, message string) int {
	for _, step := range slices.Backward(steps) {
		keyword, rest, _ := strings.Cut(step.Instruction, " ")
		var said []string // any of them means this instruction
		switch strings.ToUpper(keyword) {
		case "ENV", "ARG":
			for _, name := range assigned.FindAllStringSubmatch(rest, -1) {
				if len(name[1]) > 2 {
					said = append(said, name[1])
				}
				if !strings.Contains(rest, "=") {
					break // ENV NAME VALUE
				}
			}
		case "USER":
			said = []string{"USER " + strings.TrimSpace(rest)}
		case "EXPOSE":
			for _, port := range strings.Fields(rest) {
				number, _, _ := strings.Cut(port, "/")
				said = append(said, "port "+number)
			}
		case "VOLUME":
			for _, volume := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(`[]", `, r) }) {
				said = append(said, "volume "+volume)
			}
		}
		for _, words := range said {
			if regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(words) + `(\W|$)`).MatchString(message) {
				return step.Line
			}
		}
	}
	return 0
}
