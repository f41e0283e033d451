package pipeline

import (
	"bufio"
	"context"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// logged begins a line that Spark logs, as its own configuration has it: 25/11/22 05:06:07 WARN Utils: …
var logged = regexp.MustCompile(`^\d\d/\d\d/\d\d \d\d:\d\d:\d\d (?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL) `)

// traced is a line that belongs to the one before it: a part of a Java exception.
var traced = regexp.MustCompile(`^(?:\s+at |\s+\.\.\. \d+ more|Caused by: |[\w.$]+(?:Exception|Error)(?::|$))`)

// driverLogs sorts what a container has written into the files of the platform. The sandbox sees both streams of a program
// as one, so that stderr stays empty; the init scripts' output goes with their results.
func driverLogs(ctx context.Context, cluster launch.Cluster) emulator.Logs {
	log, err := cluster.Logs(ctx)
	if err != nil {
		return emulator.Logs{Stdout: secret.Redact(err.Error()) + "\n"}
	}
	defer log.Close()
	var stdout, log4j strings.Builder
	last := &stdout
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		name, text, found := strings.Cut(strings.TrimPrefix(line, "["), "] ")
		switch {
		case !found, name == "container", name == "hallmark", strings.HasPrefix(name, "init script "):
		case logged.MatchString(text), last == &log4j && traced.MatchString(text):
			last = &log4j
			last.WriteString(text)
		default:
			last = &stdout
			last.WriteString(text)
		}
		if err != nil { // io.EOF: it is all in memory
			return emulator.Logs{Stdout: secret.Redact(stdout.String()), Log4j: secret.Redact(log4j.String())}
		}
	}
}
