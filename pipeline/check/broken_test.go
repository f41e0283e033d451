package check_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestBrokenPacks shows what an author reads of each mistake. Files that a case does not have come from testdata/sound.txtar.
func TestBrokenPacks(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	sound := parseArchive(t, "testdata/sound.txtar")
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive := parseArchive(t, file)
			files := packFiles(sound)
			for _, f := range archive.Files {
				switch {
				case f.Name == "want": // no file of the pack, but what is said of it
				case len(f.Data) == 0:
					delete(files, f.Name)
				default:
					files[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			_, err := check.LoadFS(files, "mine")
			if err == nil {
				t.Fatal("the pack was taken for sound")
			}
			if !errors.Is(err, verdict.ErrUsage) {
				t.Errorf("it is no usage error: %v", err)
			}
			setFile(archive, "want", err.Error()+"\n")
			goldentest.Compare(t, file, txtar.Format(archive))
		})
	}
}

func TestSoundPack(t *testing.T) {
	t.Parallel()
	pack, err := check.LoadFS(packFiles(parseArchive(t, "testdata/sound.txtar")), "mine")
	if err != nil {
		t.Fatal(err)
	}
	report, err := check.Test(t.Context(), pack)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Passed() || len(report.Tests) != 2 || len(report.Uncovered) > 0 {
		t.Errorf("%+v", report)
	}
}

// TestFailingRegoTest shows that a test that does not hold says which line it was, and that a rule without tests is named.
func TestFailingRegoTest(t *testing.T) {
	t.Parallel()
	files := packFiles(parseArchive(t, "testdata/sound.txtar"))
	files["colour_test.rego"] = &fstest.MapFile{Data: []byte(`package hallmark.mine_test

import data.hallmark.mine.deny
import data.hallmark.testing

test_colour_denies_others if {
	given := testing.config({"labels": {"colour": "red"}})
	count(deny.colour) == 2 with input as given
}
`)}
	pack, err := check.LoadFS(files, "mine")
	if err != nil {
		t.Fatal(err)
	}
	report, err := check.Test(t.Context(), pack)
	if err != nil {
		t.Fatal(err)
	}
	if report.Passed() || len(report.Tests) != 1 || !strings.Contains(report.Tests[0].Message, "line 8 does not hold") {
		t.Errorf("%+v", report.Tests)
	}
	if diff := cmp.Diff([]string{"mine.colour"}, report.Untested); diff != "" {
		t.Error(diff)
	}
}

func TestLoadRefusesFoldersAndNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	mkdir(t, big)
	write(t, filepath.Join(big, "pack.yaml"), strings.Repeat("#", 1<<20+1))
	outside := filepath.Join(dir, "outside.rego")
	write(t, outside, "package hallmark.mine\n")
	linked := filepath.Join(dir, "linked")
	mkdir(t, linked)
	if err := os.Symlink(outside, filepath.Join(linked, "rule.rego")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"./gone", "opening the pack's folder"},
		{"./big", "larger than the 1048576 bytes"},
		{"./linked", "linked/rule.rego"},
		{"sparc", `Did you mean "spark"?`},
	} {
		_, err := check.Load(dir, c.name)
		if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := check.Load("", "base", "base"); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Error(err)
	}
}

func parseArchive(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func packFiles(archive *txtar.Archive) fstest.MapFS {
	files := fstest.MapFS{}
	for _, f := range archive.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data, Mode: fs.FileMode(0o644)}
	}
	return files
}

func setFile(archive *txtar.Archive, name, body string) {
	for i := range archive.Files {
		if archive.Files[i].Name == name {
			archive.Files[i].Data = []byte(body)
			return
		}
	}
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(body)})
}

func write(t *testing.T, file, body string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}
