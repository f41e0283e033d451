package engine

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestOnlyLinuxsRootEmbeds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		goos  string
		uid   int
		lacks []string
		want  string // empty: it may
	}{
		{"linux", 0, nil, ""},
		{"linux", 1000, nil, "not root"},
		{"linux", 1000, []string{"CAP_SYS_ADMIN"}, "not root"},
		{"linux", 0, []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}, "it lacks CAP_SYS_ADMIN, CAP_NET_ADMIN"},
		{"darwin", 0, nil, "Linux only"},
		{"darwin", 501, nil, "Linux only"},
		{"windows", -1, nil, "Linux only"},
	} {
		if got := whyNot(test.goos, test.uid, test.lacks); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s, user %d without %v: %q", test.goos, test.uid, test.lacks, got)
		}
	}
	if system(runtime.GOOS) == runtime.GOOS {
		t.Errorf("%s has no name for people", runtime.GOOS)
	}
}

// Nobody is told to do what their system cannot, and everybody is told what it can.
func TestWhatToDoWithoutAnEngine(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for name, err := range map[string]error{
			"none": none(goos, whyNot(goos, 1000, nil), "Docker's socket /x cannot be used"), "not here": here(goos, whyNot(goos, 1000, nil)),
			"unreachable": errors.New(otherwise(goos) + instead(goos) + whyNot(goos, 1000, nil)),
		} {
			text := err.Error()
			if name != "unreachable" && (!strings.Contains(text, hostVariable) || !strings.Contains(text, "Docker")) {
				t.Errorf("%s on %s names no way out: %s", name, goos, text)
			}
			if goos != "linux" && strings.Contains(text, "root") {
				t.Errorf("%s: being root helps nobody on %s: %s", name, goos, text)
			}
			if goos != "linux" && name == "none" && !strings.Contains(text, "Linux only") {
				t.Errorf("it does not say why: %s", text)
			}
			if name != "unreachable" && verdict.OfError(err) != verdict.Inconclusive {
				t.Errorf("%s on %s blames the image", name, goos)
			}
		}
	}
}

func TestDockersDoorOnEachSystem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ goos, address, socket string }{
		{"linux", "", "/var/run/docker.sock"},
		{"darwin", "", "/var/run/docker.sock"},
		{"darwin", "unix:///Users/ada/.docker/run/docker.sock", "/Users/ada/.docker/run/docker.sock"},
		{"windows", "", `\\.\pipe\docker_engine`},
		{"windows", "npipe:////./pipe/dockerDesktopLinuxEngine", `\\.\pipe\dockerDesktopLinuxEngine`},
		{"windows", "unix:///C:/docker.sock", "/C:/docker.sock"},
		{"linux", "npipe:////./pipe/docker_engine", ""},
		{"windows", "tcp://far:2376", ""},
	} {
		address := test.address
		if address == "" {
			address = usualDocker(test.goos)
		}
		got, err := dockerHost{address: address}.socket(test.goos)
		if got != test.socket || (err != nil) != (test.socket == "") || err != nil && !errors.Is(err, verdict.ErrUsage) {
			t.Errorf("%s, %q: %q, %v; want %q", test.goos, test.address, got, err, test.socket)
		}
	}
}
