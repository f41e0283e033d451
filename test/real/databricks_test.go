//go:build real

package real

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// platformImage is an image as Databricks' container services want it, but for the system that the demo's base is.
const platformImage = `FROM debian:bookworm-slim
RUN mkdir -p /usr/share/man/man1 && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      bash iproute2 openjdk-17-jre-headless procps python3 python3-venv sudo >/dev/null && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv --system-site-packages /databricks/python3
COPY --chmod=0755 good.sh bad.sh /opt/
ENV PYSPARK_PYTHON=/databricks/python3/bin/python
USER 65532:65532
ENTRYPOINT ["/there/is/no/such/file"]
CMD ["--ever"]
`

// platformFiles are the other files of the project. The scripts tell that they are root, and leave a program running.
var platformFiles = map[string]string{
	"Dockerfile": platformImage,
	"good.sh":    "#!/bin/bash\nset -e\necho \"uid $(id -u) $DB_IS_DRIVER\" | tee /var/told\n(sleep 600; echo late) &\n",
	"bad.sh":     "#!/bin/bash\necho configuring\necho 'tool.conf: no such setting: colour' >&2\nexit 9\n",
	"local.sh":   "grep -q 'uid 0 TRUE' /var/told\necho the first one ran before\n",
	"wrong.sh":   "echo 'nothing to be done' >&2\nexit 4\n",
	"hallmark.yaml": `image: platform
build: {source_date_epoch: 2026-01-01}
check: {packs: []}
scan: {fail_on: critical}
launch:
  - target: sandbox
    profile: databricks
    limits: {memory: 3Gi, cpus: 2, pids: 1024}
    init_scripts: ["file:/opt/good.sh", local.sh]
    probes:
      - python:
          code: |
            from pyspark.sql.functions import udf
            print("rows", spark.range(1000).filter("id % 2 = 0").count(), spark.range(3).select(udf(lambda x: "=" + str(x * 2))("id").alias("d")).collect())
          matches: rows 500 .*d='=4'
      - sql: {query: 'SELECT sum(id) AS total, "a" AS letter FROM range(100)', expect: "4950\ta"}
      - scala: {code: 'println("sum " + spark.range(10).collect().map(_.toLong).sum)', expect: sum 45}
      - pip: {from: wheels, packages: [tiny-tool], code: 'import tiny_tool; print(tiny_tool.VERSION, spark.range(7).count())', expect: one point oh 7}
      - run: {args: [bash, -c, 'cd /dev/hallmark-files/3/wheels; touch x && exit 9; cat /var/told; ls -ld /databricks/spark; exit 3'], matches: 'Read-only file system\nuid 0 TRUE\n.*root root', exit: 3}
promote: {require: [signature, launch]}
`,
}

func platformProject(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(work, "platform-")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range platformFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "wheels"), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "wheels", "tiny_tool-1.0-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	wheel, info := zip.NewWriter(file), "tiny_tool-1.0.dist-info/"
	for _, part := range [][2]string{
		{"tiny_tool.py", "VERSION = 'one point oh'\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: tiny-tool\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", "tiny_tool.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := wheel.Create(part[0])
		if err == nil {
			_, err = w.Write([]byte(part[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := wheel.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The parts share one image, which is built once; the first one makes it golden, the others stop at the launch.
func TestDatabricks(t *testing.T) {
	h, dir := newHome(t), platformProject(t)
	h.env = append(h.env, "HALLMARK_DEMO_CACHE="+os.Getenv("HALLMARK_DEMO_CACHE")) // where the default runtime is
	contexts := demoInputs(t)
	run := func(t *testing.T, code int, sets ...string) report.Launch {
		t.Helper()
		args := append([]string{"run", dir}, contexts...)
		for _, set := range sets {
			args = append(args, "--set", set)
		}
		o := h.call(t, args...).want(t, code)
		if len(o.report.Launches) != 1 {
			t.Fatalf("launches %+v: %s", o.report.Launches, o)
		}
		return o.report.Launches[0]
	}
	t.Run("all steps and probes", func(t *testing.T) {
		l := run(t, 0)
		if l.Verdict != "pass" || len(l.Probes) != 5 || !strings.Contains(l.Runtime, "Spark 3.5.7, Scala 2.12") {
			t.Errorf("launch %+v", l)
		}
		for _, p := range l.Probes {
			if p.Verdict != "pass" {
				t.Errorf("probe %+v", p)
			}
			t.Logf("%-60s %5.1fs", p.Name, p.Elapsed.Seconds())
		}
		said := eventsOf(l)
		for _, want := range []string{
			"entry point and command are ignored", "was copied to /databricks/spark", "the init script file:/opt/good.sh (sha256:", "the init script local.sh (sha256:",
			"Python at /databricks/python3/bin/python", "what this launch cannot know",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("the launch does not say %q:\n%s", want, said)
			}
		}
		if l := run(t, 0); !l.Reused {
			t.Error("the second run launched again")
		}
	})
	for _, test := range []struct {
		name, sets string
		code       int
		verdict    string
		want       []string
	}{
		{"a script of the image fails", `launch[0].init_scripts=["file:/opt/bad.sh"]`, 1, "fail", []string{"the init script file:/opt/bad.sh ended with exit code 9", "no such setting: colour"}},
		{"a script of the user's fails", `launch[0].init_scripts=["file:/opt/good.sh", "wrong.sh"]`, 3, "inconclusive", []string{"the init script wrong.sh ended with exit code 4", "nothing to be done", "not part of the image"}},
		{"a script is not in the image", `launch[0].init_scripts=["file:/opt/none.sh"]`, 1, "fail", []string{"file:/opt/none.sh is not in the image"}},
		{"no runtime", `launch[0].runtime=wheels`, 3, "inconclusive", []string{"wheels is no Spark distribution"}},
		{"code that raises", `launch[0].probes=[{scala: 'sys.error("boom " + 1)'}, {sql: SELECT nothing}]`, 1, "fail", []string{"boom 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := run(t, test.code, test.sets)
			if string(l.Verdict) != test.verdict || l.Remedy == "" {
				t.Errorf("verdict %s, remedy %q", l.Verdict, l.Remedy)
			}
			for _, want := range test.want {
				if !strings.Contains(l.Reason, want) {
					t.Errorf("the reason does not say %q: %s", want, l.Reason)
				}
			}
			if asked := "probes"; strings.Contains(test.sets, asked) && (len(l.Probes) != 2 || l.Probes[1].Verdict != "fail") {
				t.Errorf("probes %+v", l.Probes)
			}
			t.Log(l.Reason, "|", l.Remedy)
		})
	}
}

// An image without Java and Python stops before a driver is tried.
func TestDatabricksWithoutJava(t *testing.T) {
	h, dir := newHome(t), platformProject(t)
	h.env = append(h.env, "HALLMARK_DEMO_CACHE="+os.Getenv("HALLMARK_DEMO_CACHE"))
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM debian:bookworm-slim\nCOPY good.sh bad.sh /opt/\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := h.call(t, append([]string{"run", dir}, demoInputs(t)...)...).want(t, 1)
	if l := o.report.Launches[0]; l.Verdict != "fail" || !strings.Contains(l.Reason, "there is no java on the PATH of the image") || !strings.Contains(eventsOf(l), "local.sh (sha256:") {
		t.Errorf("launch %+v", l)
	}
}

func eventsOf(l report.Launch) string {
	var b strings.Builder
	for _, event := range l.Events {
		fmt.Fprintln(&b, event.Text)
	}
	return b.String()
}
