//go:build real

package real

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// databricksImages are the examples for Databricks, on one home for all tests about them, so that each is built once.
type databricksImages struct {
	home
	base string // the argument that puts a base of Ubuntu's into place
}

// ubuntuBase is the base that examples/spark/setup keeps, made where it is missing.
func ubuntuBase(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", "./examples/spark/setup", "-base", "ubuntu:24.04")
	cmd.Dir, cmd.Stderr = top, os.Stderr
	cmd.Env = append(os.Environ(), "GOEXPERIMENT=jsonv2")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("preparing the base: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// The parts share a home: the examples share layers, and the corpus is built on the one with Python.
func TestDatabricksImages(t *testing.T) {
	d := &databricksImages{home: newHome(t), base: ubuntuBase(t)}
	d.env = append(d.env, "HALLMARK_DEMO_CACHE="+os.Getenv("HALLMARK_DEMO_CACHE")) // where the default runtime is
	if !t.Run("python", d.python) {
		t.Fatal("without this image there is nothing that the corpus could break")
	}
	t.Run("minimal", d.minimal)
	t.Run("with-init-scripts", d.withInitScripts)
	t.Run("gpu", d.gpu)
	t.Run("corpus on this machine", d.onThisMachine)
	t.Run("corpus in a workspace", d.inWorkspaces)
}

// toGolden runs an example and fails the test unless it became golden with all its evidence. Layers are compressed
// with zstd: half of such a build would be gzip's.
func (d *databricksImages) toGolden(t *testing.T, name string, sets ...string) report.Report {
	t.Helper()
	args := []string{"run", filepath.Join("examples", "databricks", name), d.base, "--set", "build.compression=zstd"}
	for _, set := range sets {
		args = append(args, "--set", set)
	}
	o := d.call(t, args...).want(t, 0)
	r := o.report
	for _, f := range r.Findings {
		// Labels say which revision was built, and that is for whoever builds.
		if f.ID != "base.labels" && f.ID != "databricks.python" {
			t.Errorf("the example has a finding: %+v", f)
		}
	}
	for _, step := range r.Steps {
		t.Logf("%-8s %5.1fs %s", step.Name, step.Elapsed.Seconds(), step.Detail)
	}
	if len(r.Launches) != 1 || r.Launches[0].Verdict != "pass" {
		t.Fatalf("launches %+v", r.Launches)
	}
	for _, p := range r.Launches[0].Probes {
		t.Logf("probe %-60s %5.1fs", p.Name, p.Elapsed.Seconds())
	}
	if v := isGolden(t, d.home, o); kindsOf(v) != "check×1 launch×1 promotion×1 provenance×1 sbom×1 signature×2 vulnerabilities×1" {
		t.Errorf("evidence %s", kindsOf(v))
	}
	return r
}

// says fails the test unless one of the launch's events says so.
func says(t *testing.T, r report.Report, all ...string) {
	t.Helper()
	told := eventsOf(r.Launches[0])
	for _, want := range all {
		if !strings.Contains(told, want) {
			t.Errorf("the launch does not say %q:\n%s", want, told)
		}
	}
}

func (d *databricksImages) python(t *testing.T) {
	r := d.toGolden(t, "python", "launch[0].probes[1]={run: [/databricks/python3/bin/pip, check]}") // SQL on a driver of its own is asked of another image
	if len(r.Launches[0].Probes) != 4 {
		t.Errorf("probes %+v", r.Launches[0].Probes)
	}
	says(t, r, "Python at /databricks/python3/bin/python3", "java at /usr/bin/java")
}

func (d *databricksImages) minimal(t *testing.T) {
	r := d.toGolden(t, "minimal", `launch[0].probes=[{run: [id, libraries]}]`) // the probes on drivers are the other parts'
	says(t, r, "no Python", "entry point and command are ignored")
}

func (d *databricksImages) withInitScripts(t *testing.T) {
	r := d.toGolden(t, "with-init-scripts")
	says(t, r, "the init script file:/opt/init/agent.sh (sha256:", "the init script labels.sh (sha256:", "ended with exit code 0")
}

// gpu goes as far as there is something to look at without a GPU.
func (d *databricksImages) gpu(t *testing.T) {
	cuda := filepath.Join(d.dir, "cuda")
	d.call(t, "build", "examples/databricks/gpu/stand-in", d.base, "--to", cuda).want(t, 0)
	o := d.call(t, "run", "examples/databricks/gpu", "--build-context=nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04=oci-layout://"+cuda, "--set", "build.compression=zstd").want(t, 0)
	if o.step(t, "launch").State != report.Skipped || o.step(t, "check").State != report.Done || len(o.report.Golden) != 0 {
		t.Errorf("%s", o)
	}
	var packs []string
	for _, p := range o.report.Packs {
		packs = append(packs, p.Name)
	}
	if got := strings.Join(packs, " "); got != "base databricks databricks-gpu" {
		t.Errorf("packs %q", got)
	}
	for _, f := range o.report.Findings {
		if f.ID != "base.labels" {
			t.Errorf("the example has a finding: %+v", f)
		}
	}
}
