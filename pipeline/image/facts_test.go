package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const dpkgStatus = `Package: openjdk-17-jre-headless
Status: install ok installed
Architecture: amd64
Source: openjdk-17
Version: 17.0.12+7-2~deb12u1
Description: a Java
 Package: not-a-field
 .
 more

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b7
Source: bash (5.2.15-2)

Package: removed
Status: deinstall ok config-files
Version: 1
`

// sparkImage has something of everything that facts tell.
func sparkImage(t *testing.T) v1.Image {
	t.Helper()
	text, link, exec := imagetest.Text, imagetest.Symlink, imagetest.Exec
	jvm := "usr/lib/jvm/java-17-openjdk-amd64"
	base := imagetest.Layer(
		imagetest.Dir("tmp", 0o1777), imagetest.Dir("usr/bin"), link("bin", "usr/bin"),
		text("usr/lib/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"),
		link("etc/os-release", "../usr/lib/os-release"),
		text("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nold:$1$salt$hash:7:7::/:/bin/sh\nnologin:*:8:8::/:/bin/false\n"),
		text("etc/group", "root:x:0:\naudio:*:29:spark\n"),
		text("etc/shadow", "root:*:19000:0:99999:7:::\n"),
		text("etc/pam.d/su", "# who may become root\n\nauth\tsufficient pam_rootok.so # root\nauth required   pam_wheel.so use_uid\n"),
		exec("usr/bin/bash"), imagetest.File{Path: "usr/bin/su", Mode: 0o4755, Body: "su"},
		text("var/lib/dpkg/status", strings.Split(dpkgStatus, "\n\n")[1]),
		text("var/lib/apt/lists/deb.debian.org_main", "12345"), text("var/lib/apt/lists/lock", ""),
		imagetest.File{Path: "dev/null", Type: tar.TypeChar, Mode: 0o666},
	)
	java := imagetest.Layer(
		exec(jvm+"/bin/java"), text(jvm+"/release", "IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"17.0.12+7\"\nJAVA_VERSION=\"17.0.12\"\n"),
		link("etc/alternatives/java", "/"+jvm+"/bin/java"), link("usr/bin/java", "/etc/alternatives/java"),
		exec("opt/java8/jre/bin/java"), link("opt/java8/bin/java", "../jre/bin/java"), text("opt/java8/release", "JAVA_VERSION=\"1.8.0_432\"\nIMPLEMENTOR=\"Temurin\"\n"),
		text("var/lib/dpkg/status", dpkgStatus), imagetest.Opaque("var/lib/apt/lists"),
		text("root/.cache/pip/http/1", "123"),
	)
	spark := imagetest.Layer(
		imagetest.File{Path: "opt/spark/work-dir", Type: tar.TypeDir, Mode: 0o775, UID: 185, GID: 0},
		imagetest.Script("opt/entrypoint.sh", "#!/bin/bash\nexport AWS=AKIAIOSFODNN7EXAMPLE\nexec \"$@\"\n"),
		imagetest.Dir("opt/spark/logs", 0o777),
		imagetest.Exec("opt/spark/bin/spark-submit"),
		text("opt/spark/jars/spark-core_2.13-4.0.0.jar", "PK"),
		text("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nspark:x:185:0::/home/spark:/bin/bash\n"),
		text("etc/shadow", "root:*:19000:0:99999:7:::\nspark:$6$salt$verysecrethash:19000::::::\n"),
		text("home/spark/.profile", "# PATH=/no\nTOKEN=neverkept\nif [ -d \"$HOME/bin\" ]; then\n  PATH=\"$HOME/bin:$PATH\"\nfi\n"),
		imagetest.Exec("home/spark/bin/mine"),
	)
	return imagetest.WithConfig(t, &v1.ConfigFile{
		OS: "linux", Architecture: "arm64", Variant: "v8", Created: v1.Time{Time: time.Unix(1_700_000_000, 0)},
		Config: v1.Config{
			User: "185", Entrypoint: []string{"/opt/entrypoint.sh"}, Cmd: []string{"driver", "--token=abcdefgh", "--password", "ijklmnop"},
			Env: []string{
				"PATH=/usr/bin:/bin:/opt/spark/bin", "SPARK_HOME=/opt/spark", "DB_PASSWORD=hunter2hunter2", "EMPTY_TOKEN=", "NOVALUE",
			},
			Labels: map[string]string{"org.opencontainers.image.title": "spark", "api.key": "sk-0123456789"}, WorkingDir: "/opt/spark/work-dir",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "4040/tcp": {}}, Volumes: map[string]struct{}{"/data": {}}, StopSignal: "SIGTERM",
			Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}, Interval: 30 * time.Second, Timeout: 1500 * time.Millisecond, Retries: 3},
		},
		History: []v1.History{
			{CreatedBy: "ADD rootfs.tar /"},
			{CreatedBy: "CMD [\"bash\"]", EmptyLayer: true},
			{CreatedBy: "|1 NEXUS_PASSWORD=hunter2hunter2 /bin/sh -c apt-get install openjdk-17-jre-headless"},
			{CreatedBy: "COPY spark /opt/spark"},
			{CreatedBy: "USER 185", EmptyLayer: true},
		},
	}, base, java, spark)
}

