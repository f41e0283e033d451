package launch

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// unreachable is what programs say that ask for a network. The sandbox has none, and the image is not to blame for that.
var unreachable = regexp.MustCompile(`(?i)could not resolve|temporary failure (?:in name resolution|resolving)|network is unreachable|name or service not known|NameResolutionError|UnknownHostException|failed to establish a new connection|unable to resolve host address`)

// indexFailed is what pip says of an index, or a network before it, that does not answer as it should.
var indexFailed = regexp.MustCompile(`(?i)connect ?timeout|timed out|ProxyError|SSLError|connection (?:reset|refused|broken)|HTTP error 5\d\d|Max retries exceeded`)

// withoutIndex says that an installation failed for want of a network, or of an index.
func withoutIndex(output string) bool {
	return unreachable.MatchString(output) || indexFailed.MatchString(output)
}

// NoBash says that the image lacks what the platform starts everything with.
func NoBash() *Error {
	return &Error{
		Verdict: verdict.Fail, Code: CodeRequirement, Reason: "there is no bash on the PATH of the image, and the platform runs init scripts and its own with it",
		Remedy: "Install bash in the image",
	}
}

// JudgeScript says whose fault it is that an init script did not end well; nil: it did.
func JudgeScript(script Script, r ScriptResult, within time.Duration, late bool) *Error {
	if !late && r.ExitCode == 0 {
		return nil
	}
	reason := fmt.Sprintf("the init script %s ended with exit code %d after %s", script.Name(), r.ExitCode, r.Elapsed.Round(100*time.Millisecond))
	if late {
		reason = fmt.Sprintf("the init script %s does not end within %s", script.Name(), within.Round(time.Second))
	}
	why, said := saying(r.Output, 5, " and wrote nothing")
	reason += said
	e := &Error{Verdict: verdict.Fail, Code: CodeInitScript, Reason: reason, Remedy: cmp.Or(why.Remedy, "Correct the script, which is part of the image; its whole output is in the launch's log")}
	switch {
	case why.Surroundings:
		e.Verdict, e.Code = verdict.Inconclusive, CodeDisk
	case late && within < ScriptWithin:
		e.Verdict, e.Reason = verdict.Inconclusive, reason+", when the launch's time was over"
		e.Remedy = "Find out what the script waits for, or give the launch a longer timeout"
	case unreachable.MatchString(r.Output):
		e.Verdict, e.Reason = verdict.Inconclusive, reason+"; it asks for a network, and the sandbox has none"
		e.Remedy = "Do in the Dockerfile what needs a network, or launch the image on the platform itself"
	case !script.Inside && !lacking(r):
		e.Verdict, e.Reason = verdict.Inconclusive, reason+"; the script is not part of the image"
		e.Remedy = "Correct the script, or take it out of init_scripts; its whole output is in the launch's log"
	}
	return e
}

// lacking says that a script ended because the image lacks a program that it calls.
func lacking(r ScriptResult) bool { return r.ExitCode == 127 || commandMissing.MatchString(r.Output) }

var commandMissing = regexp.MustCompile(`(?m): (?:command )?not found$|error while loading shared libraries`)

// NoScript says that an init script is not where it was said to be.
func NoScript(script Script) *Error {
	return &Error{
		Verdict: verdict.Fail, Code: CodeInitScript, Reason: "the init script " + script.Name() + " is not in the image",
		Remedy: "Put it into the image with COPY, or correct init_scripts",
	}
}

// NoJava says that the image has none, or one that is too old for any runtime; nil: it has one that may do.
func NoJava(s Survey) *Error {
	if s.Java == "" {
		return &Error{
			Verdict: verdict.Fail, Code: CodeRequirement, Reason: "there is no java on the PATH of the image",
			Remedy: "Install the Java that the runtime version asks for (8u191 or later for Java 8), and put java on the PATH",
		}
	}
	if tooOld(s.JavaVersion) {
		return &Error{
			Verdict: verdict.Fail, Code: CodeRequirement, Reason: fmt.Sprintf("the image's Java (%s) is %s, and the platform asks for 8u191 or later", s.Java, s.JavaVersion),
			Remedy: "Install the Java that the runtime version asks for",
		}
	}
	return nil
}

// oldJava is how versions up to 8 are written: 1.8.0_191.
var oldJava = regexp.MustCompile(`^1\.(\d+)\.0(?:_(\d+))?`)

func tooOld(version string) bool {
	match := oldJava.FindStringSubmatch(version)
	if match == nil {
		return false
	}
	major, _ := strconv.Atoi(match[1])
	update, _ := strconv.Atoi(match[2])
	return major < 8 || major == 8 && update < 191
}

