package scan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// weak is an image with one critical finding without a fix (zlib), one medium with a fix (guava), one critical with a
// fix (log4j).
func weak(t testing.TB) v1.Image {
	return imagetest.Image(t, v1.Config{}, imagetest.Layer(debian...), imagetest.Layer(
		imagetest.File{Path: "opt/jars/guava.jar", Body: jar(t, "com.google.guava:guava:14.0.1")},
		imagetest.File{Path: "opt/jars/log4j.jar", Body: jar(t, "org.apache.logging.log4j:log4j-core:2.14.1")}))
}

func TestGates(t *testing.T) {
	t.Parallel()
	const zlib, guava, log4j = "CVE-2023-45853", "CVE-2023-2976", "CVE-2021-44228"
	ignore := func(id string, change ...func(*Ignore)) []Ignore {
		i := Ignore{ID: id, Reason: "a reason", Owner: "team", Until: "2026-12-31"}
		for _, c := range change {
			c(&i)
		}
		return []Ignore{i}
	}
	expired := func(i *Ignore) { i.Until = "2026-11-20" }
	lastDay := func(i *Ignore) { i.Until = "2026-11-21" }
	for _, test := range []struct {
		name     string
		change   func(*Options)
		blocking string // ids, in order of findings
		note     string
	}{
		{"high, fixable only", func(*Options) {}, log4j, ""},
		{"high, fixable or not", func(o *Options) { o.FixableOnly = false }, log4j + " " + zlib, ""},
		{"medium, fixable only", func(o *Options) { o.FailOn = verdict.Medium }, log4j + " " + guava, ""},
		{"nothing fails", func(o *Options) { o.FailOn = "" }, "", ""},
		{"ignored", func(o *Options) { o.Ignore = ignore(log4j) }, "", ""},
		{"ignored in any case", func(o *Options) { o.Ignore = ignore("cve-2021-44228") }, "", ""},
		{"ignored on its last day", func(o *Options) { o.Ignore = ignore(log4j, lastDay) }, "", ""},
		{"ignored until yesterday", func(o *Options) { o.Ignore = ignore(log4j, expired) }, log4j, ""},
		{"ignored in another package", func(o *Options) {
			o.Ignore = ignore(log4j, func(i *Ignore) { i.Package = "org.apache.commons:*" })
		}, log4j, "the exception for CVE-2021-44228 covers nothing in this image"},
		{"ignored in this package", func(o *Options) {
			o.Ignore = ignore(log4j, func(i *Ignore) { i.Package = "org.apache.logging.log4j:*" })
		}, "", ""},
		{"ignored below a folder", func(o *Options) {
			o.Ignore = ignore(log4j, func(i *Ignore) { i.Path = "/opt/**" })
		}, "", ""},
		{"ignored below another folder", func(o *Options) {
			o.Ignore = ignore(log4j, func(i *Ignore) { i.Path = "/srv/**" })
		}, log4j, "covers nothing"},
		{"a later exception holds where the first has expired", func(o *Options) {
			o.Ignore = append(ignore(log4j, expired), ignore(log4j)...)
		}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := options()
			test.change(&o)
			r := scan(t, o, weak(t))
			var blocking []string
			for _, f := range r.Findings {
				if f.Blocking {
					blocking = append(blocking, f.ID)
				}
			}
			if got := strings.Join(blocking, " "); got != test.blocking {
				t.Errorf("blocking: %q, want %q", got, test.blocking)
			}
			if (r.Verdict == verdict.Fail) != (test.blocking != "") {
				t.Errorf("verdict %s", r.Verdict)
			}
			if test.note != "" && !strings.Contains(strings.Join(r.Notes, "\n"), test.note) {
				t.Errorf("notes %q lack %q", r.Notes, test.note)
			}
		})
	}
}

func TestAnExpiredExceptionSaysSo(t *testing.T) {
	t.Parallel()
	o := options()
	o.Ignore = []Ignore{{ID: "CVE-2021-44228", Reason: "soon", Until: "2026-01-31"}}
	f := find(t, scan(t, o, weak(t)), "CVE-2021-44228")
	if !f.Blocking || f.Waiver == nil || !strings.Contains(f.Message, "ended on 2026-01-31") {
		t.Errorf("%+v", f)
	}
}

func TestExceptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := Ignore{ID: "CVE-1", Reason: "r", Until: "2027-01-31"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Ignore){
		"no id":       func(i *Ignore) { i.ID = "" },
		"no reason":   func(i *Ignore) { i.Reason = "  " },
		"no day":      func(i *Ignore) { i.Until = "" },
		"no date":     func(i *Ignore) { i.Until = "tomorrow" },
		"bad package": func(i *Ignore) { i.Package = "[" },
		"bad path":    func(i *Ignore) { i.Path = "/opt/[/**" },
	} {
		i := good
		change(&i)
		if err := i.Check(); verdict.ExitCodeOf(err) != verdict.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
		o := options()
		o.Ignore = []Ignore{i}
		if _, err := Run(t.Context(), read(t, o, weak(t)), demoDatabase(t), o); verdict.ExitCodeOf(err) != verdict.ExitUsage {
			t.Errorf("%s: the scan took it: %v", name, err)
		}
	}
}

