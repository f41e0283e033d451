package launch

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// ruling is what an answer amounts to.
type ruling struct {
	verdict verdict.Verdict
	skipped string // why the question does not apply to this image
	reason  string
	remedy  string
}

var pi = regexp.MustCompile(`(?m)^Pi is roughly (3\.1\d*)`)

// judge says what the answer to a probe means.
func judge(probe Probe, out Output) ruling {
	if out.Fault != nil {
		return ruling{verdict: out.Fault.Verdict, reason: out.Fault.Reason, remedy: out.Fault.Remedy}
	}
	switch probe.Kind {
	case HTTP:
		return judgePage(probe, out)
	case Python:
		if out.NoCommand && probe.needed {
			return blame("there is no Python in the image: "+foreign.Short(lastLines(out.Text, 1), 200), "Install Python in /databricks/python3, or let PYSPARK_PYTHON name the image's own")
		}
		if out.NoCommand {
			return ruling{skipped: "there is no python3 in the image"}
		}
	case SparkPi:
		return judgePi(out)
	case Pip:
		return judgePip(probe, out)
	}
	if out.NoCommand {
		return blame(fmt.Sprintf("there is no command %s in the image", commandOf(probe)), "Install it, or correct the probe")
	}
	if out.ExitCode != probe.ExitCode {
		return endedBadly(probe.Name, out, fmt.Sprintf(" instead of %d", probe.ExitCode), probe.ExitCode != 0)
	}
	return judgeText(probe, out, "the output")
}

func judgePi(out Output) ruling {
	if out.NoCommand {
		return blame("the image's entry point, or bin/spark-submit below SPARK_HOME, is missing", "Put Spark's bin and examples folders into the image")
	}
	if out.ExitCode != 0 {
		return endedBadly("SparkPi", out, "", false)
	}
	if !pi.MatchString(out.Text) {
		why := Explain(out.Text)
		return ruling{
			verdict: verdict.Fail, reason: "SparkPi ended without printing Pi" + because(why.Reason),
			remedy: cmp.Or(why.Remedy, "Read its output in the launch's log"),
		}
	}
	return ruling{verdict: verdict.Pass}
}

func judgePage(probe Probe, out Output) ruling {
	switch {
	case out.Status == 0:
		return blame(fmt.Sprintf("%s does not answer within %s%s", probe.URL(), probe.Timeout, because(out.Trouble)), "Check that the service listens on that port, on all addresses, and starts in time")
	case out.Status != probe.Status:
		return blame(fmt.Sprintf("%s answers with status %d instead of %d", probe.URL(), out.Status, probe.Status), "Correct the service, or the status that the probe expects")
	}
	return judgeText(probe, out, "the page")
}

func judgeText(probe Probe, out Output, what string) ruling {
	switch probe.Kind {
	case SQL, Scala, Pip:
		out.Text = answer(out.Text)
	}
	if probe.Contains != "" && !strings.Contains(out.Text, probe.Contains) {
		return blame(fmt.Sprintf("%s does not contain %q", what, foreign.Cut(probe.Contains, 100)), "Compare it with what the probe expects")
	}
	if probe.pattern != nil && !probe.pattern.MatchString(out.Text) {
		return blame(fmt.Sprintf("%s does not match %q", what, foreign.Cut(probe.Matches, 100)), "Compare it with what the probe expects")
	}
	return ruling{verdict: verdict.Pass}
}

// endedBadly blames the image for an exit code, with what its output says of the cause.
func endedBadly(what string, out Output, instead string, mention bool) ruling {
	why := Explain(out.Text)
	blamed := verdict.Fail
	if why.Surroundings {
		blamed = verdict.Inconclusive
	}
	reason := fmt.Sprintf("%s ended with exit code %d", what, out.ExitCode)
	if mention {
		reason += instead
	}
	if signal := signalOf(out.ExitCode); signal != "" && why.Reason == "" {
		reason += " (" + signal + ")"
	}
	return ruling{verdict: blamed, reason: reason + because(why.Reason), remedy: cmp.Or(why.Remedy, "Read its output in the launch's log")}
}

func blame(reason, remedy string) ruling {
	return ruling{verdict: verdict.Fail, reason: reason, remedy: remedy}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// Faulty is a fault of the image that a target knows of.
func Faulty(reason, remedy string) *Error {
	return &Error{Verdict: verdict.Fail, Code: CodeProbe, Reason: reason, Remedy: remedy}
}

// signalOf names what shells report as 128 and more.
func signalOf(code int) string {
	return map[int]string{130: "interrupted", 134: "aborted", 137: "killed", 139: "a segmentation fault", 143: "terminated"}[code]
}

// commandOf names what a probe starts, for people.
func commandOf(probe Probe) string {
	if probe.Kind == Command {
		return probe.Args[0]
	}
	return "bash" // all others are started with it
}