func TestFactsGolden(t *testing.T) {
	t.Parallel()
	f := facts(t, read(t, sparkImage(t)), "/opt/spark/work-dir", "/opt/spark/jars/*.jar", "/bin/java", "/etc/os-release", "/no/such", "/opt/{spark,java8}/bin/*")
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(f))
	goldentest.Compare(t, "testdata/facts.golden.json", out.Bytes())
}

func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	img := sparkImage(t)
	contents := read(t, img)
	text, err := json.Marshal(facts(t, contents, "/**"))
	must(err)
	for i := range contents.Layers {
		for file, body := range contents.Layers[i].Bodies {
			text = append(append(text, file...), body...)
		}
	}
	for _, secret := range []string{"hunter2", "verysecrethash", "$1$salt", "neverkept", "AKIAIOSFODNN7EXAMPLE", "abcdefgh", "ijklmnop", "sk-0123456789"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%q is kept in facts or in the cache", secret)
		}
	}
}

func TestHistoryThatDoesNotFitIsLeftOut(t *testing.T) {
	t.Parallel()
	layers := []imagetest.Blob{imagetest.Layer(imagetest.Text("a", "")), imagetest.Layer(imagetest.Text("b", ""))}
	for name, history := range map[string][]v1.History{
		"none": nil, "too short": {{CreatedBy: "one"}}, "too long": {{CreatedBy: "one"}, {CreatedBy: "two"}, {CreatedBy: "three"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, read(t, imagetest.WithConfig(t, &v1.ConfigFile{History: history}, layers...)))
			for _, layer := range f.Layers {
				if layer.CreatedBy != "" {
					t.Errorf("layer %d is said to be made by %q", layer.Index, layer.CreatedBy)
				}
			}
			for _, step := range f.History {
				if step.Layer != -1 {
					t.Errorf("%q is said to have made layer %d", step.CreatedBy, step.Layer)
				}
			}
		})
	}
}

