package build

import (
	"archive/tar"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := Options{Context: dir, Layout: dir}
	checked, err := good.check()
	if err != nil || checked.Dockerfile != filepath.Join(dir, "Dockerfile") || checked.Compression != Gzip {
		t.Errorf("%+v, %v", checked, err)
	}
	tests := map[string]func(o *Options){
		"no layout":    func(o *Options) { o.Layout = "" },
		"no context":   func(o *Options) { o.Context = "" },
		"absent":       func(o *Options) { o.Context = filepath.Join(dir, "absent") },
		"not a folder": func(o *Options) { o.Context = file },
		"compression":  func(o *Options) { o.Compression = "lzma" },
		"platform":     func(o *Options) { o.Platforms = []string{"linux/amd64/x/y/z"} },
		"secret":       func(o *Options) { o.Secrets = map[string]secret.Ref{"token": "hunter2"} },
		"cache":        func(o *Options) { o.CacheTo = []Cache{{Type: "gha"}} },
		"frontend":     func(o *Options) { o.Args = map[string]string{"BUILDKIT_SYNTAX": "x"} },
		"argument":     func(o *Options) { o.Args = map[string]string{"A=B": "x"} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			spoil(&o)
			if _, err := o.check(); !errors.Is(err, verdict.ErrUsage) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want a usage error", err)
			}
		})
	}
}

func TestSyntaxLine(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"FROM scratch\n": true,
		"# syntax=docker/dockerfile:1\nFROM scratch\n":              true,
		"# syntax=docker.io/docker/dockerfile:1.7-labs\nFROM a\n":   true,
		"# escape=`\n# syntax = docker/dockerfile\nFROM scratch\n":  true,
		"# syntax=evil/frontend\nFROM scratch\n":                    false,
		"# syntax=registry.example.com/docker/dockerfile\nFROM a\n": false,
		"#!/bin/x\n# syntax=evil/frontend\nFROM scratch\n":          false,
		"// syntax=evil/frontend\n":                                 false,
	} {
		if err := checkSyntax("Dockerfile", []byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLinesAndChains(t *testing.T) {
	t.Parallel()
	file, err := parseDockerfile("Dockerfile", []byte(`ARG ROOT=debian
ARG TAG=12
FROM ${ROOT}:${TAG} AS first
RUN one
FROM busybox AS second
RUN two
FROM FIRST AS third
COPY --from=alpine:3 /a /b
RUN three
`))
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, command := range file.chain(file.stage(""), nil) {
		lines = append(lines, stepOf(command).Line)
	}
	if len(lines) != 3 || lines[0] != 4 || lines[1] != 8 || lines[2] != 9 {
		t.Errorf("the image's commands stand on lines %v, want 4, 8, 9", lines)
	}
	if got := file.stage("SECOND"); got != 1 {
		t.Errorf("stage %d, want 1", got)
	}
	for ref, want := range map[string]int{
		"docker.io/library/debian:12": 3, "docker.io/library/busybox:latest": 5, "docker.io/library/alpine:3": 8, "docker.io/library/other:1": 0,
	} {
		if got := file.lineOf(ref, nil); got != want {
			t.Errorf("%s is asked for on line %d, want %d", ref, got, want)
		}
	}
	if got := file.lineOf("docker.io/library/ubuntu:12", map[string]string{"ROOT": "ubuntu"}); got != 3 {
		t.Errorf("with an argument: line %d, want 3", got)
	}
}

func FuzzDockerfile(f *testing.F) {
	f.Add("FROM scratch\nRUN x\n")
	f.Add("ARG A=$A\nFROM $A AS a\nFROM a AS a\nCOPY <<E /x\nE\n")
	f.Add("# escape=`\nFROM a`\nb\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseDockerfile("Dockerfile", []byte(text))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		commands := file.chain(file.stage(""), map[string]string{"A": "b"})
		for _, step := range mapSteps(commands, ocispecs.Image{History: []ocispecs.History{{CreatedBy: "RUN x"}}}) {
			file.excerpt(step.Line, step.EndLine)
		}
		file.lineOf("docker.io/library/a:latest", nil)
	})
}

func TestStepsAreMappedFromTheEnd(t *testing.T) {
	t.Parallel()
	file, err := parseDockerfile("Dockerfile", []byte("FROM base\nENV A=b\nRUN one\nARG X\nCOPY a b\nCMD [\"x\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	config := ocispecs.Image{History: []ocispecs.History{
		{CreatedBy: "RUN /bin/sh -c base"},
		{CreatedBy: "RUN /bin/sh -c trigger"}, // of the base's ONBUILD
		{CreatedBy: "ENV A=b", EmptyLayer: true},
		{CreatedBy: "RUN /bin/sh -c one # buildkit"},
		{CreatedBy: "ARG X", EmptyLayer: true},
		{CreatedBy: "COPY a b # buildkit"},
		{CreatedBy: `CMD ["x"]`, EmptyLayer: true},
	}}
	for _, name := range []string{"base", "trigger", "run", "copy"} {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromString(name))
	}
	steps := mapSteps(file.chain(0, nil), config)
	want := []string{"", digest.FromString("run").String(), "", digest.FromString("copy").String(), ""}
	for i, step := range steps {
		if step.Layer != want[i] || step.Line != i+2 || step.CreatedBy == "" {
			t.Errorf("step %d is %+v, want layer %q on line %d", i, step, want[i], i+2)
		}
	}
}

