//go:build real

package real

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// sparkImage is the demo's image, on one home for all tests about it, so that it is built once.
type sparkImage struct {
	home
	contexts []string // what it is built from
	first    outcome  // the run that made it golden
}

// quickProbes asks less than the demo does.
const quickProbes = `launch[0].probes=[{spark-pi: 2}, {run: [bin/spark-submit, --version]}, {python: {code: 'print("rows", spark.range(1000).count())', expect: rows 1000}}]`

// run runs the folder's Dockerfile on the demo's inputs.
func (s sparkImage) run(t *testing.T, folder string, more ...string) outcome {
	t.Helper()
	return s.begin(t, nil, folder, more...).end(t)
}

func (s sparkImage) begin(t *testing.T, watch watcher, folder string, more ...string) *call {
	t.Helper()
	args := append([]string{"run", folder, "--set", quickProbes}, s.contexts...)
	return s.start(t, watch, append(args, more...)...)
}

// demoInputs are the base and the Spark distribution that the demo keeps, made where they are missing.
func demoInputs(t *testing.T) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", "./examples/spark/setup")
	cmd.Dir, cmd.Stderr = top, os.Stderr
	cmd.Env = append(os.Environ(), "GOEXPERIMENT=jsonv2")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("preparing the demo's inputs: %v", err)
	}
	return strings.Fields(string(out))
}

// The parts share one image and follow each other: each says what it leaves to the next.
func TestSpark(t *testing.T) {
	s := &sparkImage{home: newHome(t), contexts: demoInputs(t)}
	for _, part := range []struct {
		name string
		test func(*sparkImage, *testing.T)
	}{
		{"from Dockerfile to golden", (*sparkImage).toGolden},
		{"cosign verifies", (*sparkImage).cosign},
		{"again", (*sparkImage).again},
		{"in a workflow with an approval", (*sparkImage).approved},
		{"in distribution's registry", (*sparkImage).elsewhere},
		{"broken", (*sparkImage).broken},
		{"one layer changed, interrupted, killed", (*sparkImage).changed},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(s, t) }) && s.first.code != 0 {
			t.Fatal("without a golden image there is nothing more to test")
		}
	}
}

const sparkFolder = "examples/spark"