func TestPackagesAndTheirLayers(t *testing.T) {
	t.Parallel()
	status := func(packages ...string) imagetest.File {
		text := ""
		for _, p := range packages {
			name, version, _ := strings.Cut(p, "=")
			text += fmt.Sprintf("Package: %s\nVersion: %s\nStatus: install ok installed\nArchitecture: amd64\n\n", name, version)
		}
		return imagetest.Text("var/lib/dpkg/status", text)
	}
	layer := imagetest.Layer
	for name, test := range map[string]struct {
		layers []imagetest.Blob
		want   []string
	}{
		"each layer brings one": {
			[]imagetest.Blob{layer(status("a=1")), layer(status("a=1", "b=1")), layer(imagetest.Text("x", "")), layer(status("a=1", "b=1", "c=1"))},
			[]string{"a=1@0", "b=1@1", "c=1@3"},
		},
		"upgraded": {[]imagetest.Blob{layer(status("a=1")), layer(status("a=2"))}, []string{"a=2@1"}},
		"removed":  {[]imagetest.Blob{layer(status("a=1", "b=1")), layer(status("b=1"))}, []string{"b=1@0"}},
		"back again": {
			[]imagetest.Blob{layer(status("a=1")), layer(status("b=1")), layer(status("a=1", "b=1"))},
			[]string{"a=1@2", "b=1@1"},
		},
		"the database is gone": {[]imagetest.Blob{layer(status("a=1")), layer(imagetest.Whiteout("var/lib/dpkg"))}, nil},
		"distroless": {
			[]imagetest.Blob{layer(
				imagetest.Text("var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 2.36\nArchitecture: amd64\n"),
				imagetest.Text("var/lib/dpkg/status.d/libc6.md5sums", "Package: no\nVersion: 1\n"),
			), layer(imagetest.Text("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a-0+deb12u1\n"))},
			[]string{"libc6=2.36@0", "tzdata=2024a-0+deb12u1@1"},
		},
		"apk": {
			[]imagetest.Blob{layer(imagetest.Text("lib/apk/db/installed", "C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\nF:lib\nR:x\na:0:0:755\n\nP:libcrypto3\nV:3.1.4-r0\nA:x86_64\no:openssl\n\n"))},
			[]string{"libcrypto3=3.1.4-r0@0", "musl=1.2.4-r2@0"},
		},
		"apk behind a linked lib": {
			[]imagetest.Blob{layer(imagetest.Symlink("lib", "usr/lib"), imagetest.Text("usr/lib/apk/db/installed", "P:musl\nV:1\n"))},
			[]string{"musl=1@0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range facts(t, read(t, imagetest.Image(t, v1.Config{}, test.layers...))).Packages {
				got = append(got, fmt.Sprintf("%s=%s@%d", p.Name, p.Version, p.Layer))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCaches(t *testing.T) {
	t.Parallel()
	files := []imagetest.File{}
	for _, name := range []string{
		"var/lib/apt/lists/x_Packages", "var/cache/apt/archives/bash.deb", "var/cache/apt/pkgcache.bin", "var/cache/apk/APKINDEX.tar.gz",
		"etc/apk/cache/a.apk", "var/cache/yum/x86_64/a.rpm", "var/cache/dnf/a.solv", "root/.cache/pip/wheels/a", "home/u/.cache/pip/b",
		"opt/conda/pkgs/numpy.conda", "opt/miniconda3/pkgs/cache/1.json", "root/.npm/_cacache/index", "root/.m2/repository/a.jar",
		"home/spark/.ivy2/cache/b.jar", "var/cache/ldconfig/aux-cache", "srv/pkgs/not-conda",
	} {
		files = append(files, imagetest.Text(name, "12"))
	}
	files = append(files, imagetest.Text("var/lib/apt/lists/y_Packages", "123"), imagetest.Text("var/lib/apt/lists/lock", ""))
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(files...), imagetest.Layer(imagetest.Whiteout("opt/conda/pkgs"), imagetest.Whiteout("var/lib/apt/lists/x_Packages")))
	got := map[string]string{}
	for _, c := range facts(t, read(t, img)).Caches {
		got[c.Path] = fmt.Sprintf("%s %d bytes %d files layer %d deleted %v", c.Manager, c.Bytes, c.Files, c.Layer, c.Deleted)
	}
	want := map[string]string{
		"/var/lib/apt/lists":      "apt 5 bytes 2 files layer 0 deleted false",
		"/var/cache/apt/archives": "apt 2 bytes 1 files layer 0 deleted false",
		"/var/cache/apt":          "apt 2 bytes 1 files layer 0 deleted false",
		"/var/cache/apk":          "apk 2 bytes 1 files layer 0 deleted false",
		"/etc/apk/cache":          "apk 2 bytes 1 files layer 0 deleted false",
		"/var/cache/yum":          "yum 2 bytes 1 files layer 0 deleted false",
		"/var/cache/dnf":          "yum 2 bytes 1 files layer 0 deleted false",
		"/root/.cache/pip":        "pip 2 bytes 1 files layer 0 deleted false",
		"/home/u/.cache/pip":      "pip 2 bytes 1 files layer 0 deleted false",
		"/opt/conda/pkgs":         "conda 2 bytes 1 files layer 0 deleted true",
		"/opt/miniconda3/pkgs":    "conda 2 bytes 1 files layer 0 deleted false",
		"/root/.npm":              "npm 2 bytes 1 files layer 0 deleted false",
		"/root/.m2/repository":    "maven 2 bytes 1 files layer 0 deleted false",
		"/home/spark/.ivy2/cache": "ivy 2 bytes 1 files layer 0 deleted false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("caches differ (-want +got):\n%s", diff)
	}
}

func TestFilePatternsAreChecked(t *testing.T) {
	t.Parallel()
	contents := read(t, debian(t))
	for _, pattern := range []string{"", "etc/*", "/etc/[", "**"} {
		if _, err := contents.Facts(image.FactsOptions{Files: []string{pattern}}); !errors.Is(err, verdict.ErrUsage) {
			t.Errorf("pattern %q: error is %v", pattern, err)
		}
	}
	_, err := contents.Facts(image.FactsOptions{Files: []string{"/**"}, Limits: image.Limits{Facts: 3}})
	blamed(t, err, image.CodeLimit, "limit facts is 3")
}

func TestScripts(t *testing.T) {
	t.Parallel()
	script := func(name string) imagetest.File { return imagetest.Script(name, "#!/bin/sh\n") }
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(
		script("run.sh"), script("opt/start"), script("opt/deep/start"), script("srv/my-entrypoint"), script("usr/local/bin/docker-entrypoint.sh"),
		script("usr/local/bin/tool"), imagetest.Text("opt/text", "no script"), imagetest.Script("opt/huge", "#!"+strings.Repeat("x", 32<<10)),
		imagetest.Hardlink("usr/bin/linked", "opt/start"),
	))
	got := sortedKeys(facts(t, read(t, img)).Scripts)
	if diff := cmp.Diff([]string{"/opt/start", "/run.sh", "/srv/my-entrypoint", "/usr/local/bin/docker-entrypoint.sh"}, got); diff != "" {
		t.Errorf("scripts differ (-want +got):\n%s", diff)
	}
}