func TestOutagesAreTold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"dial tcp: lookup registry.invalid: no such host":                               true,
		"dial tcp 127.0.0.1:1: connect: connection refused":                             true,
		"unexpected status from HEAD request to http://x/v2/: 503 Service Unavailable":  true,
		"unexpected status code 429":                                                    true,
		"net/http: TLS handshake timeout":                                               true,
		"E: Unable to fetch: Temporary failure in name resolution":                      true,
		"pip: Failed to establish a new connection: [Errno 101] Network is unreachable": true,
		"E: Unable to locate package nonsense":                                          false,
		"make: *** [all] Error 2":                                                       false,
		"500 files copied":                                                              false,
		"test 502 failed":                                                               false,
	} {
		if got := outage.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestSplitLayout(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][2]string{
		"/a/b": {"/a/b", ""}, "/a/b:1.2": {"/a/b", "1.2"}, "/a/b@sha256:00": {"/a/b", "sha256:00"}, "/a:b/c": {"/a:b/c", ""}, "base": {"base", ""},
	} {
		if path, wanted := splitLayout(value); path != want[0] || wanted != want[1] {
			t.Errorf("%q gives %q, %q", value, path, wanted)
		}
	}
}

func TestContextsAreChecked(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for name, value := range map[string]string{
		"no layout": "oci-layout://" + empty, "absent": "oci-layout:///no/such", "no folder": "no/such/folder", "no image": "docker-image://UPPER",
	} {
		if _, err := resolveContexts(map[string]string{name: value}, empty); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestClamp(t *testing.T) {
	t.Parallel()
	epoch := time.Unix(1000, 0)
	header := &tar.Header{ModTime: time.Unix(2000, 0), AccessTime: time.Unix(500, 0)}
	clamp(header, epoch)
	if !header.ModTime.Equal(epoch) || !header.AccessTime.Equal(time.Unix(500, 0)) || !header.ChangeTime.IsZero() {
		t.Errorf("%+v", header)
	}
}

func TestEpochs(t *testing.T) {
	t.Parallel()
	old, late := time.Unix(10, 0), time.Unix(1700000000, 5e8)
	for _, test := range []struct {
		explicit, base *time.Time
		want           time.Time
	}{
		{nil, nil, earliest},
		{nil, &old, earliest},
		{nil, &late, time.Unix(1700000000, 0)},
		{&old, &late, old},
	} {
		if got := layerEpoch(test.explicit, test.base); !got.Equal(test.want) {
			t.Errorf("%v, %v give %s, want %s", test.explicit, test.base, got, test.want)
		}
	}
}

func TestCommitTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, found := commitTime(t.Context(), dir); found {
		t.Skip("SKIPPED: the folder for temporary files is under git")
	}
	inner := filepath.Join(dir, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{"inner/file", "outside"} {
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		date := time.Unix(1700000000+int64(i)*1000, 0).UTC().Format(time.RFC3339)
		for _, args := range [][]string{{"init", "-q"}, {"add", path}, {"-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "m"}} {
			cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
			cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE="+date, "GIT_AUTHOR_DATE="+date)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git %q: %v\n%s", args, err, out)
			}
		}
	}
	// The later commit did not touch the folder.
	if when, found := commitTime(t.Context(), inner); !found || when.Unix() != 1700000000 {
		t.Errorf("%v, %s", found, when)
	}
}

func TestDropKeepsWhatIsReferenced(t *testing.T) {
	t.Parallel()
	folder := layoutFolder(t.TempDir())
	lock, err := folder.open(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	kept, err := folder.put([]byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	gone, err := folder.put([]byte("gone"))
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.drop(map[digest.Digest]bool{kept: true}); err != nil {
		t.Fatal(err)
	}
	if !folder.has(kept, 4) || folder.has(kept, 5) || folder.has(gone, 0) {
		t.Error("the wrong blobs are left")
	}
}
