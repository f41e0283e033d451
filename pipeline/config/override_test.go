package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const written = `
image: spark
scan: {fail_on: medium, database: {max_age: 1h}}
launch:
  - profile: spark
    limits: &l {memory: 3Gi, cpus: 1}
    probes: [{spark-pi: 20}, {run: [a, b]}]
  - {profile: service, limits: *l}
`

// TestOrder sets one field in every way: the later one wins, and the configuration knows where it comes from.
func TestOrder(t *testing.T) {
	t.Parallel()
	env, sets := []string{"HALLMARK_SCAN_FAIL_ON=low"}, []string{"scan.fail_on=high", "scan.fail_on=critical"}
	for _, test := range []struct {
		body         string
		env, sets    []string
		want, origin string
	}{
		{"", nil, nil, "high", "default"},
		{written, nil, nil, "medium", "hallmark.yaml:3"},
		{written, env, nil, "low", "environment HALLMARK_SCAN_FAIL_ON"},
		{"", env, nil, "low", "environment HALLMARK_SCAN_FAIL_ON"},
		{written, env, sets, "critical", "--set scan.fail_on"},
		{written, []string{"HALLMARK_SCAN_FAIL_ON="}, nil, "medium", "hallmark.yaml:3"},
	} {
		cfg, err := parse([]byte(test.body), Name, "", "/project", test.env, test.sets)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if string(cfg.Scan.FailOn) != test.want || cfg.Origin("scan.fail_on") != test.origin {
			t.Errorf("%+v: got %s from %s", test, cfg.Scan.FailOn, cfg.Origin("scan.fail_on"))
		}
	}
}

// TestReach sets fields at every kind of place.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set string // or NAME=value of the environment
		got func(*Config) any
		ok  string
	}{
		{"image=registry.example.com/x", func(c *Config) any { return c.Image }, "registry.example.com/x"},
		{"build.args.SPARK_VERSION=3.10", func(c *Config) any { return c.Build.Args }, "map[SPARK_VERSION:3.10]"},
		{"build.args={A: 1, B: two}", func(c *Config) any { return c.Build.Args }, "map[A:1 B:two]"},
		{"build.labels.org.opencontainers.image.source=https://x/y=z", func(c *Config) any { return c.Build.Labels }, "map[org.opencontainers.image.source:https://x/y=z]"},
		{`registry.auth["registry.example.com:5000"]={username: ci, password: "env:P"}`, func(c *Config) any { return c.Registry.Auth }, "map[registry.example.com:5000:{ci env:P }]"},
		{"promote.tags=golden, stable", func(c *Config) any { return c.Promote.Tags }, "[golden stable]"},
		{"promote.tags=[golden, '4.0']", func(c *Config) any { return c.Promote.Tags }, "[golden 4.0]"},
		{"promote.tags=", func(c *Config) any { return len(c.Promote.Tags) }, "0"},
		{"promote.tags[1]=4.0", func(c *Config) any { return c.Promote.Tags }, "[golden 4.0]"},
		{"launch[0].timeout=15m", func(c *Config) any { return c.Launch[0].Timeout }, "15m"},
		{"launch.1.timeout=15m", func(c *Config) any { return c.Launch[1].Timeout }, "15m"},
		{"launch[0].limits.memory=4Gi", func(c *Config) any { return fmt.Sprint(c.Launch[0].Limits, c.Launch[1].Limits) }, "{4Gi 1 1024} {3Gi 1 1024}"},
		{"launch[1].limits.memory=4Gi", func(c *Config) any { return fmt.Sprint(c.Launch[0].Limits, c.Launch[1].Limits) }, "{3Gi 1 1024} {4Gi 1 1024}"},
		{"launch[0].probes[0].spark-pi=5", func(c *Config) any { return *c.Launch[0].Probes[0].SparkPi }, "{{} 5 5m}"},
		{"launch[0].probes[0].spark-pi.timeout=9m", func(c *Config) any { return *c.Launch[0].Probes[0].SparkPi }, "{{} 20 9m}"},
		{"launch[0].probes[1].run.expect=ok", func(c *Config) any { return *c.Launch[0].Probes[1].Run }, "{{} [a b] ok  0 2m}"},
		{"launch[2]={profile: databricks}", func(c *Config) any { return len(c.Launch) }, "3"},
		{"launch=[]", func(c *Config) any { return len(c.Launch) }, "0"},
		{"scan.fixable_only=false", func(c *Config) any { return c.Scan.FixableOnly }, "false"},
		{"check.params.base.max_size=2GB", func(c *Config) any { return c.Check.Params }, "map[base:map[max_size:2GB]]"},
		{"check.params.base.nested.deep=[1, a]", func(c *Config) any { return c.Check.Params }, "map[base:map[nested:map[deep:[1 a]]]]"},
		{"HALLMARK_BUILD_PLATFORMS=linux/amd64,linux/arm64", func(c *Config) any { return c.Build.Platforms }, "[linux/amd64 linux/arm64]"},
		{"HALLMARK_BUILD_ARGS={A: b}", func(c *Config) any { return c.Build.Args }, "map[A:b]"},
		{"HALLMARK_SIGN_KEY=file:hallmark.key", func(c *Config) any { return c.Sign.Key }, "file:/project/hallmark.key"},
		{"HALLMARK_LAUNCH=[]", func(c *Config) any { return len(c.Launch) }, "0"},
		{"SOURCE_DATE_EPOCH=1735689600", func(c *Config) any { return c.Build.SourceDateEpoch }, "1735689600"},
		{"HALLMARK_HOME=/elsewhere", func(c *Config) any { return c.Image }, "spark"},
	} {
		t.Run(test.set, func(t *testing.T) {
			t.Parallel()
			var env, sets []string
			if strings.ToUpper(test.set[:4]) == test.set[:4] {
				env = []string{test.set}
			} else {
				sets = []string{test.set}
			}
			cfg, err := parse([]byte(written), Name, "", "/project", env, sets)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(test.got(cfg)); got != test.ok {
				t.Errorf("got %s, want %s", got, test.ok)
			}
		})
	}
}