// JudgeDriver says why the driver did not come up; nil: it did. One that was ended within its time (0: it ended by itself)
// was at work still: whether the image or a slow machine kept it, nobody knows.
func JudgeDriver(s Survey, folder string, out Output, ended time.Duration) *Error {
	_, err := DriverVersions(out)
	if err == nil && ended == 0 {
		return nil
	}
	on := fmt.Sprintf("on %s with the image's Java %s (%s) and the Spark of %s", localMaster, cmp.Or(s.JavaVersion, "of unknown version"), s.Java, folder)
	why, said := saying(out.Text, 3, "; it wrote nothing")
	if ended > 0 {
		e := &Error{
			Verdict: verdict.Inconclusive, Code: CodeTimeout, Reason: fmt.Sprintf("the driver was not up %s within %s, and still at work", on, ended.Round(time.Second)) + said,
			Remedy: "See in the launch's log what it was doing. On a slow or busy machine give the launch a longer timeout: the driver has a third of it",
		}
		if why.Surroundings {
			e.Code, e.Remedy = CodeDisk, why.Remedy
		}
		return e
	}
	e := &Error{
		Verdict: verdict.Fail, Code: CodeDriver, Reason: "the driver does not start " + on + said,
		Remedy: cmp.Or(why.Remedy, "Install the Java that this Spark asks for, or give the launch a runtime folder that goes with the image's Java"),
	}
	if why.Surroundings {
		e.Verdict, e.Code = verdict.Inconclusive, CodeDisk
	}
	return e
}

// Missing says that something that the configuration names is not on this machine: nobody's fault but the surroundings'.
func Missing(reason, remedy string) *Error {
	return &Error{Verdict: verdict.Inconclusive, Code: CodeMissing, Reason: reason, Remedy: remedy}
}

// judgePip says what came of a notebook-scoped installation.
func judgePip(probe Probe, out Output) ruling {
	what := strings.Join(append([]string{probe.From}, probe.Args...), " ")
	lines := lastLines(before(out.Text, noPip), 3)
	switch {
	case out.ExitCode == 71 && strings.Contains(out.Text, noVenv):
		return blame("the Python of the image cannot make a virtual environment, which a notebook's pip needs"+because(lastLines(before(out.Text, noVenv), 3)),
			"Install virtualenv for it (or the package that holds venv), or set spark.databricks.driverNfs.enabled false on the cluster")
	case out.ExitCode == 72 && strings.Contains(out.Text, noPip) && withoutIndex(out.Text):
		return ruling{verdict: verdict.Inconclusive, reason: "pip asks for a network to install " + what + ", and the sandbox has none" + because(lines), remedy: "Put all that it needs into the folder as wheels"}
	case out.ExitCode == 72 && strings.Contains(out.Text, noPip):
		return blame("pip does not install "+what+because(lines), "Put wheels into the folder that go with the image's Python, with all that they need")
	case out.ExitCode != 0:
		return endedBadly(probe.Name, out, "", false)
	}
	return judgeText(probe, out, "the output")
}

// NotInstalled says why pip installed nothing on a cluster that has a network of its own.
func NotInstalled(probe Probe, output string) *Error {
	what := strings.TrimSpace(probe.From + " " + strings.Join(probe.Args, " "))
	_, said := saying(output, 3, ", and says nothing")
	if withoutIndex(output) {
		return &Error{
			Verdict: verdict.Inconclusive, Code: CodeProbe, Reason: "pip does not reach the index for " + what + said,
			Remedy: "Open the workspace's network to the index, or put wheels into a volume and name it in from",
		}
	}
	return Faulty("pip does not install "+what+said, "Compare the image's Python and virtualenv with what the runtime asks for, and the packages with that Python")
}

func before(text, mark string) string {
	text, _, _ = strings.Cut(text, mark)
	return text
}

// saying is what an output explains of an end, and the words for it: the explanation, else its last lines, else nothing.
func saying(output string, most int, nothing string) (Explanation, string) {
	why := Explain(output)
	switch lines := lastLines(output, most); {
	case why.Reason != "":
		return why, ": " + why.Reason
	case lines == "":
		return why, nothing
	default:
		return why, "; the last it wrote was " + lines
	}
}

// lastLines are the last lines of a log that are not blank, quoted.
func lastLines(log string, most int) string {
	lines := foreign.Lines(log[max(0, len(log)-explained):])
	var kept []string
	for i := len(lines) - 1; i >= 0 && len(kept) < most; i-- {
		if line := foreign.Short(lines[i], 160); line != "" {
			kept = append([]string{line}, kept...)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return `"` + strings.Join(kept, " / ") + `"`
}
