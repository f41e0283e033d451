package check_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

var now = time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)

const entrypoint = `#!/usr/bin/env bash
set -eu
case "${1:-}" in
  driver) shift; set -- "$SPARK_HOME/bin/spark-submit" "$@" ;;
  executor) shift; set -- "$JAVA_HOME/bin/java" "$@" ;;
esac
exec /usr/bin/tini -s -- "$@"
`

// spark is an image in the making: its files by path, below and above, and its configuration.
type spark struct {
	below, above map[string]imagetest.File
	config       v1.Config
}

// newSpark keeps the contract of both packs.
func newSpark() *spark {
	s := &spark{below: map[string]imagetest.File{}, above: map[string]imagetest.File{}}
	s.put(s.below,
		imagetest.Text("etc/os-release", "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n"),
		imagetest.File{Path: "etc/passwd", Mode: 0o664, Body: "root:x:0:0:root:/root:/bin/bash\n"},
		imagetest.Text("etc/group", "root:x:0:\n"),
		imagetest.File{Path: "etc/shadow", Mode: 0o640, GID: 42, Body: "root:*:19000:0:99999:7:::\n"},
		imagetest.Dir("tmp", 0o1777),
		imagetest.Symlink("bin", "usr/bin"), imagetest.Symlink("sbin", "usr/sbin"),
		imagetest.Exec("usr/bin/bash"), imagetest.Exec("usr/bin/tini"), imagetest.Exec("usr/bin/python3"),
		imagetest.File{Path: "usr/bin/su", Mode: 0o4755, Body: "su"},
		imagetest.Exec("usr/lib/jvm/java-17-openjdk-amd64/bin/java"),
		imagetest.Text("usr/lib/jvm/java-17-openjdk-amd64/release", "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.12\"\n"),
		imagetest.Symlink("usr/bin/java", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"),
	)
	s.put(s.above,
		imagetest.Script("opt/entrypoint.sh", entrypoint), imagetest.Script("opt/decom.sh", "#!/bin/bash\n"),
		imagetest.Script("opt/spark/bin/spark-class", "#!/usr/bin/env bash\n"),
		imagetest.Script("opt/spark/bin/spark-submit", "#!/usr/bin/env bash\n"),
		imagetest.Script("opt/spark/sbin/start-master.sh", "#!/usr/bin/env bash\n"),
		imagetest.Dir("opt/spark/work-dir", 0o775),
	)
	for _, module := range []string{"catalyst", "core", "kubernetes", "kvstore", "launcher", "network-common", "network-shuffle", "sql", "tags", "unsafe"} {
		s.put(s.above, imagetest.Text("opt/spark/jars/spark-"+module+"_2.12-3.5.7.jar", "jar"))
	}
	s.config = v1.Config{
		User: "185", Entrypoint: []string{"/opt/entrypoint.sh"}, WorkingDir: "/opt/spark/work-dir",
		Env: []string{
			"PATH=/usr/local/bin:/usr/bin:/bin", "SPARK_HOME=/opt/spark", "JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64",
		},
	}
	return s
}

func (s *spark) put(layer map[string]imagetest.File, files ...imagetest.File) {
	for _, f := range files {
		layer[f.Path] = f
	}
}

func (s *spark) facts(t testing.TB, packs []*check.Pack) *image.Facts {
	t.Helper()
	layers := make([]imagetest.Blob, 0, 2)
	for _, files := range []map[string]imagetest.File{s.below, s.above} {
		names := make([]string, 0, len(files))
		for name := range files {
			names = append(names, name)
		}
		slices.Sort(names)
		ordered := make([]imagetest.File, 0, len(files))
		for _, name := range names {
			ordered = append(ordered, files[name])
		}
		layers = append(layers, imagetest.Layer(ordered...))
	}
	reader := image.Reader{Cache: t.TempDir()}
	contents, err := reader.Read(t.Context(), imagetest.Image(t, s.config, layers...))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := contents.Facts(image.FactsOptions{Files: check.Files(packs)})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// TestImages builds images, reads them, and asks both packs: what blocks is what was broken.
func TestImages(t *testing.T) {
	t.Parallel()
	packs := load(t, "base", "spark")
	for _, c := range []struct {
		name   string
		spoil  func(*spark)
		blocks []string // rule, file and layer
	}{
		{"nothing", func(*spark) {}, nil},
		{"no tini", func(s *spark) { delete(s.below, "usr/bin/tini") }, []string{"spark.tini"}},
		{"no bash", func(s *spark) { delete(s.below, "usr/bin/bash") }, []string{"spark.bash"}},
		{
			"another Java",
			func(s *spark) {
				s.put(s.above, imagetest.Text("usr/lib/jvm/java-17-openjdk-amd64/release", "JAVA_VERSION=\"21.0.4\"\n"))
			},
			[]string{
				"spark.java_supported /usr/lib/jvm/java-17-openjdk-amd64 layer 0",
				"spark.java_version /usr/lib/jvm/java-17-openjdk-amd64 layer 0",
			},
		},
		{
			"no Java",
			func(s *spark) {
				delete(s.below, "usr/lib/jvm/java-17-openjdk-amd64/bin/java")
				delete(s.below, "usr/bin/java")
			},
			[]string{"spark.java"},
		},
		{
			"work folder closed",
			func(s *spark) { s.put(s.above, imagetest.Dir("opt/spark/work-dir", 0o755)) },
			[]string{"spark.work_dir /opt/spark/work-dir layer 1"},
		},
		{
			"a module's jar taken away above",
			func(s *spark) {
				s.below["opt/spark/jars/spark-core_2.12-3.5.7.jar"] = s.above["opt/spark/jars/spark-core_2.12-3.5.7.jar"]
				delete(s.above, "opt/spark/jars/spark-core_2.12-3.5.7.jar")
				s.put(s.above, imagetest.Whiteout("opt/spark/jars/spark-core_2.12-3.5.7.jar"))
			},
			[]string{"spark.modules /opt/spark/jars"},
		},
		{
			"entry point of one's own",
			func(s *spark) { s.put(s.above, imagetest.Script("opt/entrypoint.sh", "#!/bin/sh\nexec \"$@\"\n")) },
			[]string{"spark.entrypoint_roles /opt/entrypoint.sh layer 1", "spark.entrypoint_tini /opt/entrypoint.sh layer 1"},
		},
		{
			"secrets",
			func(s *spark) {
				s.config.Env = append(s.config.Env, "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY")
				s.put(s.below, imagetest.Text("root/.ssh/id_rsa", "key"), imagetest.Text("root/.netrc", "machine a password b"))
			},
			[]string{"base.credential_files /root/.netrc layer 0", "base.private_keys /root/.ssh/id_rsa layer 0", "base.secret_env"},
		},
		{
			"rights for everybody",
			func(s *spark) {
				s.put(s.above, imagetest.File{Path: "opt/tool", Mode: 0o4755, Body: "x"}, imagetest.Dir("data", 0o777))
			},
			[]string{"base.setuid /opt/tool layer 1", "base.world_writable /data layer 1"},
		},
		{"root", func(s *spark) { s.config.User = "" }, []string{"base.user", "spark.uid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSpark()
			c.spoil(s)
			facts := s.facts(t, packs)
			result, err := check.Run(t.Context(), check.Input{Facts: facts, Now: now}, packs, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range result.Findings {
				if f.Blocking {
					got = append(got, strings.TrimSpace(f.ID+" "+f.Place.File+layerOf(facts, f.Place.Layer)))
				}
				if strings.Contains(f.Message, "EXAMPLEKEY") {
					t.Errorf("a secret is repeated: %s", f.Message)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.blocks, got); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, text(result.Findings))
			}
			if want := map[bool]verdict.Verdict{true: verdict.Pass, false: verdict.Fail}[len(c.blocks) == 0]; result.Verdict != want {
				t.Errorf("verdict %s, want %s", result.Verdict, want)
			}
		})
	}
}

// TestRealJars asks about the jars of Spark 3.5.7 by their real names, which follow no one scheme.
func TestRealJars(t *testing.T) {
	t.Parallel()
	names, err := os.ReadFile("testdata/spark-3.5.7-jars.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := newSpark()
	maps.DeleteFunc(s.above, func(name string, _ imagetest.File) bool { return strings.HasSuffix(name, ".jar") })
	for _, name := range strings.Fields(string(names)) {
		s.put(s.above, imagetest.Text("opt/spark/jars/"+name, "jar"))
	}
	packs := load(t, "spark")
	result, err := check.Run(t.Context(), check.Input{Facts: s.facts(t, packs), Now: now}, packs, nil)
	if err != nil || result.Verdict != verdict.Pass {
		t.Errorf("%v\n%s", err, text(result.Findings))
	}
}

// TestBareImage asks about an image that has nothing at all: rules must have an answer for it too.
func TestBareImage(t *testing.T) {
	t.Parallel()
	packs := load(t, "base", "spark")
	for _, config := range []v1.Config{{}, {User: "99999999999:x:y", Env: []string{"JAVA_HOME", "PATH=", "=x"}, ExposedPorts: map[string]struct{}{"": {}}}} {
		s := &spark{config: config}
		result, err := check.Run(t.Context(), check.Input{Facts: s.facts(t, packs), Now: now}, packs, nil)
		if err != nil || result.Verdict != verdict.Fail || len(result.Findings) < 12 {
			t.Errorf("%v\n%s", err, text(result.Findings))
		}
	}
}

func layerOf(facts *image.Facts, diffID string) string {
	for _, layer := range facts.Layers {
		if layer.DiffID == diffID {
			return fmt.Sprintf(" layer %d", layer.Index)
		}
	}
	return ""
}

// text is findings as a person reads them, one a paragraph.
func text(findings []verdict.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		word := "advice"
		if f.Blocking {
			word = "BLOCKS"
		}
		fmt.Fprintf(&b, "%s %s (%s) %s\n  %s\n", word, f.ID, f.Severity, f.Title, f.Message)
		if place := f.Place.String(); place != "" {
			fmt.Fprintf(&b, "  at %s", place)
			if f.Place.CreatedBy != "" {
				fmt.Fprintf(&b, ", from %q", f.Place.CreatedBy)
			}
			b.WriteByte('\n')
		}
		if f.Waiver != nil {
			fmt.Fprintf(&b, "  waiver of %s until %s: %s\n", f.Waiver.Owner, f.Waiver.Until, f.Waiver.Reason)
		}
		fmt.Fprintf(&b, "  %s\n", f.Remedy)
	}
	return b.String()
}

// TestFindingsForPeople is one image with many faults, one of them waived and one no longer, as a person reads it.
func TestFindingsForPeople(t *testing.T) {
	t.Parallel()
	packs := load(t, "base", "spark")
	s := newSpark()
	delete(s.below, "usr/bin/tini")
	s.config.User = "root"
	s.put(s.above,
		imagetest.Dir("opt/spark/work-dir", 0o755),
		imagetest.File{Path: "opt/tool\x1b[2J", Mode: 0o4755, Body: "x"},
		imagetest.Text("opt/spark/jars/spark-core_2.13-3.5.1.jar", "jar"),
	)
	facts := s.facts(t, packs)
	build := &check.BuildFacts{
		Dockerfile: "images/Dockerfile",
		Bases:      []check.Base{{Ref: "docker.io/library/debian:13", Digest: "sha256:ab", Line: 1}},
		Steps:      []check.Step{{Line: 9, Instruction: "COPY spark /opt/spark", Layer: facts.Layers[1].DiffID}},
	}
	waivers := []verdict.Waiver{
		{Rule: "spark.uid", Reason: "the old cluster mounts volumes of root", Owner: "data platform", Until: "2026-12-31"},
		{Rule: "base.user", Reason: "the same", Owner: "data platform", Until: "2026-02-28"},
		{Rule: "spark.tinny", Reason: "x", Owner: "data platform", Until: "2026-12-31"},
	}
	result, err := check.Run(t.Context(), check.Input{Facts: facts, Build: build, Now: now}, packs, waivers)
	if err != nil {
		t.Fatal(err)
	}
	goldentest.Compare(t, "testdata/findings.golden", text(result.Findings))
	encoded, err := json.Marshal(result)
	if err != nil || strings.Contains(string(encoded), "\x1b") {
		t.Errorf("%v %s", err, encoded)
	}
}

// BenchmarkRun asks both packs about an image with as many files as Spark's own.
func BenchmarkRun(b *testing.B) {
	packs := load(b, "base", "spark")
	s := newSpark()
	for i := range 1000 {
		s.put(s.above, imagetest.Text(fmt.Sprintf("opt/spark/jars/lib%d-1.%d.jar", i, i), "jar"))
	}
	facts := s.facts(b, packs)
	for b.Loop() {
		if _, err := check.Run(b.Context(), check.Input{Facts: facts, Now: now}, packs, nil); err != nil {
			b.Fatal(err)
		}
	}
}
