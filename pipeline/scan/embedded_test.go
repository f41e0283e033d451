package scan

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/scan/advisories"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const bitnami = `SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: SPDX document for Apache Spark 3.5.1
DocumentNamespace: https://example.com/spark
Creator: Organization: Example
Created: 2024-03-01T00:00:00Z

PackageName: spark
SPDXID: SPDXRef-Package-spark
PackageVersion: 3.5.1-0
PackageDownloadLocation: NONE
ExternalRef: PACKAGE-MANAGER purl pkg:bitnami/spark@3.5.1-0?arch=amd64

PackageName: log4j-core
SPDXID: SPDXRef-Package-log4j
PackageVersion: 2.14.1
PackageDownloadLocation: NONE
ExternalRef: PACKAGE-MANAGER purl pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1

Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-Package-spark
Relationship: SPDXRef-Package-spark CONTAINS SPDXRef-Package-log4j
`

func TestSBOMInsideTheImage(t *testing.T) {
	t.Parallel()
	items := inventoryOf(t, imagetest.Layer(debian...), imagetest.Layer(
		imagetest.Text("opt/bitnami/spark/.spdx-spark.spdx", bitnami),
		imagetest.Text("opt/notes.spdx", "only a name"),
		imagetest.Text("opt/broken.cdx.json", `{"bomFormat":"CycloneDX","components":[{"type":7}]}`)))
	got := items.names()
	for _, want := range []string{"bitnami spark 3.5.1-0", "jar org.apache.logging.log4j:log4j-core 2.14.1"} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %s", got, want)
		}
	}
	if len(items.problems) != 1 || items.problems[0].file != "opt/broken.cdx.json" {
		t.Errorf("problems %+v", items.problems)
	}
}

// What we write ourselves must be readable: an SBOM of an image, put into another, lists the same packages.
func TestOwnSBOMsAreUnderstood(t *testing.T) {
	t.Parallel()
	first := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(debian...), imagetest.Layer(
		imagetest.File{Path: "opt/a.jar", Body: string(advisories.Jar("org.yaml", "snakeyaml", "1.33"))})))
	for format, name := range map[string]string{"cyclonedx": "srv/image.cdx.json", "spdx": "srv/image.spdx.json"} {
		var out bytes.Buffer
		if err := first.Write(&out, format); err != nil {
			t.Fatal(err)
		}
		items := inventoryOf(t, imagetest.Layer(imagetest.Text("etc/debian_version", "12.12\n"), imagetest.Text(name, out.String())))
		want := []string{"jar org.yaml:snakeyaml 1.33", "os apt 2.6.1", "os libssl3 3.0.17-1~deb12u2", "os zlib1g 1.2.13.dfsg-1"}
		if got := items.names(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v (problems %+v)", format, got, want, items.problems)
		}
		// In an image of another distribution Debian's packages are not installed.
		items = inventoryOf(t, imagetest.Layer(imagetest.Text("etc/alpine-release", "3.21.0\n"), imagetest.Text(name, out.String())))
		if got := items.names(); !slices.Equal(got, want[:1]) {
			t.Errorf("%s in Alpine: %v", format, got)
		}
	}
}

func TestPackageManagerGoesBeforeSBOM(t *testing.T) {
	t.Parallel()
	const wolfi = `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"musl","dataLicense":"CC0-1.0","documentNamespace":"https://x/y",
		"creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: x"]},"packages":[{"SPDXID":"SPDXRef-Package-musl","name":"musl","versionInfo":"1.2.5-r0",
		"downloadLocation":"NONE","externalRefs":[{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:apk/wolfi/musl@1.2.5-r0?arch=x86_64"}]}],
		"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-Package-musl"}]}`
	items := inventoryOf(t, imagetest.Layer(
		imagetest.Text("etc/os-release", "ID=wolfi\nVERSION_ID=\"20230201\"\n"),
		imagetest.Text("usr/lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nA:x86_64\no:musl-src\n\n"),
		imagetest.Text("var/lib/db/sbom/musl-1.2.5-r0.spdx.json", wolfi)))
	if len(items.packages) != 1 || items.packages[0].SrcName != "musl-src" {
		t.Errorf("%+v", items.packages)
	}
}

func TestRedHat(t *testing.T) {
	t.Parallel()
	manifest := readBuildInfo("root/buildinfo/content_manifests/ubi9.json", `{"content_sets":["rhel-9-for-x86_64-baseos-rpms"]}`)
	if manifest == nil || !slices.Equal(manifest.BuildInfo.ContentSets, []string{"rhel-9-for-x86_64-baseos-rpms"}) {
		t.Errorf("%+v", manifest)
	}
	dockerfile := readBuildInfo("root/buildinfo/Dockerfile-ubi8-8.3-227", "FROM x\nLABEL com.redhat.component=\"ubi8-container\" \\\n  name=\"ubi8\"\nLABEL \"architecture\"=\"x86_64\"\n")
	if dockerfile == nil || dockerfile.BuildInfo.Nvr != "ubi8-container-8.3-227" || dockerfile.BuildInfo.Arch != "x86_64" {
		t.Errorf("%+v", dockerfile)
	}
	for _, text := range []string{"", "LABEL architecture=x", "LABEL com.redhat.component=x", "{"} {
		if got := readBuildInfo("root/buildinfo/Dockerfile-a", text); got != nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
	a, b := manifest.BuildInfo, dockerfile.BuildInfo
	for _, test := range []struct {
		infos buildInfos
		layer int
		is    bool
	}{{buildInfos{nil, a}, 0, true}, {buildInfos{a, nil, nil}, 2, true}, {buildInfos{nil}, 0, false}, {buildInfos{nil, nil, b}, 1, false}} {
		if got := test.infos.of(test.layer); (got != nil) != test.is {
			t.Errorf("%v of layer %d: %v", test.infos, test.layer, got)
		}
	}
}

func TestRPMManifest(t *testing.T) {
	t.Parallel()
	packages, err := parseRPMManifest(strings.NewReader("openssl-libs\t3.3.0-2.azl3\t1\t2\tMicrosoft Corporation\t(none)\t3\tx86_64\t0\topenssl-3.3.0-2.azl3.src.rpm\n"))
	if err != nil || len(packages) != 1 || packages[0].SrcName != "openssl" || packages[0].Release != "2.azl3" {
		t.Errorf("%v %+v", err, packages)
	}
	if _, err := parseRPMManifest(strings.NewReader("one\ttwo\n")); err == nil {
		t.Error("a malformed line is accepted")
	}
}

func TestAWeakJarFailsTheGate(t *testing.T) {
	t.Parallel()
	r := scan(t, options(), imagetest.Image(t, v1.Config{}, imagetest.Layer(debian...), imagetest.Layer(
		imagetest.File{Path: "opt/spark/jars/snakeyaml-1.33.jar", Body: string(advisories.Jar("org.yaml", "snakeyaml", "1.33"))})))
	if f := find(t, r, "CVE-2022-1471"); r.Verdict != verdict.Fail || !f.Blocking || f.Severity != verdict.High || f.Package.Fixed != "2.0" {
		t.Errorf("%s %+v", r.Verdict, f)
	}
}

func FuzzSBOM(f *testing.F) {
	f.Add([]byte(bitnami))
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"a","purl":"pkg:npm/a@1"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) { readSBOM(t.Context(), "a.spdx", bytes.NewReader(text)) })
}

func FuzzBuildInfo(f *testing.F) {
	f.Add("root/buildinfo/Dockerfile-a-1-2", "LABEL com.redhat.component=x architecture=y")
	f.Fuzz(func(t *testing.T, file, text string) {
		readBuildInfo(file, text)
		_, _ = parseRPMManifest(strings.NewReader(text))
	})
}