// TestReachOfDefaults changes an element of a list that nobody wrote.
func TestReachOfDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := parse(nil, Name, "", "/project", nil, []string{"launch[0].timeout=15m"})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Launch) != 1 || cfg.Launch[0].Timeout.String() != "15m" || cfg.Launch[0].Profile != "service" {
		t.Errorf("got %+v", cfg.Launch)
	}
	if from := cfg.Origin("launch[0].profile"); from != "default" {
		t.Errorf("the profile comes from %s", from)
	}
}

// TestBadOverrides compares what people read about mistakes outside of the file.
func TestBadOverrides(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, test := range []struct{ env, sets []string }{
		{sets: []string{"scan.fial_on=high"}},
		{sets: []string{"scan.fail_on=hihg"}},
		{sets: []string{"scan.fail_on"}},
		{sets: []string{"=x"}},
		{sets: []string{"scan.fail_on.x=1"}},
		{sets: []string{"launch[7].timeout=1m"}},
		{sets: []string{"launch[x].timeout=1m"}},
		{sets: []string{"launch[0.timeout=1m", `registry.auth["a.username=x`, "a..b=c", "scan.=x"}},
		{sets: []string{"launch={target: sandbox"}},
		{sets: []string{"sign.password=hunter2hunter2", `registry.auth["r.example.com"]={username: ci, password: hunter3hunter3}`}},
		{env: []string{"HALLMARK_SIGN_PASSWORD=hunter2hunter2"}},
		{env: []string{"HALLMARK_SCAN_FAIL_ON=hihg"}},
		{env: []string{"HALLMARK_SCAN_FAILON=high"}},
		{env: []string{"HALLMARK_LAUNCH_0_TIMEOUT=1m"}},
		{env: []string{"SOURCE_DATE_EPOCH=now"}},
		{sets: []string{strings.Repeat("a.", 40) + "b=c", "scan.\x1b[2J\u202e=x"}},
	} {
		_, err := parse([]byte(written), Name, "", "/project", test.env, test.sets)
		if err == nil || !errors.Is(err, verdict.ErrUsage) {
			t.Errorf("%+v: got %v", test, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter") {
			t.Errorf("the error repeats a secret: %v", err)
		}
		fmt.Fprintf(&b, "%v\n", err)
	}
	goldentest.Compare(t, "testdata/overrides.golden", b.String())
}

// TestStrayIsASecret lets a variable stand that a reference names.
func TestHas(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"image": true, "scan.failon": true, "launch[0].timeout": true, "runtime": false, "databricks.runtime": false, "scna.fail_on": false,
		"[0]": false, "": false, "a..b": true, // what cannot be read is told where fields are read
	} {
		if Has(path) != want {
			t.Errorf("Has(%q) is %v", path, !want)
		}
	}
}