func (s *sparkImage) toGolden(t *testing.T) {
	s.first.code = -1
	o := s.run(t, sparkFolder).want(t, 0)
	s.first = o
	r := o.report
	if r.Verdict != "pass" || r.ExitCode != 0 || r.Subject.Repository != "127.0.0.1:5877/spark" || !strings.HasPrefix(r.Subject.Digest, "sha256:") {
		t.Errorf("verdict %q, exit code %d, subject %s", r.Verdict, r.ExitCode, r.Subject)
	}
	if !strings.HasPrefix(r.StagingTag, "127.0.0.1:5877/spark:staging-") || !strings.HasSuffix(r.StagingTag, "-"+r.Subject.Short()) {
		t.Errorf("staging tag %q", r.StagingTag)
	}
	if want := []golden{{Ref: "127.0.0.1:5877/spark:golden", Move: report.Moved, To: r.Subject.Digest, At: r.Golden[0].At}}; !slices.Equal(r.Golden, want) {
		t.Errorf("golden %+v", r.Golden)
	}
	for _, step := range r.Steps {
		if step.State != report.Done || step.Elapsed == 0 || step.Detail == "" {
			t.Errorf("step %+v", step)
		}
		t.Logf("%-8s %5.1fs %s", step.Name, step.Elapsed.Seconds(), step.Detail)
	}
	s.launched(t, r)
	if !slices.ContainsFunc(r.Bases, func(b report.Base) bool { return strings.HasPrefix(b.Digest, "sha256:") }) {
		t.Errorf("bases %+v", r.Bases)
	}
	if !strings.Contains(r.Scan.Database.Note, "demonstration") || r.Scan.Packages < 100 {
		t.Errorf("scan %+v", r.Scan)
	}
	for _, file := range []string{"report.html", "summary.md", "report.json", "hallmark.pub", "launch-1-sandbox-spark.log"} {
		if info, err := os.Stat(filepath.Join(filepath.Dir(r.Path), file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	v := isGolden(t, s.home, o)
	if got := kindsOf(v); got != "check×1 launch×1 promotion×1 provenance×1 sbom×1 signature×2 vulnerabilities×1" {
		t.Errorf("evidence %s", got)
	}
	asReported(t, o)
}

// launched fails the test unless the cluster was real and held to its limits.
func (s *sparkImage) launched(t *testing.T, r report.Report) {
	t.Helper()
	if len(r.Launches) != 1 {
		t.Fatalf("launches %+v", r.Launches)
	}
	l := r.Launches[0]
	if l.Verdict != "pass" || l.Target != "sandbox" || l.Profile != "spark" || l.Runtime == "" {
		t.Errorf("launch %+v", l)
	}
	if len(l.Probes) != 3 {
		t.Fatalf("probes %+v", l.Probes)
	}
	for i, want := range []struct{ name, output string }{{"spark-pi 2", "Pi is roughly 3.1"}, {"run bin/spark-submit --version", "version 3.5.7"}, {"python", "rows 1000"}} {
		if p := l.Probes[i]; p.Verdict != "pass" || p.Name != want.name || !strings.Contains(p.Output, want.output) {
			t.Errorf("probe %+v", p)
		}
	}
	for i, want := range []report.Limit{{Name: "memory", Asked: "3Gi", Enforced: true}, {Name: "cpus", Asked: "2", Enforced: true}, {Name: "pids", Asked: "1024", Enforced: true}} {
		if i >= len(l.Limits) || l.Limits[i] != want {
			t.Errorf("limits %+v, want %+v", l.Limits, want)
		}
	}
	told := ""
	for _, event := range l.Events {
		told += event.Text + "\n"
	}
	for _, want := range []string{"pulled by its digest", "the master's page answers on port 8080", "the worker's page answers on port 8081"} {
		if !strings.Contains(told, want) {
			t.Errorf("the launch does not say %q:\n%s", want, told)
		}
	}
	log, err := os.ReadFile(l.LogPath)
	if err != nil || !strings.Contains(string(log), "Registering worker") {
		t.Errorf("the launch's log %s: %v, %d bytes", l.LogPath, err, len(log))
	}
}

// again runs the same command: nothing is done, nothing is written.
func (s *sparkImage) again(t *testing.T) {
	before := s.registryListing(t)
	o := s.run(t, sparkFolder).want(t, 0)
	allSkipped(t, o)
	if after := s.registryListing(t); !maps.Equal(before, after) {
		t.Errorf("the registry's folder has changed: %v, before %v", after, before)
	}
	if o.report.Subject != s.first.report.Subject || o.report.StagingTag != s.first.report.StagingTag {
		t.Errorf("%s under %s, before %s under %s", o.report.Subject, o.report.StagingTag, s.first.report.Subject, s.first.report.StagingTag)
	}
	for _, e := range o.report.Evidence {
		if !e.Reused {
			t.Errorf("it was made again: %+v", e)
		}
	}
	if l := o.report.Launches; len(l) != 1 || !l[0].Reused || l[0].Verdict != "pass" {
		t.Errorf("launches %+v", l)
	}
}

// registryListing is every file of the embedded registry, with its time.
func (s *sparkImage) registryListing(t *testing.T) map[string]time.Time {
	t.Helper()
	files := map[string]time.Time{}
	err := filepath.WalkDir(filepath.Join(s.dir, "registry"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			files[path] = info.ModTime()
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// elsewhere takes the image to golden in distribution's own registry, and then again.
func (s *sparkImage) elsewhere(t *testing.T) {
	registry := newFar(t, nil)
	image := append([]string{"--set", "image=" + registry.addr + "/platform/spark"}, noLaunch...)
	o := s.run(t, sparkFolder, image...).want(t, 0)
	if o.report.Subject.Digest != s.first.report.Subject.Digest {
		t.Errorf("the digest is %s there, %s here", o.report.Subject.Digest, s.first.report.Subject.Digest)
	}
	if o.step(t, "build").State != report.Skipped || o.step(t, "read").State != report.Skipped {
		t.Errorf("what was built and read was built or read again: %s", o)
	}
	if len(o.report.Layers) == 0 || o.report.Upload.Sent < len(o.report.Layers) {
		t.Errorf("%d layers, upload %+v", len(o.report.Layers), o.report.Upload)
	}
	isGolden(t, s.home, o, noLaunch...)
	asReported(t, o)
	registry.injector.Reset()
	again := s.run(t, sparkFolder, image...).want(t, 0)
	if writes := registry.writes(); len(writes) > 0 {
		t.Errorf("the second run wrote:\n%s", strings.Join(writes, "\n"))
	}
	if again.step(t, "stage").State != report.Skipped || again.step(t, "promote").State != report.Skipped {
		t.Errorf("done again: %s", again)
	}
}

// changed builds a variant that differs in its last layer. Its first run is interrupted while Spark comes up, its second
// is killed while SparkPi runs, its third has only the launch and the promotion left to do.
func (s *sparkImage) changed(t *testing.T) {
	folder := filepath.Join(s.dir, "changed")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(top, sparkFolder))); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(folder, "entrypoint.sh")
	text, err := os.ReadFile(script)
	if err == nil {
		err = os.WriteFile(script, append(text, "# one line more\n"...), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cut := s.begin(t, at(begins("start spark"), func(c *call) {
		go func() { time.Sleep(3 * time.Second); c.signal(syscall.SIGINT) }()
	}), folder).end(t)
	interrupted(t, s.home, cut)
	s.onlyOneLayer(t, cut.report)

	killed := s.begin(t, at(begins("probe spark-pi"), func(c *call) {
		go func() { time.Sleep(2 * time.Second); c.signal(syscall.SIGKILL) }()
	}), folder).end(t)
	if killed.code != -1 {
		t.Fatalf("it was not killed: %s", killed)
	}
	nothingLeft(t, s.home)

	o := s.run(t, folder)
	resumed(t, s.home, o, "build", "check", "scan", "upload", "stage")
	s.launched(t, o.report)
	if from := o.report.Golden[0].From; from != s.first.report.Subject.Digest {
		t.Errorf("golden moved from %q, it was %s", from, s.first.report.Subject.Digest)
	}
}

// onlyOneLayer fails the test unless only what has changed was read and uploaded.
func (s *sparkImage) onlyOneLayer(t *testing.T, r report.Report) {
	t.Helper()
	var read []report.Layer
	for _, layer := range r.Layers {
		if !layer.Cached {
			read = append(read, layer)
		}
	}
	if len(read) != 1 || !strings.Contains(read[0].CreatedBy, "entrypoint.sh") {
		t.Errorf("read anew: %+v", read)
	}
	if r.Upload.Sent < 1 || r.Upload.Sent > 2 || r.Upload.Bytes > 100<<10 || r.Upload.Present != len(r.Layers)-1 {
		t.Errorf("%d layers, upload %+v; want one layer and the configuration", len(r.Layers), r.Upload)
	}
}
