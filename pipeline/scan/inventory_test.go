package scan

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"

	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func inventoryOf(t testing.TB, layers ...imagetest.Blob) *inventory {
	t.Helper()
	items, err := takeInventory(read(t, Options{}, imagetest.Image(t, v1.Config{}, layers...)))
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// names lists what an inventory holds as "type name version".
func (i *inventory) names() []string {
	var all []string
	for _, p := range i.packages {
		all = append(all, "os "+p.Name+" "+p.Version)
	}
	for _, app := range i.libraries {
		for _, p := range app.Packages {
			all = append(all, string(app.Type)+" "+p.Name+" "+p.Version)
		}
	}
	slices.Sort(all)
	return all
}

func wheelMetadata(name, version string) string {
	return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\nLicense: MIT\n\nText.\n"
}

func TestOperatingSystems(t *testing.T) {
	t.Parallel()
	for want, files := range map[string]map[string]string{
		"debian/12.12":               {"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n", "etc/debian_version": "12.12\n"},
		"ubuntu/24.04":               {"etc/debian_version": "trixie/sid\n", "etc/lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n"},
		"alpine/3.21.2":              {"etc/alpine-release": "3.21.2\n", "etc/os-release": "ID=alpine\nVERSION_ID=3.21.2\n"},
		"redhat/9.4":                 {"etc/redhat-release": "Red Hat Enterprise Linux release 9.4 (Plow)\n", "etc/os-release": "ID=\"rhel\"\nVERSION_ID=\"9.4\"\n"},
		"rocky/9.3":                  {"etc/redhat-release": "Rocky Linux release 9.3 (Blue Onyx)\n", "etc/rocky-release": "Rocky Linux release 9.3 (Blue Onyx)\n"},
		"oracle/8.9":                 {"etc/redhat-release": "Red Hat Enterprise Linux release 8.9\n", "etc/oracle-release": "Oracle Linux Server release 8.9\n"},
		"amazon/2023 (Amazon Linux)": {"etc/system-release": "Amazon Linux release 2023 (Amazon Linux)\n"},
		"amazon/AMI release 2018.03": {"etc/system-release": "Amazon Linux AMI release 2018.03\n"},
		"wolfi/20230201":             {"etc/os-release": "ID=wolfi\nNAME=\"Wolfi\"\nVERSION_ID=\"20230201\"\n"},
		"centos-stream/9":            {"etc/os-release": "ID=\"centos\"\nNAME=\"CentOS Stream\"\nVERSION_ID=\"9\"\n"},
		"":                           {"etc/os-release": "ID=nobody-knows\nVERSION_ID=1\n"},
	} {
		if got := inventoryOf(t, imagetest.Layer(imagetest.Files(files)...)).os; strings.TrimSuffix(got.String(), "/") != want {
			t.Errorf("%v: %q, want %q", files, got.String(), want)
		}
	}
	extended := inventoryOf(t, imagetest.Layer(
		imagetest.Text("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=18.04\n"),
		imagetest.Text("var/lib/ubuntu-advantage/status.json", `{"services":[{"name":"esm-infra","status":"enabled"}]}`)))
	if !extended.os.Extended || extended.os.Name != "18.04" {
		t.Errorf("%+v", extended.os)
	}
}

func TestAlpineRepositories(t *testing.T) {
	t.Parallel()
	const base = "https://dl-cdn.alpinelinux.org/alpine/"
	for text, want := range map[string]string{
		base + "v3.9/main\n" + base + "v3.10/main\n": "3.10",
		base + "edge/main\n" + base + "v3.21/main\n": "edge",
		base + "v3.21/main\n" + base + "edge/main\n": "edge",
	} {
		if got := apkRepositories(text); got == nil || got.Repository.Release != want {
			t.Errorf("%q: %+v, want %s", text, got, want)
		}
	}
	if got := apkRepositories("https://packages.wolfi.dev/os/\n"); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestDpkg(t *testing.T) {
	t.Parallel()
	text := strings.Join([]string{
		"Package: libc6\nStatus: install ok installed\nSource: glibc\nVersion: 2.36-9+deb12u10\nArchitecture: amd64\nDepends: libgcc-s1 (>= 3.0) | other, libcrypt1\nDescription: the library\n Version: 9.9.9\n .\n more",
		"Package: libgcc-s1\nStatus: install ok installed\nSource: gcc-12 (12.2.0-14+deb12u1)\nVersion: 12.2.0-14+deb12u1+b1\nArchitecture: amd64",
		"Package: removed\nStatus: deinstall ok config-files\nVersion: 1.0",
		"Package: held\nStatus: hold ok installed\nVersion: 1:2.0",
		"Package: half\nVersion: not a version!",
		"Version: 1.0",
	}, "\n\n")
	packages, err := parseDpkgStatus(strings.NewReader(text))
	if err != nil || len(packages) != 3 {
		t.Fatalf("%v, %+v", err, packages)
	}
	libc, libgcc, held := packages[0], packages[1], packages[2]
	if libc.Version != "2.36" || libc.Release != "9+deb12u10" || libc.SrcName != "glibc" || libc.ID != "libc6@2.36-9+deb12u10" ||
		!slices.Equal(libc.DependsOn, []string{"libgcc-s1@12.2.0-14+deb12u1+b1"}) {
		t.Errorf("%+v", libc)
	}
	if libgcc.SrcName != "gcc-12" || libgcc.SrcVersion != "12.2.0" || libgcc.SrcRelease != "14+deb12u1" {
		t.Errorf("%+v", libgcc)
	}
	if held.Epoch != 1 || held.Version != "2.0" || held.SrcEpoch != 1 || held.SrcName != "held" {
		t.Errorf("%+v", held)
	}
	if _, err := parseDpkgStatus(strings.NewReader("Package: a\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\n", 2000))); err == nil {
		t.Error("an endless entry is accepted")
	}
}

func TestDistrolessAndLayers(t *testing.T) {
	t.Parallel()
	items := inventoryOf(t,
		imagetest.Layer(imagetest.Text("etc/debian_version", "12.5\n"),
			imagetest.Text("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n"),
			imagetest.Text("var/lib/dpkg/status.d/tzdata.md5sums", "0123  usr/share/zoneinfo/UTC\n")),
		imagetest.Layer(imagetest.Text("var/lib/dpkg/status.d/libssl3", "Package: libssl3\nSource: openssl\nVersion: 3.0.17-1~deb12u2\nArchitecture: amd64\n")))
	if got := items.names(); !slices.Equal(got, []string{"os libssl3 3.0.17", "os tzdata 2024a"}) {
		t.Errorf("%v", got)
	}
	if items.packages[0].Layer.DiffID == items.packages[1].Layer.DiffID {
		t.Error("both packages are said to come from one layer")
	}
}

// A package belongs to the layer that brought it, although every later layer with packages rewrites the whole list.
func TestPackagesBelongToTheirLayer(t *testing.T) {
	t.Parallel()
	base := imagetest.Layer(imagetest.Text("etc/debian_version", "12.5\n"), imagetest.Text("var/lib/dpkg/status", status("a=1.0", "b=1.0")))
	top := imagetest.Layer(imagetest.Text("var/lib/dpkg/status", status("a=1.0", "b=2.0", "c=1.0")))
	contents := read(t, Options{}, imagetest.Image(t, v1.Config{}, base, top))
	items, err := takeInventory(contents)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range items.packages {
		want := map[string]int{"a": 0, "b": 1, "c": 1}[p.Name]
		if p.Layer.DiffID != contents.Layers[want].DiffID {
			t.Errorf("%s is not attributed to layer %d", p.Name, want)
		}
	}
	if got := items.names(); !slices.Equal(got, []string{"os a 1.0", "os b 2.0", "os c 1.0"}) {
		t.Errorf("%v", got)
	}
}

// A Python package that Debian installed is Debian's: its version says nothing of the fixes that Debian applied.
func TestSystemPackagesOwnTheirFiles(t *testing.T) {
	t.Parallel()
	wheel := "usr/lib/python3/dist-packages/requests-2.28.1.dist-info/METADATA"
	dpkg := func(maintainer string) []imagetest.File {
		return []imagetest.File{
			imagetest.Text("etc/debian_version", "12.5\n"),
			imagetest.Text("var/lib/dpkg/status", "Package: python3-requests\nStatus: install ok installed\nMaintainer: "+maintainer+"\nVersion: 2.28.1+dfsg-1\nArchitecture: all\n"),
			imagetest.Text("var/lib/dpkg/info/python3-requests.md5sums", "0123  "+wheel+"\n"),
			imagetest.Text(wheel, wheelMetadata("requests", "2.28.1")),
		}
	}
	if got := inventoryOf(t, imagetest.Layer(dpkg("Debian Python Team <team+python@tracker.debian.org>")...)).names(); !slices.Equal(got, []string{"os python3-requests 2.28.1+dfsg"}) {
		t.Errorf("owned by Debian: %v", got)
	}
	if got := inventoryOf(t, imagetest.Layer(dpkg("Datadog <package@datadoghq.com>")...)).names(); !slices.Contains(got, "python-pkg requests 2.28.1") {
		t.Errorf("owned by a vendor: %v", got)
	}
	// pip in a later layer writes over it: from then on it is not Debian's.
	items := inventoryOf(t, imagetest.Layer(dpkg("Debian")...), imagetest.Layer(imagetest.Text(wheel, wheelMetadata("requests", "2.31.0"))))
	if got := items.names(); !slices.Contains(got, "python-pkg requests 2.31.0") {
		t.Errorf("changed later: %v", got)
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	egg := func() string {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, _ := w.Create("EGG-INFO/PKG-INFO")
		_, _ = f.Write([]byte(wheelMetadata("zipped", "1.0")))
		_ = w.Close()
		return b.String()
	}()
	items := inventoryOf(t, imagetest.Layer(
		imagetest.Text("opt/py/flask-3.0.dist-info/METADATA", wheelMetadata("Flask", "3.0")),
		imagetest.Text("opt/py/old.egg-info/PKG-INFO", wheelMetadata("old", "0.1")),
		imagetest.Text("opt/py/single.egg-info", wheelMetadata("single", "0.2")),
		imagetest.File{Path: "opt/py/zipped.egg", Body: egg},
		imagetest.Text("srv/node_modules/lodash/package.json", `{"name":"lodash","version":"4.17.20","license":"MIT"}`),
		imagetest.Text("srv/package.json", `{"private":true,"dependencies":{"lodash":"^4"}}`),
		imagetest.Text("opt/conda/envs/a/conda-meta/numpy-1.26.0-py311.json", `{"name":"numpy","version":"1.26.0","license":"BSD"}`),
		imagetest.Text("usr/local/bundle/specifications/rake-13.0.6.gemspec", "Gem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.0.6\"\nend\n"),
		imagetest.Text("app/vendor/composer/installed.json", `{"packages":[{"name":"monolog/monolog","version":"2.0.0"}]}`),
		imagetest.Text("opt/py/broken.dist-info/METADATA", "no header at all"),
	))
	want := []string{
		"composer-vendor monolog/monolog 2.0.0", "conda-pkg numpy 1.26.0", "gemspec rake 13.0.6", "node-pkg lodash 4.17.20",
		"python-pkg Flask 3.0", "python-pkg old 0.1", "python-pkg single 0.2", "python-pkg zipped 1.0",
	}
	if got := items.names(); !slices.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	if len(items.problems) != 1 || items.problems[0].file != "opt/py/broken.dist-info/METADATA" || items.problems[0].database {
		t.Errorf("problems %+v", items.problems)
	}
}

// The program that runs this test is a Go program with a list of its modules.
func TestGoProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	items := inventoryOf(t, imagetest.Layer(imagetest.File{Path: "usr/local/bin/tool", Mode: 0o755, Body: string(body)},
		imagetest.File{Path: "usr/local/bin/script", Mode: 0o755, Body: "#!/bin/sh\n"},
		imagetest.File{Path: "usr/local/bin/short", Mode: 0o755, Body: "\x7fE"},
		imagetest.File{Path: "usr/local/bin/c", Mode: 0o755, Body: "\x7fELF\x02\x01\x01 not really"}))
	if len(items.libraries) != 1 || items.libraries[0].Type != ftypes.GoBinary || items.libraries[0].FilePath != "usr/local/bin/tool" {
		t.Fatalf("%+v, problems %+v", items.libraries, items.problems)
	}
	if got := items.names(); !slices.ContainsFunc(got, func(n string) bool { return strings.HasPrefix(n, "gobinary stdlib v1.") }) {
		t.Errorf("%v", got)
	}
}

func TestJars(t *testing.T) {
	t.Parallel()
	nest := func(name, inner string) string {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, _ := w.Create(name)
		_, _ = f.Write([]byte(inner))
		p, _ := w.Create("META-INF/maven/g/outer/pom.properties")
		_, _ = p.Write([]byte("groupId=g\nartifactId=outer\nversion=1\n"))
		x, _ := w.Create("META-INF/maven/g/outer/pom.xml")
		_, _ = x.Write([]byte(`<project><licenses><license><name>Apache-2.0</name></license></licenses></project>`))
		_ = w.Close()
		return b.String()
	}
	items := inventoryOf(t, imagetest.Layer(
		imagetest.File{Path: "app/outer.war", Body: nest("../../WEB-INF/lib/inner.jar", jar(t, "g:inner:2"))},
		imagetest.File{Path: "app/broken.jar", Body: "PK\x03\x04 and nothing more"},
		imagetest.File{Path: "app/empty.jar", Body: ""},
		imagetest.File{Path: "app/nobody.jar", Body: jar(t)},
		imagetest.File{Path: "app/shaded.jar", Body: jar(t, "g:one:1", "g:two:2", "g:two:2")},
	))
	if got, want := items.names(), []string{"jar g:inner 2", "jar g:one 1", "jar g:outer 1", "jar g:two 2"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, p := range items.libraries[0].Packages {
		switch p.Name {
		case "g:inner":
			if p.FilePath != "app/outer.war/WEB-INF/lib/inner.jar" { // never outside its archive
				t.Errorf("%s", p.FilePath)
			}
		case "g:outer":
			if !slices.Equal(p.Licenses, []string{"Apache-2.0"}) || p.Digest == "" || p.Identifier.PURL.String() != "pkg:maven/g/outer@1" {
				t.Errorf("%+v %v", p, p.Identifier.PURL)
			}
		}
	}
	if !slices.Equal(items.unidentified, []string{"/app/nobody.jar"}) {
		t.Errorf("unidentified %v", items.unidentified)
	}
	deep := jar(t, "g:core:1")
	for range maxJarDepth + 1 {
		deep = nest("inner.jar", deep)
	}
	items = inventoryOf(t, imagetest.Layer(imagetest.File{Path: "app/deep.jar", Body: deep}))
	if len(items.problems) != 1 || !strings.Contains(items.problems[0].text, "nested more than") {
		t.Errorf("problems %+v", items.problems)
	}
}

func TestAPK(t *testing.T) {
	t.Parallel()
	const text = "C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:musl\nV:1.2.5-r8\nA:x86_64\nL:MIT\no:musl\nm:A B <a@b>\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1\n\n" +
		"P:busybox\nV:1.37.0-r9\no:busybox\nD:!old so:libc.musl-x86_64.so.1\nF:bin\nR:busybox\n"
	packages, owned, err := parseAPK(strings.NewReader(text))
	if err != nil || len(packages) != 2 || !slices.Equal(owned, []string{"lib/ld-musl-x86_64.so.1", "bin/busybox"}) {
		t.Fatalf("%v %+v %v", err, packages, owned)
	}
	if packages[0].Digest != "sha1:a8a719fa3db7c6cb005e681086438ef1d1e76d6c" ||
		packages[0].SrcName != "musl" || packages[0].SrcVersion != "1.2.5-r8" {
		t.Errorf("%+v", packages[0])
	}
	if !slices.Equal(packages[1].DependsOn, []string{"musl@1.2.5-r8"}) {
		t.Errorf("%+v", packages[1].DependsOn)
	}
}

func TestSourceRPM(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][3]string{
		"bash-5.1.8-9.el9.src.rpm": {"bash", "5.1.8", "9.el9"}, "perl-Foo-Bar-1-2.src.rpm": {"perl-Foo-Bar", "1", "2"},
		"odd": {}, "a.rpm": {}, "a-b.src.rpm": {}, "": {},
	} {
		n, v, r := sourceRPM(file)
		if [3]string{n, v, r} != want {
			t.Errorf("%q: %q %q %q", file, n, v, r)
		}
	}
}

// What the package database lists is not scanned if it cannot be read: calling that clean would be wrong.
func TestUnreadableDatabaseFails(t *testing.T) {
	t.Parallel()
	r := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(
		imagetest.Text("etc/redhat-release", "Rocky Linux release 9.3\n"),
		imagetest.Text("var/lib/rpm/rpmdb.sqlite", "SQLite format 3\x00 and then nothing of use"))))
	f := find(t, r, "scan.unreadable")
	if r.Verdict != verdict.Fail || f.Place.File != "/var/lib/rpm/rpmdb.sqlite" || !f.Blocking {
		t.Errorf("%s %+v", r.Verdict, f)
	}
}

