package databricks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Every kind of probe is put in its language, and what comes back is read as a notebook would show it.
func TestProbes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		probe    launch.Probe
		answer   func(language, code string) result
		verdict  verdict.Verdict
		reason   string
		noPython bool
	}{
		{"sql", launch.Probe{Kind: launch.SQL, Code: "SELECT 1", Matches: "(?m)^1\tx\tnull\t2.5$"}, func(language, code string) result {
			if language != "sql" || code != "SELECT 1" {
				return result{kind: "error", summary: "wrong"}
			}
			return result{kind: "table", schema: []map[string]any{{"name": "a", "type": "int"}, {"name": "b"}, {"name": "c"}, {"name": "d"}}, data: []any{[]any{1, "x", nil, 2.5}}}
		}, verdict.Pass, "", false},
		{"scala", launch.Probe{Kind: launch.Scala, Code: "println(1)", Contains: "1"}, inLanguage("scala", "println(1)", "1"), verdict.Pass, "", false},
		{"r", launch.Probe{Kind: launch.R, Code: "cat(55)", Contains: "55"}, inLanguage("r", "cat(55)", "[1] 55"), verdict.Pass, "", false},
		{"r fails", launch.Probe{Kind: launch.R, Code: "stop()"}, func(string, string) result {
			return result{kind: "error", summary: "Error in stop(): could not find function"}
		}, verdict.Fail, "r ended with exit code 1", false},
		{"python that exits", launch.Probe{Kind: launch.Python, Code: "exit(3)", ExitCode: 3}, func(string, string) result {
			return result{kind: "error", summary: "SystemExit: 3", cause: "Traceback\nSystemExit: 3"}
		}, verdict.Pass, "", false},
		{"python's last value", launch.Probe{Kind: launch.Python, Code: "42", Matches: "^42$"}, func(string, string) result { return result{kind: "text", data: "Out[1]: 42"} }, verdict.Pass, "", false},
		{"a program", launch.Probe{Kind: launch.Command, Args: []string{"sudo", "-V"}, ExitCode: 3, Contains: "version"}, func(language, code string) result {
			if language != "python" || !strings.Contains(code, packed([]string{"sudo", "-V"})) {
				return result{kind: "error", summary: "wrong"}
			}
			return result{kind: "text", data: "hallmark: exit code 3\nSudo version 1.9\n"}
		}, verdict.Pass, "", false},
		{"a program that is not there", launch.Probe{Kind: launch.Command, Args: []string{"nosuch"}}, func(string, string) result {
			return result{kind: "text", data: "[Errno 2] No such file or directory: 'nosuch'\nhallmark: no such command"}
		}, verdict.Fail, "no command nosuch", false},
		{"a program without Python", launch.Probe{Kind: launch.Command, Args: []string{"java", "-version"}, Contains: "17"}, func(language, code string) result {
			if language != "scala" || !strings.Contains(code, "ProcessBuilder") {
				return result{kind: "error", summary: "wrong"}
			}
			return result{kind: "text", data: "hallmark: exit code 0\nopenjdk 17"}
		}, verdict.Pass, "", true},
		{"pip", launch.Probe{Kind: launch.Pip, Args: []string{"six==1.16", "a b"}, Code: "import six", Contains: "imported"}, func(_, code string) result {
			switch code {
			case "%pip install six==1.16 'a b'":
				return result{kind: "text", data: "Successfully installed six-1.16"}
			case "import six":
				return result{kind: "text", data: "imported"}
			}
			return result{kind: "error", summary: "wrong: " + code}
		}, verdict.Pass, "", false},
		{"pip from a volume", launch.Probe{Kind: launch.Pip, From: "/Volumes/a/b/c/tool-1.0-py3-none-any.whl"}, inLanguage("python", "%pip install /Volumes/a/b/c/tool-1.0-py3-none-any.whl", "ok"), verdict.Pass, "", false},
		{"pip from a folder", launch.Probe{Kind: launch.Pip, From: "/Volumes/a/b/c", Args: []string{"tool"}}, inLanguage("python", "%pip install --no-index --find-links /Volumes/a/b/c tool", "ok"), verdict.Pass, "", false},
		{"pip without a network", launch.Probe{Kind: launch.Pip, Args: []string{"six"}}, func(string, string) result {
			return result{kind: "error", summary: "CalledProcessError", cause: "WARNING: Retrying: NewConnectionError: Failed to establish a new connection\nERROR: No matching distribution found for six"}
		}, verdict.Inconclusive, "pip does not reach the index for six", false},
		{"pip that fails", launch.Probe{Kind: launch.Pip, Args: []string{"six"}}, func(string, string) result {
			return result{kind: "text", data: "ERROR: Could not find a version that satisfies the requirement six"}
		}, verdict.Fail, "pip does not install six", false},
		{"fuse", launch.Probe{Kind: launch.Fuse, Path: "/Volumes/a", Write: true}, func(language, code string) result {
			if language != "python" || !strings.Contains(code, packed("/Volumes/a")) || !strings.HasSuffix(code, "True)\n") {
				return result{kind: "error", summary: "wrong"}
			}
			return result{kind: "text", data: "written"}
		}, verdict.Pass, "", false},
		{"fuse that holds nothing", launch.Probe{Kind: launch.Fuse, Path: "/Volumes/a", Contains: "names", Matches: "holds [1-9]"}, func(string, string) result {
			return result{kind: "text", data: "/Volumes/a holds 0 names: "}
		}, verdict.Fail, `does not match "holds [1-9]"`, false},
		{"fuse that is not mounted", launch.Probe{Kind: launch.Fuse, Path: "/dbfs"}, func(string, string) result {
			return result{kind: "error", summary: "FileNotFoundError: [Errno 2] No such file or directory: '/dbfs'"}
		}, verdict.Fail, "No such file or directory: '/dbfs'", false},
		{"gpu", launch.Probe{Kind: launch.GPU, Contains: "A10G"}, func(language, code string) result {
			if language != "python" || !strings.Contains(code, "cuMemAlloc_v2") {
				return result{kind: "error", summary: "wrong"}
			}
			return result{kind: "text", data: "nvidia-smi: NVIDIA A10G, 535, 23028 MiB"}
		}, verdict.Pass, "", false},
		{"another gpu", launch.Probe{Kind: launch.GPU, Matches: "A10G|L4"}, func(string, string) result {
			return result{kind: "text", data: "nvidia-smi: Tesla T4, 535, 15360 MiB\nCUDA 12.2, 1 device(s): memory written and read back"}
		}, verdict.Fail, `does not match "A10G|L4"`, false},
		{"no gpu", launch.Probe{Kind: launch.GPU}, func(string, string) result {
			return result{kind: "error", summary: "OSError: libcuda.so.1: cannot open shared object file: No such file or directory"}
		}, verdict.Fail, "libcuda.so.1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.commands, s.noPython = test.answer, test.noPython
			result := run(t, s.options(), testSpec(test.probe))
			if result.Verdict != test.verdict || !strings.Contains(result.Reason, test.reason) {
				t.Errorf("%s (%s): %s; output %q", result.Verdict, result.Code, result.Reason, result.Probes[0].Output)
			}
			if result.Verdict == verdict.Pass && result.Probes[0].Verdict != verdict.Pass {
				t.Errorf("%+v", result.Probes)
			}
		})
	}
}

