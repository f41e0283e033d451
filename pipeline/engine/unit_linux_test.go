package engine

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestRuntimeVersions(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"runc version 1.5.2\ncommit: x\nspec: 1.3.0\n": true, "runc version 1.1.0+dev\n": true, "runc version 2.0.0\n": true,
		"runc version 1.0.3\n": false, "crun version 1.8\nspec: 1.0.0\n": false, "": false,
	}
	for output, good := range tests {
		if err := checkRuntimeVersion("runc", output); (err == nil) != good {
			t.Errorf("%q: %v", output, err)
		}
	}
}

func TestRuntimeIsUnpackedOnce(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte("#!/bin/true\n")); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "runc-older"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	var before os.FileInfo
	for range 2 {
		path, err := unpackRuntime(dir, packed.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || string(text) != "#!/bin/true\n" {
			t.Fatalf("%q, %v", text, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
		if before != nil && !os.SameFile(before, info) {
			t.Error("it was unpacked twice")
		}
		before = info
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files, want the runtime alone", len(entries))
	}
	if _, err := unpackRuntime(dir, []byte("not gzip")); err == nil {
		t.Error("a damaged runtime was accepted")
	}
}

// fakeV2 is a folder with the files that the kernel would show.
// A binary never carries another architecture's runc.
func TestEmbeddedRuntimeIsForThisArchitecture(t *testing.T) {
	t.Parallel()
	if _, err := embedded.ReadFile("runtime/" + runtime.GOARCH + "/README"); err != nil {
		t.Errorf("the folder of this architecture is not embedded: %v", err)
	}
	packed, err := embedded.ReadFile(packedRuntime)
	if errors.Is(err, fs.ErrNotExist) {
		return // it was not built, and the engine takes one from PATH
	}
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 64) // of an ELF file; the machine stands at 18
	if _, err := io.ReadFull(reader, head); err != nil {
		t.Fatal(err)
	}
	machine := elf.Machine(binary.LittleEndian.Uint16(head[18:]))
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]; string(head[:4]) != elf.ELFMAG || machine != want {
		t.Errorf("the embedded runc is for %s, not for %s", machine, runtime.GOARCH)
	}
}

func fakeV2(t *testing.T, controllers string) cgroupsV2 {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"cgroup.controllers": controllers, "cgroup.subtree_control": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cgroupsV2{root: root}
}

func TestCgroupVersions(t *testing.T) {
	t.Parallel()
	if _, ok := detectCgroups(fakeV2(t, "cpu memory pids\n").root).(cgroupsV2); !ok {
		t.Error("version 2 was not recognized")
	}
	if _, ok := detectCgroups(t.TempDir()).(cgroupsV1); !ok {
		t.Error("version 1 was not recognized")
	}
}

func TestCgroupV2WritesLimits(t *testing.T) {
	t.Parallel()
	c := fakeV2(t, "cpuset cpu io memory pids\n")
	g := c.create("hallmark/x/y", Limits{Memory: 1 << 20, CPUs: 1.5, PIDs: 7}).(*groupV2)
	report := g.report()
	if !report.Memory.Enforced || !report.CPUs.Enforced || !report.PIDs.Enforced {
		t.Fatalf("not enforced: %+v", report)
	}
	for name, want := range map[string]string{"memory.max": "1048576", "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "7"} {
		if text, err := os.ReadFile(filepath.Join(g.dir, name)); err != nil || string(text) != want {
			t.Errorf("%s holds %q, want %q (%v)", name, text, want, err)
		}
	}
	if g.parent() != "/hallmark/x/y" {
		t.Errorf("parent %q", g.parent())
	}
	for name, text := range map[string]string{"memory.events": "low 0\nmax 3\noom 1\noom_kill 2\n", "memory.peak": "99\n", "pids.peak": "7\n"} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g.observe(&report)
	if !report.OOMKilled || report.MemoryPeak != 99 || report.PIDsPeak != 7 || !report.PIDsExhausted(Limits{PIDs: 7}) {
		t.Errorf("observed %+v", report)
	}
}

func TestCgroupV2SaysWhatDoesNotHold(t *testing.T) {
	t.Parallel()
	report := fakeV2(t, "cpu memory\n").create("hallmark/x/y", Limits{Memory: 1 << 20, PIDs: 7}).report()
	if !report.Memory.Enforced || report.PIDs.Enforced || !strings.Contains(report.PIDs.Reason, "pids controller is not available") {
		t.Errorf("%+v", report)
	}
	if report.CPUs != (Held{}) {
		t.Errorf("a limit that was not asked for: %+v", report.CPUs)
	}
}

func TestCgroupV1WithoutController(t *testing.T) {
	t.Parallel()
	g := cgroupsV1{root: t.TempDir()}.create("hallmark/x/y", Limits{Memory: 1 << 20, CPUs: 1, PIDs: 7})
	report := g.report()
	if report.Memory.Enforced || report.CPUs.Enforced || report.PIDs.Enforced || !strings.Contains(report.PIDs.Reason, "pids controller is not mounted") {
		t.Errorf("%+v", report)
	}
	g.observe(&report)
	g.remove()
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`/a\040b`: "/a b", `/a\134b`: `/a\b`, `\04`: `\04`, `/plain`: "/plain", `\999`: `\999`} {
		if got := unescape(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestChildSeesNoSecrets(t *testing.T) {
	t.Parallel()
	got := childEnvironment([]string{"PATH=/bin", "TOKEN=secret", "https_proxy=http://p", "AWS_SECRET_ACCESS_KEY=x", "HOME=/root"})
	if !slices.Equal(got, []string{"GOGC=400", "PATH=/bin", "https_proxy=http://p", "HOME=/root"}) {
		t.Errorf("the engine's environment is %q", got)
	}
}

func TestCAVariablesYield(t *testing.T) {
	t.Parallel()
	got := withCA([]string{"PIP_CERT=/own", "A=b"})
	if !slices.Contains(got, "PIP_CERT=/own") || slices.Contains(got, "PIP_CERT="+caInside) || !slices.Contains(got, "SSL_CERT_FILE="+caInside) {
		t.Errorf("%q", got)
	}
}

func TestFindCABundle(t *testing.T) {
	own := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(own, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", own)
	for wanted, want := range map[string]string{"": own, NoCABundle: "", own: own} {
		if got, err := findCABundle(wanted); got != want || err != nil {
			t.Errorf("%q gives %q, %v", wanted, got, err)
		}
	}
}

func TestLastWords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 2*logTail)+"\nfirst\nlast words\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := lastWords(path); got != "last words" {
		t.Errorf("%q", got)
	}
	if got := lastWords(path + "absent"); got != "" {
		t.Errorf("%q", got)
	}
}