func TestEndOfLife(t *testing.T) {
	t.Parallel()
	r := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(
		imagetest.Text("etc/debian_version", "10.13\n"), imagetest.Text("var/lib/dpkg/status", status("a=1")))))
	if !r.EndOfLife || !strings.Contains(strings.Join(r.Notes, "\n"), "debian 10.13 is past its end of life") {
		t.Errorf("%v", r.Notes)
	}
}

func TestPathSet(t *testing.T) {
	t.Parallel()
	set := newPathSet([]string{"/usr/bin/a", "usr/bin/b", ""})
	for path, want := range map[string]bool{"usr/bin/a": true, "/usr/bin/b": true, "usr/bin/c": false, "": false} {
		if set.has(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
	if (*pathSet)(nil).has("a") {
		t.Error("nothing holds something")
	}
}

func TestTrivyVersion(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "github.com/aquasecurity/trivy").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "v"+trivyVersion {
		t.Errorf("go.mod has trivy %s, trivyVersion says %s", got, trivyVersion)
	}
}

func FuzzDpkgStatus(f *testing.F) {
	f.Add(status("a=1.0", "b=1:2-3=c (4)"))
	f.Add("Package: a\nSource: (\nVersion: 1\n\n \n:\n")
	f.Fuzz(func(t *testing.T, text string) {
		packages, _ := parseDpkgStatus(strings.NewReader(text))
		for _, p := range packages {
			if p.Name == "" || p.SrcName == "" && !strings.Contains(text, "Source") {
				t.Errorf("%+v of %q", p, text)
			}
		}
	})
}

func FuzzMD5Sums(f *testing.F) {
	f.Add("0123  usr/bin/a\n")
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseMD5Sums(strings.NewReader(text)) })
}