// Packs that were chosen on the command line are not hindered by what the file says of its own.
func TestChosenPacks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), Name)
	body := "check: {packs: [base], params: {base: {size_mib: 5}, spark: {uid: 1}}}"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, file, nil, nil); err == nil || !strings.Contains(err.Error(), "a pack that is not in check.packs") {
		t.Errorf("error is %v", err)
	}
	cfg, err := load(t, file, nil, []string{"check.packs=[spark]"})
	if err != nil || len(cfg.Check.Params) != 1 || cfg.Check.Params["spark"]["uid"] != 1 {
		t.Errorf("%v %v", cfg, err)
	}
	if _, err := load(t, file, nil, []string{"check.packs=[spark]", "check.params.base.size_mib=6"}); err == nil {
		t.Error("a parameter from the command line went nowhere")
	}
}

func TestStrayIsASecret(t *testing.T) {
	t.Parallel()
	_, err := parse([]byte("sign: {key: file:k, password: env:HALLMARK_SIGN_KEY_PASSWORD}"), Name, "", "/project", []string{"HALLMARK_SIGN_KEY_PASSWORD=x"}, nil)
	if err != nil {
		t.Error(err)
	}
}

// TestFiles looks at what Load does with the file system.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	project := filepath.Join(dir, "My Spark_Image")
	if err := os.MkdirAll(project, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(project, nil, nil)
	if err != nil || cfg.File != "" || cfg.Image != "my-spark-image" || cfg.Build.Dockerfile != filepath.Join(project, "Dockerfile") {
		t.Errorf("without a file: %+v, %v", cfg, err)
	}
	write := func(name, body string) string {
		path := filepath.Join(project, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	yml := write("hallmark.yml", "image: spark")
	if _, err := Load(project, nil, nil); err == nil || !strings.Contains(err.Error(), "Rename it to hallmark.yaml") {
		t.Errorf("with hallmark.yml: %v", err)
	}
	if cfg, err := Load(yml, nil, nil); err != nil || cfg.Image != "spark" {
		t.Errorf("with hallmark.yml by name: %v", err)
	}
	write("hallmark.yaml", "image: spark\nbuild: {context: sub}")
	if cfg, err := Load(project, nil, nil); err != nil || cfg.Build.Context != filepath.Join(project, "sub") || cfg.File != filepath.Join(project, Name) {
		t.Errorf("with a file: %+v, %v", cfg, err)
	}
	large := write("large.yaml", strings.Repeat("# comment\n", 1<<18))
	for _, path := range []string{large, filepath.Join(project, "missing.yaml"), filepath.Join(project, "missing")} {
		if _, err := Load(path, nil, nil); !errors.Is(err, verdict.ErrUsage) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestCredentialOfTheEnvironment: the variables that open one registry set no field, and are no mistakes.
func TestCredentialOfTheEnvironment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hallmark.yaml")
	if err := os.WriteFile(path, []byte("image: spark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"HALLMARK_REGISTRY_HOST=ghcr.io", "HALLMARK_REGISTRY_USERNAME=ci", "HALLMARK_REGISTRY_PASSWORD=x", "HALLMARK_REGISTRY_TOKEN=x"}
	if _, err := Load(path, env, nil); err != nil {
		t.Error(err)
	}
}
