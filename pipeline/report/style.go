package report

import "github.com/hallmark-ci/hallmark/pipeline/verdict"

// paint is a colour of the terminal's own palette, so that it stays readable on any background.
type paint string

const (
	bold   paint = "1"
	dim    paint = "2"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
	cyan   paint = "36"
)

// painter colours text, or leaves it.
type painter bool

func (p painter) paint(text string, paints ...paint) string {
	if !p || text == "" {
		return text
	}
	codes := ""
	for i, one := range paints {
		if i > 0 {
			codes += ";"
		}
		codes += string(one)
	}
	return "\x1b[" + codes + "m" + text + "\x1b[0m"
}

// Sign is the mark in front of a step.
func (s Step) Sign() string {
	switch {
	case s.State == Done && s.Verdict != verdict.Inconclusive && s.Verdict != verdict.Fail:
		return "✓"
	case s.State == Skipped:
		return "–"
	case s.State == NotReached:
		return "·"
	case s.Verdict == verdict.Inconclusive:
		return "?"
	default:
		return "✗"
	}
}

func signPaint(sign string) paint {
	switch sign {
	case "✓":
		return green
	case "?":
		return yellow
	case "✗":
		return red
	default:
		return dim
	}
}

// loud is a verdict as the last line of a run shows it.
func loud(v verdict.Verdict, exitCode int) string {
	switch {
	case exitCode == verdict.ExitUsage:
		return "USAGE"
	case exitCode == verdict.ExitConflict:
		return "CONFLICT"
	case exitCode == verdict.ExitInterrupted:
		return "INTERRUPTED"
	case v == verdict.Pass:
		return "PASS"
	case v == verdict.Fail:
		return "FAIL"
	default:
		return "INCONCLUSIVE"
	}
}

// shown is the verdict that a run's colours and signs stand for: it is a pass only where the program ended with one.
func shown(v verdict.Verdict, exitCode int) verdict.Verdict {
	if v == verdict.Fail || v == verdict.Pass && exitCode == verdict.ExitPass {
		return v
	}
	return verdict.Inconclusive
}

var verdictPaints = map[verdict.Verdict]paint{verdict.Fail: red, verdict.Pass: green, verdict.Inconclusive: yellow}

func severityPaint(s verdict.Severity) paint {
	switch s {
	case verdict.Critical, verdict.High:
		return red
	case verdict.Medium:
		return yellow
	default:
		return dim
	}
}
