package pipeline

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// writer is a cluster of which nothing but the log is asked.
type writer struct {
	launch.Cluster
	log string
}

func (w writer) Logs(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(w.log)), nil
}

func TestDriverLogsAreSortedAsOnThePlatform(t *testing.T) {
	t.Parallel()
	secret.Mask("planted-in-the-drivers-log")
	got := driverLogs(t.Context(), writer{log: `[container] kept
[init script /a.sh] installing
[hallmark] java at /usr/bin/java
[driver] Setting default log level
[driver] 25/11/22 05:06:07 ERROR Main: it failed with planted-in-the-drivers-log
[driver] java.lang.IllegalStateException: no
[driver] 	at a.B.c(B.java:1)
[driver] 100
[python] Traceback (most recent call last)
no name
[driver] the end`})
	want := emulator.Logs{
		Stdout: "Setting default log level\n100\nTraceback (most recent call last)\nthe end",
		Log4j:  "25/11/22 05:06:07 ERROR Main: it failed with ***\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n",
	}
	if got != want {
		t.Errorf("got %+v", got)
	}
}