func inLanguage(language, code, answer string) func(string, string) result {
	return func(gotLanguage, gotCode string) result {
		if gotLanguage != language || gotCode != code {
			return result{kind: "error", summary: "wrong: " + gotLanguage + " " + gotCode}
		}
		return result{kind: "text", data: answer}
	}
}

// What is sent to be run by a Python really runs there, with whatever is in the arguments.
func TestCodeRuns(t *testing.T) {
	t.Parallel()
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("there is no python3 on this machine: scripts/prerequisites test installs it")
	}
	python := func(code string) (string, error) {
		out, err := exec.CommandContext(t.Context(), interpreter, "-c", code).CombinedOutput()
		return string(out), err
	}
	for _, test := range []struct {
		args []string
		want launch.Output
	}{
		{[]string{"printf", "%s|", `a "quoted" 'one'`, "back\\slash", "two\nlines", "{}$HOME"}, launch.Output{Text: "a \"quoted\" 'one'|back\\slash|two\nlines|{}$HOME|"}},
		{[]string{"sh", "-c", "echo out; echo err >&2; exit 7"}, launch.Output{Text: "out\nerr\n", ExitCode: 7}},
		{[]string{"sh", "-c", "echo 'hallmark: no such command'; exit 4"}, launch.Output{Text: "hallmark: no such command\n", ExitCode: 4}},
		{[]string{"true"}, launch.Output{}},
		{[]string{"sh", "-c", "echo 'hallmark: exit code 9'; kill -9 $$"}, launch.Output{Text: "hallmark: exit code 9\n", ExitCode: 137}},
	} {
		text, err := python(commandCode(test.args))
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if got := ofCommand(launch.Output{Text: text}); got != test.want {
			t.Errorf("%q: %+v, want %+v", test.args, got, test.want)
		}
	}
	// More than any limit: the code survives, with the end of what was said, also where the platform cuts it again.
	chatty, err := python(commandCode([]string{"sh", "-c", "yes chatter | head -c 3000000; echo the end; exit 5"}))
	if err != nil {
		t.Fatal(err)
	}
	kept := output(&compute.Results{ResultType: compute.ResultTypeText, Data: chatty})
	if got := ofCommand(kept); got.ExitCode != 5 || !strings.HasSuffix(got.Text, "the end\n") || len(got.Text) != longestSaid {
		t.Errorf("code %d, %d bytes of %d", got.ExitCode, len(got.Text), len(chatty))
	}
	if got := ofCommand(launch.Output{Text: chatty[:50000]}); got.ExitCode != 5 {
		t.Errorf("cut short, the code is %d", got.ExitCode)
	}
	text, _ := python(commandCode([]string{"/nonexistent/program"}))
	if got := ofCommand(launch.Output{Text: text}); !got.NoCommand {
		t.Errorf("%+v", got)
	}
	folder := t.TempDir()
	if text, err := python(fuseCode(folder, true)); err != nil || !strings.Contains(text, "written to "+folder+" and read back") {
		t.Errorf("%v: %s", err, text)
	}
	if names, _ := filepath.Glob(folder + "/.*"); len(names) > 2 {
		t.Errorf("files are left: %v", names)
	}
	if text, err := python(fuseCode(folder+"/none", false)); err == nil {
		t.Errorf("a folder that is not there: %s", text)
	}
	if text, err := python(gpuCode); err == nil && !strings.Contains(text, "memory written and read back") || strings.Contains(text, "SyntaxError") || strings.Contains(text, "NameError") {
		t.Errorf("%v: %s", err, text)
	}
}