func TestVEX(t *testing.T) {
	t.Parallel()
	document := func(product, status, more string) string {
		return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex/1","author":"team","timestamp":"2026-10-01T00:00:00Z","version":1,
			"statements":[{"vulnerability":{"name":"CVE-2021-44228"},"products":[` + product + `],"status":"` + status + `"` + more + `}]}`
	}
	const (
		pkg       = `{"@id":"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"}`
		anyOf     = `{"@id":"pkg:maven/org.apache.logging.log4j/log4j-core"}`
		other     = `{"@id":"pkg:maven/org.apache.logging.log4j/log4j-core@2.13.0"}`
		inImage   = `{"@id":"pkg:oci/spark?repository_url=registry.example.com%2Fplatform%2Fspark","subcomponents":[` + anyOf + `]}`
		elsewhere = `{"@id":"pkg:oci/flink","subcomponents":[` + anyOf + `]}`
		why       = `,"justification":"vulnerable_code_not_in_execute_path","impact_statement":"lookups are off"`
	)
	for _, test := range []struct {
		name, document string
		blocks         bool
		reason         string
	}{
		{"not affected, this version", document(pkg, "not_affected", why), false, "OpenVEX not_affected: vulnerable_code_not_in_execute_path (lookups are off)"},
		{"not affected, any version", document(anyOf, "not_affected", why), false, "vulnerable_code_not_in_execute_path"},
		{"fixed", document(pkg, "fixed", ""), false, "OpenVEX fixed"},
		{"another version", document(other, "not_affected", why), true, ""},
		{"inside this image", document(inImage, "not_affected", why), false, "vulnerable_code_not_in_execute_path"},
		{"inside another image", document(elsewhere, "not_affected", why), true, ""},
		{"under investigation", document(pkg, "under_investigation", ""), true, ""},
		{"affected", document(pkg, "affected", `,"action_statement":"upgrade"`), true, ""},
		{"affected again later", strings.Replace(document(pkg, "not_affected", why), `"statements":[`,
			`"statements":[{"vulnerability":{"name":"CVE-2021-44228"},"timestamp":"2026-11-01T00:00:00Z","products":[`+pkg+`],"status":"affected","action_statement":"upgrade"},`, 1), true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "vex.json")
			if err := os.WriteFile(path, []byte(test.document), 0o644); err != nil {
				t.Fatal(err)
			}
			o := options()
			o.VEX, o.Repository = []string{path}, "registry.example.com/platform/spark"
			f := find(t, scan(t, o, weak(t)), "CVE-2021-44228")
			if f.Blocking != test.blocks {
				t.Errorf("blocking %v: %+v", f.Blocking, f)
			}
			if test.reason != "" && (f.Waiver == nil || !strings.Contains(f.Waiver.Reason, test.reason) || f.Waiver.ExpiredAt(today())) {
				t.Errorf("waiver %+v", f.Waiver)
			}
		})
	}
}

func TestVEXThatCannotBeTrustedIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON":          `{`,
		"another format":   `{"bomFormat":"CycloneDX"}`,
		"no justification": `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:a/b"}],"status":"not_affected"}]}`,
		"an odd status":    `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:a/b"}],"status":"fine"}]}`,
		"no product":       `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"CVE-1"},"status":"fixed"}]}`,
	} {
		path := filepath.Join(t.TempDir(), "vex.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := loadVEX([]string{path}); verdict.ExitCodeOf(err) != verdict.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := loadVEX([]string{"/nowhere/vex.json"}); verdict.ExitCodeOf(err) != verdict.ExitUsage {
		t.Errorf("a missing file: %v", err)
	}
}

func FuzzVEX(f *testing.F) {
	f.Add([]byte(`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:maven/a/b"}],"status":"fixed"}]}`))
	f.Add([]byte(`{"@context":"https://openvex.dev/ns","statements":[{"vulnerability":"CVE-1"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := parseVEX(text)
		if err == nil {
			excused([]vexDocument{{"fuzz", document}}, []string{"CVE-1"}, productsOf("pkg:maven/a/b@1", nil, "pkg:oci/spark@sha256:0"))
		}
	})
}

func FuzzIgnorePath(f *testing.F) {
	f.Add("/opt/**", "/opt/a/b")
	f.Add("*/[a-z]", "a/b")
	f.Fuzz(func(t *testing.T, pattern, file string) { matchPath(pattern, file) })
}
