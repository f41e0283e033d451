package launch

import (
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// Explanation is what a log says about why something failed. Both are empty when it says nothing that is known.
type Explanation struct {
	Reason string // one sentence that quotes the line
	Remedy string
	// Surroundings says that it is not the image's fault: the machine's disk is full.
	Surroundings bool
}

// explained bounds how much of a log is looked at: the end, where failures stand.
const explained = 256 << 10

// sign is one thing that logs of this field say when an image is broken. The first one that a log shows wins, so the
// most telling stand first. $1 is the first group of the pattern.
type sign struct {
	pattern *regexp.Regexp
	reason  string
	remedy  string
}

const noSpace = "the disk under the launch is full"

var signs = []sign{
	{
		regexp.MustCompile(`UnsupportedClassVersionError: (\S+) has been compiled by a more recent version of the Java Runtime`),
		"the Java in the image is too old for $1", "Install the Java version that this release of Spark asks for, and point JAVA_HOME to it",
	},
	{
		regexp.MustCompile(`Unsupported major\.minor version [\d.]+`),
		"the Java in the image is too old", "Install the Java version that this release of Spark asks for, and point JAVA_HOME to it",
	},
	{
		regexp.MustCompile(`(?:InaccessibleObjectException|IllegalAccessError): .*(?:module java\.base|does not export|does not "opens)`),
		"the Java in the image is too new, or lacks the --add-opens options that this release of Spark needs", "Install the Java version that this release of Spark asks for",
	},
	{
		// Hadoop asks for what Java 24 took away.
		regexp.MustCompile(`UnsupportedOperationException: getSubject is`),
		"the Java in the image is too new for the Hadoop of this Spark", "Install the Java version that this release of Spark asks for",
	},
	{
		regexp.MustCompile(`OutOfMemoryError: unable to create (?:new )?native thread`),
		"no further thread could be started", "Raise the launch's limit of processes (pids), or start fewer threads",
	},
	{
		regexp.MustCompile(`java\.lang\.OutOfMemoryError`),
		"Java ran out of memory", "Give the process a larger heap, or the launch a higher memory limit",
	},
	{
		regexp.MustCompile(`(?:ClassNotFoundException|NoClassDefFoundError|Could not find or load main class|Failed to load class)[: ]+([\w./$]*[\w$])`),
		"the class $1 is missing", "Put the jar that holds it into the image",
	},
	{
		regexp.MustCompile(`(?:NoSuchMethodError|AbstractMethodError|IncompatibleClassChangeError)[: ]+'?([^'\n]+)`),
		"two jars do not fit together", "Keep one version of each library among the jars",
	},
	{
		regexp.MustCompile(`UnsatisfiedLinkError: (.*)`),
		"a native library is missing", "Install the library, or the package of the C library that it was built for",
	},
	{
		regexp.MustCompile(`error while loading shared libraries: ([^:\s]+)`),
		"the shared library $1 is missing", "Install the package that holds it",
	},
	{
		regexp.MustCompile(`(?i)JAVA_HOME is not set|JAVA_HOME.*(?:invalid|incorrect)|java: (?:command )?not found`),
		"Java was not found", "Install Java, and point JAVA_HOME to it",
	},
	{
		regexp.MustCompile(`(?:ModuleNotFoundError|ImportError): (.*)`),
		"a Python module is missing", "Install it in the image",
	},
	{
		regexp.MustCompile(`(?i)No space left on device`),
		noSpace, "Free disk space where the launch runs, and run the same command again",
	},
	{
		regexp.MustCompile(`(?i)exec format error`),
		"a program is built for another processor", "Build the image for the platform that it is launched on",
	},
	{
		regexp.MustCompile(`(?i)(?:^|[\s:'"(])(/[^\s:'"()]+)['")]*(?:: | \()?.{0,40}Permission denied`),
		"access to $1 is denied", "Give the image's user the right to it",
	},
	{
		regexp.MustCompile(`(?i)AccessDeniedException: (\S+)`),
		"access to $1 is denied", "Give the image's user the right to it",
	},
	{
		regexp.MustCompile(`(?i)Permission denied|Failed to create (?:work )?directory|Mkdirs failed`),
		"access is denied", "Give the image's user the right to it",
	},
	{
		regexp.MustCompile(`exec (\S+) failed: No such file or directory`),
		"the program $1 is missing", "Install it, or correct the path",
	},
	{
		regexp.MustCompile(`error: not found: (?:value|type|object) (\S+)`),
		"the Scala code names $1, which there is not", "Correct the code, or put the jar that holds it into the image",
	},
	{
		regexp.MustCompile(`(\S+): (?:command )?not found`),
		"the program $1 is missing", "Install it, or correct the PATH",
	},
	{
		regexp.MustCompile(`(?:^|[\s:'"(])(/[^\s:'"()]+)['")]*.{0,20}No such file or directory`),
		"$1 is missing", "Put it into the image",
	},
	{
		regexp.MustCompile(`NoSuchFileException: (\S+)|FileNotFoundException: (\S+)|No such file or directory`),
		"a file is missing", "Put it into the image",
	},
	{
		regexp.MustCompile(`Address already in use`),
		"a port is taken already", "Start one service for each port",
	},
	{
		regexp.MustCompile(`UnknownHostException: (\S+)`),
		"the host name $1 is not known inside the launch, which has no network but its own", "Do without other hosts at the start",
	},
}

// causes introduce a line that says what went wrong, when none of the signs is there.
var causes = []*regexp.Regexp{
	regexp.MustCompile(`^\s*Caused by: (.+)`),
	regexp.MustCompile(`^Exception in thread "[^"]*" (.+)`),
	regexp.MustCompile(`^((?:[\w$]+\.)+[\w$]*(?:Exception|Error)\b.*)`),
	regexp.MustCompile(`^(\w+(?:Error|Exception): .+)`),
	regexp.MustCompile(`(?i)\b(?:FATAL|ERROR)\b[\]:]?\s+(.+)`),
	regexp.MustCompile(`(?i)^(?:error|fatal|panic)[: ]+(.+)`),
}

// Explain turns a log into one sentence that quotes the line that says most. It is meant for output of foreign
// programs: whatever the bytes are, the answer is short, printable, and free of known secrets.
func Explain(log string) Explanation {
	if len(log) > explained {
		log = log[len(log)-explained:]
	}
	lines := foreign.Lines(log)
	for _, s := range signs {
		// The first line that shows the sign is the cause; what follows repeats it.
		for _, line := range lines {
			if len(line) > 4096 {
				line = line[:4096]
			}
			match := s.pattern.FindStringSubmatchIndex(line)
			if match == nil {
				continue
			}
			reason := string(s.pattern.ExpandString(nil, s.reason, line, match))
			return Explanation{Reason: foreign.Short(reason, 200) + " (" + quote(line) + ")", Remedy: s.remedy, Surroundings: s.reason == noSpace}
		}
	}
	for _, cause := range causes {
		for i := len(lines) - 1; i >= 0; i-- {
			if match := cause.FindStringSubmatch(lines[i][:min(len(lines[i]), 4096)]); match != nil {
				return Explanation{Reason: quote(match[1])}
			}
		}
	}
	return Explanation{}
}

// LastLine is the last line of a log that is not blank, quoted.
func LastLine(log string) string {
	lines := strings.Split(log[max(0, len(log)-explained):], "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if line := foreign.Short(lines[i], 200); line != "" {
			return `"` + line + `"`
		}
	}
	return ""
}

func quote(line string) string { return `"` + foreign.Short(line, 200) + `"` }