// fakeCUDA stands in the place of the driver's library, which only a node with a GPU has: memory that keeps what is written.
// %s is what spoils it.
const fakeCUDA = `
import ctypes
class Driver:
    def __init__(self): self.memory, self.calls = {}, []
    def __getattr__(self, name):
        def call(*args):
            self.calls.append(name)
            return getattr(self, "on_" + name)(*args) or 0
        return call
    def on_cuInit(self, flags): pass
    def on_cuDriverGetVersion(self, version): version._obj.value = 12040
    def on_cuDeviceGetCount(self, count): count._obj.value = 1
    def on_cuDeviceGet(self, device, n): device._obj.value = n
    def on_cuCtxCreate_v2(self, context, flags, device): context._obj.value = 4711
    def on_cuMemAlloc_v2(self, at, size):
        self.memory[1000] = bytearray(size.value)
        at._obj.value = 1000
    def on_cuMemsetD8_v2(self, at, byte, size): self.memory[at.value][:size.value] = bytes([byte.value]) * size.value
    def on_cuMemcpyDtoH_v2(self, to, at, size): ctypes.memmove(to, bytes(self.memory[at.value][:size.value]), size.value)
    def on_cuMemFree_v2(self, at): del self.memory[at.value]
    def on_cuCtxDestroy_v2(self, context): pass
%s
driver = Driver()
def load(name):
    assert name == "libcuda.so.1", name
    return driver
ctypes.CDLL = load
`

