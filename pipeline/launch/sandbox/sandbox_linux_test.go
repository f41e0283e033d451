package sandbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// faux builds the program that plays all parts, once.
var faux = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "faux")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/faux")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program of the tests: %w\n%s", err, out)
	}
	return path, nil
})

// variant makes the image of the tests a little different.
type variant struct {
	faux      string   // what FAUX says
	without   []string // paths
	config    func(*v1.ConfigFile)
	modes     map[string]int64
	notScript bool // the entry point is text without a first line
}

// image is a Spark image as small as it goes: every program in it is faux.
func image(t testing.TB, variant variant) v1.Image {
	t.Helper()
	program, err := faux()
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	add := func(header tar.Header, body []byte) {
		for _, path := range variant.without {
			if header.Name == path {
				return
			}
		}
		if mode, set := variant.modes[header.Name]; set {
			header.Mode = mode
		}
		header.Size, header.Format = int64(len(body)), tar.FormatPAX
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		_, _ = archive.Write(body)
	}
	for _, dir := range []string{"bin", "etc", "tmp", "opt", "opt/spark", "opt/spark/bin", "opt/spark/work-dir"} {
		add(tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	add(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0::/root:/bin/sh\nspark:x:185:0::/opt/spark/work-dir:/bin/sh\n"))
	if variant.notScript {
		add(tar.Header{Name: "opt/entrypoint", Typeflag: tar.TypeReg, Mode: 0o755}, []byte("echo no first line\n"))
	} else {
		add(tar.Header{Name: "opt/entrypoint", Typeflag: tar.TypeReg, Mode: 0o755}, body)
	}
	add(tar.Header{Name: "bin/faux", Typeflag: tar.TypeReg, Mode: 0o755}, body)
	for _, command := range []string{"opt/spark/bin/spark-class", "opt/spark/bin/spark-submit", "bin/service", "bin/sleep", "bin/id", "bin/parent", "bin/echo", "bin/bash", "bin/java"} {
		add(tar.Header{Name: command, Typeflag: tar.TypeSymlink, Linkname: "/bin/faux", Mode: 0o777}, nil)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", platform()
	config.Config = v1.Config{
		Entrypoint: []string{"/opt/entrypoint"}, User: "185", WorkingDir: "/opt/spark/work-dir",
		Env: []string{"PATH=/bin", "SPARK_HOME=/opt/spark", "GREETING=hello there", "FAUX=" + variant.faux},
	}
	if variant.config != nil {
		variant.config(config)
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// push serves img from a registry of its own for the length of the test.
func push(t testing.TB, img v1.Image) (subject.Subject, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(quiet)))
	t.Cleanup(server.Close)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(strings.TrimPrefix(server.URL, "http://") + "/spark@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	s, err := subject.New(ref.Context().Name(), digest.String())
	if err != nil {
		t.Fatal(err)
	}
	return s, server
}

func target(t testing.TB) *sandbox.Target {
	t.Helper()
	enginetest.NeedRoot(t)
	return targetOn(t, shared(t))
}

func targetOn(t testing.TB, e sandbox.Engine) *sandbox.Target {
	t.Helper()
	helper, err := faux()
	if err != nil {
		t.Fatal(err)
	}
	made, err := sandbox.New(sandbox.Options{Engine: e, Helper: helper})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var (
	pi      = launch.Probe{Kind: launch.SparkPi, Partitions: 2, Timeout: 20 * time.Second}
	limits  = launch.Limits{Memory: 256 << 20, CPUs: 1, PIDs: 200}
	version = launch.Probe{Kind: launch.Command, Args: []string{"bin/spark-submit", "--version"}, Contains: "3.5.7"}
)

func TestLaunch(t *testing.T) {
	t.Parallel()
	run := func(args ...string) launch.Probe {
		return launch.Probe{Kind: launch.Command, Args: args, Timeout: 20 * time.Second}
	}
	identity := launch.Probe{Kind: launch.Command, Args: []string{"id"}, Contains: "185 0 /opt/spark/work-dir /opt/spark/work-dir hello there HALLMARK_SANDBOX=\n"}
	service := func(c *v1.ConfigFile) { c.Config.Entrypoint, c.Config.Cmd = nil, []string{"service"} }
	tests := []struct {
		name    string
		variant variant
		profile launch.Profile
		probes  []launch.Probe
		timeout time.Duration
		want    verdict.Verdict
		code    string
		reason  string
		remedy  string
		also    func(*testing.T, *launch.Result)
	}{
		{name: "a cluster", probes: []launch.Probe{pi, version, identity}, want: verdict.Pass, also: limitsHold},
		{
			name: "a probe that fails leaves the cluster to the next", probes: []launch.Probe{run("faux"), run("nosuch"), pi},
			want: verdict.Fail, code: launch.CodeProbe, reason: "exit code 64",
			also: func(t *testing.T, r *launch.Result) {
				if r.Probes[1].Reason != "there is no command nosuch in the image" || r.Probes[2].Verdict != verdict.Pass {
					t.Errorf("probes %+v", r.Probes)
				}
			},
		},
		{
			name: "a probe that hangs is ended with its children", probes: []launch.Probe{{Kind: launch.Command, Args: []string{"parent"}, Timeout: 2 * time.Second}, pi},
			want: verdict.Fail, code: launch.CodeProbe, reason: "does not end within 2s",
			also: func(t *testing.T, r *launch.Result) {
				if r.Probes[1].Verdict != verdict.Pass {
					t.Errorf("the next probe: %+v", r.Probes[1])
				}
			},
		},
		{
			name: "no Python", probes: []launch.Probe{{Kind: launch.Python, Code: "print(1)"}}, want: verdict.Pass,
			also: func(t *testing.T, r *launch.Result) {
				if r.Probes[0].Skipped != "there is no python3 in the image" {
					t.Errorf("probe %+v", r.Probes[0])
				}
			},
		},
		{name: "a missing jar", variant: variant{faux: "jarless"}, probes: []launch.Probe{pi}, want: verdict.Fail, code: launch.CodeProbe, reason: "the class org/apache/xbean/asm9/ClassVisitor is missing", remedy: "jar"},
		{name: "a broken entry point", variant: variant{faux: "broken"}, want: verdict.Fail, code: launch.CodeExited, reason: "the master ended with exit code 1 before the master's page answered: the class org.apache.spark.launcher.Main is missing"},
		{name: "an entry point that says nothing", variant: variant{faux: "silent"}, want: verdict.Fail, code: launch.CodeExited, reason: "exit code 7 before the master's page answered and wrote nothing"},
		{name: "a worker that ends", variant: variant{faux: "short"}, want: verdict.Fail, code: launch.CodeExited, reason: "the worker ended with exit code 3 before the worker's page answered: access is denied"},
		{name: "a master that dies under a probe", variant: variant{faux: "dying,waiting"}, probes: []launch.Probe{pi}, want: verdict.Fail, code: launch.CodeExited, reason: "Java ran out of memory"},
		{name: "an entry point that hangs", variant: variant{faux: "hang"}, timeout: 6 * time.Second, want: verdict.Fail, code: launch.CodeNotReady, reason: "waiting for a file that never comes"},
		{name: "an entry point that eats memory", variant: variant{faux: "eat"}, want: verdict.Fail, code: launch.CodeMemory, reason: "the memory limit of 256Mi killed the master", remedy: "launch.limits.memory"},
		{name: "a probe that eats memory", variant: variant{faux: "hungry"}, probes: []launch.Probe{pi}, want: verdict.Fail, code: launch.CodeMemory, reason: "the memory limit of 256Mi killed"},
		{name: "no entry point", variant: variant{without: []string{"opt/entrypoint"}}, want: verdict.Fail, code: launch.CodeStart, reason: "/opt/entrypoint is not in the image"},
		{name: "an entry point without rights", variant: variant{modes: map[string]int64{"opt/entrypoint": 0o644}}, want: verdict.Fail, code: launch.CodeStart, reason: "permission denied"},
		{name: "an entry point that is no program", variant: variant{notScript: true}, want: verdict.Fail, code: launch.CodeStart, reason: "first line"},
		{name: "an unknown user", variant: variant{config: func(c *v1.ConfigFile) { c.Config.User = "nobody-at-all" }}, want: verdict.Fail, code: launch.CodeStart, reason: "user is not in its /etc/passwd"},
		{name: "another platform", variant: variant{config: func(c *v1.ConfigFile) { c.Architecture = "s390x" }}, want: verdict.Fail, code: launch.CodePlatform, reason: "s390x"},
		{
			name: "a service", profile: launch.Service, variant: variant{config: service}, want: verdict.Pass,
			probes: []launch.Probe{{Kind: launch.HTTP, Port: 8000, Contains: "hello from /opt/spark/work-dir", Timeout: 10 * time.Second}},
		},
		{
			name: "a service that does not listen", profile: launch.Service, variant: variant{config: service}, want: verdict.Fail, code: launch.CodeProbe,
			probes: []launch.Probe{{Kind: launch.HTTP, Port: 81, Timeout: 2 * time.Second}}, reason: "does not answer within 2s: connection refused",
		},
		{name: "a service that nothing is asked of", profile: launch.Service, variant: variant{config: service}, want: verdict.Pass},
		{
			name: "a service that ends at once", profile: launch.Service, want: verdict.Fail, code: launch.CodeExited, reason: "the service ended with exit code 0",
			variant: variant{config: func(c *v1.ConfigFile) { c.Config.Entrypoint = []string{"/bin/id"} }},
		},
		{name: "nothing to start", profile: launch.Service, variant: variant{config: func(c *v1.ConfigFile) { c.Config.Entrypoint = nil }}, want: verdict.Fail, code: launch.CodeStart, reason: "neither an entry point nor a command"},
	}
	sandboxed := target(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			candidate, _ := push(t, image(t, test.variant))
			profile := test.profile
			if profile == "" {
				profile = launch.Spark
			}
			timeout := test.timeout
			if timeout == 0 {
				timeout = time.Minute
			}
			got, err := launch.Run(t.Context(), sandboxed, launch.Spec{
				Subject: candidate, Profile: profile, Probes: test.probes, Limits: limits, Timeout: timeout, RunID: "test",
				LogPath: filepath.Join(t.TempDir(), "launch.log"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != test.want || got.Code != test.code || !strings.Contains(got.Reason, test.reason) || !strings.Contains(got.Remedy, test.remedy) {
				t.Errorf("verdict %s, code %q\nreason %s\nremedy %s", got.Verdict, got.Code, got.Reason, got.Remedy)
			}
			if test.also != nil {
				test.also(t, got)
			}
			if t.Failed() {
				t.Logf("log:\n%s\nprobes: %+v", got.LogTail, got.Probes)
			}
		})
	}
}

func limitsHold(t *testing.T, r *launch.Result) {
	t.Helper()
	if len(r.Limits) != 3 {
		t.Errorf("limits %+v", r.Limits)
	}
	for _, limit := range r.Limits {
		if !limit.Enforced && limit.Note == "" {
			t.Errorf("%s is not enforced, and nothing says why", limit.Name)
		}
	}
	if !strings.Contains(r.LogTail, "[master] INFO started") || !strings.Contains(r.LogTail, "[worker] INFO started") {
		t.Errorf("log %s", r.LogTail)
	}
}

func TestRegistryThatIsGoneIsNotTheImagesFault(t *testing.T) {
	t.Parallel()
	sandboxed := target(t)
	// An image of its own: what another test has had pulled, the engine would not pull again.
	candidate, server := push(t, image(t, variant{faux: "waiting,gone"}))
	server.Close()
	got, err := launch.Run(t.Context(), sandboxed, launch.Spec{Subject: candidate, Profile: launch.Spark, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != verdict.Inconclusive || got.Code != launch.CodePull {
		t.Errorf("verdict %s, code %s, reason %s", got.Verdict, got.Code, got.Reason)
	}
	t.Log(got.Reason)
}

func TestCancelTakesTheContainerDown(t *testing.T) {
	t.Parallel()
	sandboxed := target(t)
	candidate, _ := push(t, image(t, variant{faux: "waiting,cancelled"}))
	ctx, cancel := context.WithCancel(t.Context())
	var cancelled time.Time
	time.AfterFunc(4*time.Second, func() { cancelled = time.Now(); cancel() })
	got, err := launch.Run(ctx, sandboxed, launch.Spec{Subject: candidate, Profile: launch.Spark, Probes: []launch.Probe{pi}, Limits: limits, Timeout: time.Minute})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if took := time.Since(cancelled); took > 8*time.Second {
		t.Errorf("taking down took %s", took)
	}
	if got.Code != launch.CodeInterrupted || got.Verdict != verdict.Inconclusive {
		t.Errorf("verdict %s, code %s", got.Verdict, got.Code)
	}
	if left := running(t, "FAUX=waiting,cancelled"); left != nil {
		t.Errorf("still running: %v", left)
	}
}
