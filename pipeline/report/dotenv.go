package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Output is one result of a run that later steps of a pipeline use.
type Output struct{ Name, Value string }

// Outputs are a run's results for later steps: verdict, digest, staged, golden, promoted, summary, cluster-ids. Those that
// hold several values have one on each line.
func (r Report) Outputs() []Output {
	var golden, clusters []string
	promoted := "false"
	for _, g := range r.Golden {
		if g.Move == Moved || g.Move == Already {
			golden = append(golden, g.Ref)
		}
	}
	if len(golden) > 0 && len(golden) == len(r.Golden) {
		promoted = "true"
	}
	for _, l := range r.Launches {
		if l.ID != "" {
			clusters = append(clusters, l.ID)
		}
	}
	return []Output{
		{"verdict", ending(r)},
		{"digest", r.Subject.Digest},
		{"staged", r.StagingTag},
		{"golden", strings.Join(golden, "\n")},
		{"promoted", promoted},
		{"summary", r.Headline},
		{"cluster-ids", strings.Join(clusters, "\n")},
	}
}

// ending is the verdict, or what else ended the run: a mistake in what it was given, an interruption, a golden tag that
// somebody else moved. None of them is the image's surroundings, which might be better the next time.
func ending(r Report) string {
	switch r.ExitCode {
	case verdict.ExitUsage:
		return "usage"
	case verdict.ExitConflict:
		return "conflict"
	case verdict.ExitInterrupted:
		return "interrupted"
	}
	return string(r.Verdict)
}

// Dotenv writes the outputs as variables that GitLab hands to later jobs, and shells can read: HALLMARK_DIGEST=…. Values stand
// on one line; of what a shell or GitLab could take for more than text nothing is left.
func Dotenv(w io.Writer, r Report) error {
	r = redacted(r)
	for _, o := range r.Outputs() {
		name := "HALLMARK_" + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
		value := strings.Map(func(c rune) rune {
			if strings.ContainsRune("\"'`$\\\n\r;&|<>(){}*?!#~", c) {
				return -1
			}
			return c
		}, strings.Join(foreign.Lines(o.Value), ","))
		if strings.ContainsAny(value, " \t") {
			value = `"` + value + `"`
		}
		if _, err := fmt.Fprintf(w, "%s=%s\n", name, value); err != nil {
			return err
		}
	}
	return nil
}