// TestGPUCode runs what asks a GPU, with nvidia-smi and CUDA's driver in other hands.
func TestGPUCode(t *testing.T) {
	t.Parallel()
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("there is no python3 on this machine: scripts/prerequisites test installs it")
	}
	const tool = "#!/bin/sh\n[ \"$*\" = '--query-gpu=name,driver_version,memory.total --format=csv,noheader' ] || exit 2\n"
	const works = tool + "echo 'NVIDIA A10G, 550.54.15, 23028 MiB'\n"
	for _, test := range []struct {
		name, tool, spoilt, want string
		fails                    bool
	}{
		{"a GPU that works", works, "", "nvidia-smi: NVIDIA A10G, 550.54.15, 23028 MiB\nCUDA 12.4, 1 device(s): memory written and read back\ncuCtxDestroy_v2 0\n", false},
		{"a tool that does not reach the driver", tool + "echo 'NVIDIA-SMI has failed'; exit 9\n", "", "nvidia-smi ended with exit code 9", true},
		{"no tool", "", "", "nvidia-smi", true},
		{"CUDA does not start", works, "    def on_cuInit(self, flags): return 803", "CUDA: cuInit failed with error 803", true},
		{"no device", works, "    def on_cuDeviceGetCount(self, count): count._obj.value = 0", "CUDA finds no device", true},
		{"no memory", works, "    def on_cuMemAlloc_v2(self, at, size): return 2", "CUDA: cuMemAlloc_v2 failed with error 2", true},
		{"memory that forgets", works, "    def on_cuMemsetD8_v2(self, at, byte, size): pass", "does not hold what was written", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if test.tool != "" {
				if err := os.WriteFile(filepath.Join(folder, "nvidia-smi"), []byte(test.tool), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), interpreter, "-c", fmt.Sprintf(fakeCUDA, test.spoilt)+gpuCode+"print(driver.calls[-1], len(driver.memory))\n")
			cmd.Env = append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+"/usr/bin"+string(os.PathListSeparator)+"/bin")
			out, err := cmd.CombinedOutput()
			if (err != nil) != test.fails || !test.fails && string(out) != test.want || !strings.Contains(string(out), test.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		results compute.Results
		want    launch.Output
	}{
		{compute.Results{ResultType: compute.ResultTypeText, Data: "a < b and c > d"}, launch.Output{Text: "a < b and c > d"}},
		{compute.Results{ResultType: compute.ResultTypeText, Data: `<div class="ansiout">a &lt; b</div>`}, launch.Output{Text: "a < b"}},
		{compute.Results{ResultType: compute.ResultTypeText, Data: "\x1b[0;31mred\x1b[0m"}, launch.Output{Text: "red"}},
		{compute.Results{ResultType: compute.ResultTypeText}, launch.Output{}},
		{compute.Results{ResultType: compute.ResultTypeImage, FileName: "x"}, launch.Output{Text: "(an image)"}},
		{compute.Results{ResultType: compute.ResultTypeError, Summary: "E: x", Cause: "trace\nE: x"}, launch.Output{Text: "trace\nE: x", ExitCode: 1}},
		{compute.Results{ResultType: compute.ResultTypeError, Summary: "E: x", Cause: "trace"}, launch.Output{Text: "trace\nE: x", ExitCode: 1}},
		{compute.Results{ResultType: compute.ResultTypeError, Summary: "SystemExit: 0"}, launch.Output{Text: "SystemExit: 0"}},
		{compute.Results{ResultType: compute.ResultTypeTable, Schema: []map[string]any{{"name": `"n"`}}, Data: []any{[]any{float64(1 << 40)}, []any{true}}}, launch.Output{Text: "n\n1099511627776\ntrue\n"}},
	} {
		if got := output(&test.results); got != test.want {
			t.Errorf("%+v: %+v", test.results, got)
		}
	}
}

// TestRequestsOfALaunch bounds how often a workspace is asked, so that what a launch takes of our own cannot grow unseen;
// bench measures the time.
func TestRequestsOfALaunch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		probes []launch.Probe
		most   map[string]int // by group
	}{
		{"no probe", nil, map[string]int{"to ask first": 5, "clusters": 6}},
		{"two probes of a language", []launch.Probe{python("1", "100"), python("2", "")}, map[string]int{"to ask first": 5, "clusters": 6, "commands": 2 + 2*2 + 1}},
		{"two languages", []launch.Probe{python("1", "100"), {Kind: launch.Scala, Code: "2"}}, map[string]int{"to ask first": 5, "clusters": 6, "commands": 2 * (2 + 2 + 1)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			if result := run(t, s.options(), testSpec(test.probes...)); result.Verdict != verdict.Pass {
				t.Fatalf("%s: %s", result.Verdict, result.Reason)
			}
			asked := map[string]int{}
			for _, request := range s.requests {
				switch {
				case strings.Contains(request, "/api/1.2/"): // a context, its state, each command and its state, the context's end
					asked["commands"]++
				case strings.Contains(request, "/clusters/") && !strings.HasSuffix(request, "spark-versions") && !strings.HasSuffix(request, "list-node-types"):
					asked["clusters"]++ // one to create, three to wait, one for the events, one to delete
				default: // the host's own word, who this is, runtimes, node types, container services
					asked["to ask first"]++
				}
			}
			for group, n := range asked {
				if n > test.most[group] {
					t.Errorf("%s: %d requests, at most %d are meant: %v", group, n, test.most[group], s.requests)
				}
			}
		})
	}
}
