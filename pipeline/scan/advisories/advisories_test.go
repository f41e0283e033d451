package advisories

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	set, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Advisories) < 10 || set.Updated.IsZero() || len(set.Digest) != len("sha256:")+64 {
		t.Errorf("%d advisories of %s, %s", len(set.Advisories), set.Updated, set.Digest)
	}
	if note := set.Note(); !strings.HasPrefix(note, "demonstration database: ") || !strings.HasSuffix(note, "not a vulnerability assessment") {
		t.Errorf("%q", note)
	}
	seen := map[string]bool{}
	for _, a := range set.Advisories {
		if key := a.ID + a.In + a.Package; seen[key] {
			t.Errorf("%s in %s is there twice", a.ID, a.Package)
		} else {
			seen[key] = true
		}
	}
}

func TestTheSameSetGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	set, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	var first map[string][]byte
	for range 3 {
		dir := t.TempDir()
		if err := set.Write(dir); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, name := range []string{"trivy.db", "metadata.json"} {
			if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if first != nil && !bytes.Equal(files[name], first[name]) {
				t.Errorf("%s differs", name)
			}
		}
		first = files
	}
}

func TestParseIsStrict(t *testing.T) {
	t.Parallel()
	const good = "{id: CVE-1, in: maven, package: 'a:b', vulnerable: ['<1'], severity: low, title: t, published: 2026-01-01}"
	if _, err := Parse([]byte("updated: 2026-01-01\nadvisories: [" + good + "]")); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"no date":        "advisories: []",
		"unknown key":    "updated: 2026-01-01\nadvisory: []",
		"no id":          "updated: 2026-01-01\nadvisories: [" + strings.Replace(good, "id: CVE-1, ", "", 1) + "]",
		"no place":       "updated: 2026-01-01\nadvisories: [" + strings.Replace(good, "maven", "nowhere", 1) + "]",
		"no range":       "updated: 2026-01-01\nadvisories: [" + strings.Replace(good, "vulnerable: ['<1'], ", "", 1) + "]",
		"range of a deb": "updated: 2026-01-01\nadvisories: [" + strings.Replace(good, "maven", "debian 12", 1) + "]",
		"severity":       "updated: 2026-01-01\nadvisories: [" + strings.Replace(good, "low", "severe", 1) + "]",
		"published":      "updated: 2026-01-01\nadvisories: [" + strings.Replace(good, "published: 2026-01-01", "published: soon", 1) + "]",
		"no YAML":        "{",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(demo)
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = Parse(text) })
}
