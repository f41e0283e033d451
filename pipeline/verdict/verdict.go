// Package verdict holds the words in which every gate of Hallmark speaks: the three-valued verdict, severities,
// findings, waivers, and the error that carries a verdict.
//
// It knows no room; every room may import it.
package verdict

// Verdict is the outcome of a gate. The zero value is no verdict yet.
type Verdict string

const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"         // the image is at fault
	Inconclusive Verdict = "inconclusive" // the surroundings are: quota, network, outage
)

// Exit codes of the program, see docs/exit-codes.md.
const (
	ExitPass         = 0
	ExitFail         = 1
	ExitUsage        = 2
	ExitInconclusive = 3
	ExitConflict     = 4
	ExitInterrupted  = 130
)

// ExitCode is the process exit code that v stands for; no verdict counts as inconclusive.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass:
		return ExitPass
	case Fail:
		return ExitFail
	default:
		return ExitInconclusive
	}
}

// Worse returns the verdict of two gates together: fail beats inconclusive beats pass beats none.
func Worse(a, b Verdict) Verdict {
	if rank(a) >= rank(b) {
		return a
	}
	return b
}

func rank(v Verdict) int {
	switch v {
	case Fail:
		return 3
	case Inconclusive:
		return 2
	case Pass:
		return 1
	default:
		return 0
	}
}
