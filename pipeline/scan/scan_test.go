package scan

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// today is the day on which every test takes place.
func today() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// Secrets for tests, put together so that this file holds none.
var (
	githubToken = "ghp_" + strings.Repeat("aB3dE6gH9j", 4)[:36]
	awsKeyID    = "AKIA" + "IOSFODNN7EXAM" + "QRS"
	privateKey  = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + strings.Repeat("MIIEowIBAAKCAQEA7bq1", 8) + "\n-----END RSA " + "PRIVATE KEY-----\n"
)

// status is a dpkg status file of name=version pairs; a pair may carry "source" as name=version=source.
func status(packages ...string) string {
	var b strings.Builder
	for _, text := range packages {
		parts := strings.Split(text, "=")
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nMaintainer: Debian\nArchitecture: amd64\n", parts[0])
		if len(parts) > 2 {
			fmt.Fprintf(&b, "Source: %s\n", parts[2])
		}
		fmt.Fprintf(&b, "Version: %s\nDescription: a package\n of two lines\n\n", parts[1])
	}
	return b.String()
}

// jar is an archive with the coordinates of each "group:artifact:version", and a class.
func jar(t testing.TB, coordinates ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	put := func(name, text string) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range coordinates {
		p := strings.Split(c, ":")
		put("META-INF/maven/"+p[0]+"/"+p[1]+"/pom.properties", "#made for a test\ngroupId="+p[0]+"\nartifactId="+p[1]+"\nversion="+p[2]+"\n")
	}
	put("A.class", "\xca\xfe\xba\xbe")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var debian = []imagetest.File{
	imagetest.Text("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
	imagetest.Text("etc/debian_version", "12.12\n"),
	imagetest.Text("var/lib/dpkg/status", status("apt=2.6.1", "zlib1g=1:1.2.13.dfsg-1=zlib", "libssl3=3.0.17-1~deb12u2=openssl")),
}

func demoDatabase(t testing.TB) *Database {
	t.Helper()
	database, err := OpenDatabase(t.Context(), nil, DatabaseOptions{From: DemoDatabase, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return database
}

func read(t testing.TB, o Options, img v1.Image) *image.Contents {
	t.Helper()
	contents, err := (&image.Reader{Analyzers: Analyzers(o)}).Read(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func options() Options {
	return Options{
		Name: "registry.example.com/platform/spark:test", FailOn: verdict.High, FixableOnly: true, Secrets: true,
		Now: today, Version: "1.0.0",
	}
}

func scan(t testing.TB, o Options, img v1.Image) *Result {
	t.Helper()
	result, err := Run(t.Context(), read(t, o, img), demoDatabase(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func find(t testing.TB, r *Result, id string) verdict.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("no finding %s among %d: %+v", id, len(r.Findings), r.Findings)
	return verdict.Finding{}
}

func TestCleanImagePassesWithFindingsThatDoNotBlock(t *testing.T) {
	t.Parallel()
	r := scan(t, options(), imagetest.Image(t, v1.Config{},
		imagetest.Layer(debian...),
		imagetest.Layer(imagetest.File{Path: "opt/spark/jars/guava-14.0.1.jar", Body: jar(t, "com.google.guava:guava:14.0.1")}),
	))
	if r.Verdict != verdict.Pass {
		t.Errorf("verdict %s, findings %+v", r.Verdict, r.Findings)
	}
	if r.Packages != 4 || r.System != "debian 12.12" {
		t.Errorf("%d packages of %q", r.Packages, r.System)
	}
	zlib := find(t, r, "CVE-2023-45853")
	if zlib.Severity != verdict.Critical || zlib.Blocking || zlib.Package.Name != "zlib1g" || zlib.Package.Installed != "1:1.2.13.dfsg-1" {
		t.Errorf("zlib: %+v %+v", zlib, zlib.Package)
	}
	if zlib.Place.File != "/var/lib/dpkg/status" || zlib.Place.CreatedBy != "layer 0" {
		t.Errorf("zlib stands at %+v", zlib.Place)
	}
	guava := find(t, r, "CVE-2023-2976")
	if guava.Severity != verdict.Medium || guava.Blocking || guava.Place.File != "/opt/spark/jars/guava-14.0.1.jar" ||
		guava.Place.CreatedBy != "layer 1" || guava.Remedy != "Upgrade com.google.guava:guava from 14.0.1 to 32.0.0-android" {
		t.Errorf("guava: %+v", guava)
	}
	for _, f := range r.Findings {
		if f.ID == "CVE-2023-5363" {
			t.Errorf("openssl 3.0.17 is fixed: %+v", f)
		}
	}
}

func TestFixableHighBlocks(t *testing.T) {
	t.Parallel()
	r := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(debian...), imagetest.Layer(
		imagetest.File{Path: "app/fat.jar", Body: jar(t, "org.apache.logging.log4j:log4j-core:2.14.1", "org.yaml:snakeyaml:1.33")})))
	if r.Verdict != verdict.Fail {
		t.Errorf("verdict %s", r.Verdict)
	}
	log4j := find(t, r, "CVE-2021-44228")
	if !log4j.Blocking || log4j.Remedy != "Upgrade org.apache.logging.log4j:log4j-core from 2.14.1 to one of 2.15.0, 2.12.2, 2.3.1" {
		t.Errorf("%+v", log4j)
	}
	if yaml := find(t, r, "CVE-2022-1471"); !yaml.Blocking || yaml.Severity != verdict.High {
		t.Errorf("%+v", yaml)
	}
}

// Every output of the demonstration database says what it is, in plain words.
func TestEveryFormatNamesTheDemonstrationDatabase(t *testing.T) {
	t.Parallel()
	r := scan(t, options(), golden(t))
	for _, format := range Formats {
		var out bytes.Buffer
		if err := r.Write(&out, format); err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		flat := strings.Join(strings.Fields(out.String()), " ")
		if !strings.Contains(flat, "demonstration database: ") || !strings.Contains(flat, "not a vulnerability assessment") {
			t.Errorf("%s does not say what its database is:\n%s", format, out.String())
		}
		if format != "table" && !json.Valid(out.Bytes()) {
			t.Errorf("%s is not JSON", format)
		}
		for _, secret := range []string{githubToken, awsKeyID, "MIIEowIBAAKCAQEA7bq1"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s shows a secret", format)
			}
		}
	}
	if !r.Database.Demo || r.Database.Note == "" || r.Notes[0] != r.Database.Note {
		t.Errorf("the database's note is missing: %+v, notes %v", r.Database, r.Notes)
	}
	if err := r.Write(&bytes.Buffer{}, "html"); verdict.ExitCodeOf(err) != verdict.ExitUsage {
		t.Errorf("an unknown format: %v", err)
	}
}

// golden is an image with something of everything.
func golden(t testing.TB) v1.Image {
	config := v1.Config{
		Env:    []string{"PATH=/usr/bin", "GITHUB_TOKEN=" + githubToken, "DB_PASSWORD=hunter2hunter2"},
		Labels: map[string]string{"org.opencontainers.image.title": "spark"},
	}
	file := &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: config, History: []v1.History{
		{CreatedBy: "/bin/sh -c #(nop) ADD file:base in /"},
		{CreatedBy: "COPY id_rsa /root/.ssh/id_rsa # buildkit"},
		{CreatedBy: "RUN rm /root/.ssh/id_rsa && curl -H 'Authorization: token " + githubToken + "' https://example.com"},
		{CreatedBy: "CMD [\"bash\"]", EmptyLayer: true},
		{CreatedBy: "COPY jars /opt/spark/jars # buildkit"},
	}}
	return imagetest.WithConfig(t, file,
		imagetest.Layer(debian...),
		imagetest.Layer(imagetest.Text("root/.ssh/id_rsa", privateKey)),
		imagetest.Layer(imagetest.Whiteout("root/.ssh/id_rsa")),
		imagetest.Layer(
			imagetest.File{Path: "opt/spark/jars/guava-14.0.1.jar", Body: jar(t, "com.google.guava:guava:14.0.1")},
			imagetest.File{Path: "opt/spark/jars/log4j-core-2.14.1.jar", Body: jar(t, "org.apache.logging.log4j:log4j-core:2.14.1")},
			imagetest.File{Path: "opt/spark/jars/oro-2.0.8.jar", Body: jar(t)},
		),
	)
}

func TestGoldenOutputs(t *testing.T) {
	t.Parallel()
	o := options()
	o.Ignore = []Ignore{{ID: "CVE-2020-8908", Package: "com.google.guava:*", Reason: "temporary folders are private in our pods", Owner: "platform", Until: "2027-01-31"}}
	r := scan(t, o, golden(t))
	for _, format := range []string{"table", "json", "sarif"} {
		var out bytes.Buffer
		if err := r.Write(&out, format); err != nil {
			t.Fatal(err)
		}
		goldentest.Compare(t, filepath.Join("testdata", format+".golden"), out.Bytes())
	}
}