func FuzzAPK(f *testing.F) {
	f.Add("P:musl\nV:1.2.5-r8\nC:Q1AA==\np:so:x=1\nD:so:x\nF:lib\nR:x\n\n")
	f.Fuzz(func(t *testing.T, text string) { _, _, _ = parseAPK(strings.NewReader(text)) })
}

func FuzzOSFiles(f *testing.F) {
	f.Add("Amazon Linux release 2 (Karoo)\nID=\"rhel\"\nhttps://x/alpine/v3.1/main")
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range osFiles {
			file.read(text)
		}
	})
}

func FuzzJar(f *testing.F) {
	f.Add([]byte(jar(f, "g:a:1")))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, body []byte) { readJar("a.jar", int64(len(body)), bytes.NewReader(body)) })
}

func FuzzProgram(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01\x00"))
	f.Add([]byte("MZ\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		readProgram(t.Context(), "a", int64(len(body)), bytes.NewReader(body))
	})
}

func TestWantsNoOrdinaryFile(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filepath.Join("testdata", "table.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"srv/data.csv", "usr/lib/libc.so.6", "etc/passwd", "var/lib/dpkg/info/a.list", "opt/METADATA"} {
		if (packageAnalyzer{}).Wants(file, info) {
			t.Errorf("the package analyzer wants %s", file)
		}
	}
}

// Without the file that names the system nothing of it can be matched: deleting that file must not make an image clean.
func TestNamelessSystemFails(t *testing.T) {
	t.Parallel()
	packages := imagetest.Text("var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n\n")
	r := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(packages)))
	if f := find(t, r, "scan.no-system"); !f.Blocking || !strings.Contains(f.Message, "1 package of the system") || r.Verdict != verdict.Fail {
		t.Errorf("verdict %s, finding %+v", r.Verdict, f)
	}
	named := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(packages, imagetest.Text("etc/debian_version", "12.9\n"))))
	for _, f := range named.Findings {
		if f.ID == "scan.no-system" {
			t.Errorf("a system that says its name: %+v", f)
		}
	}
}
