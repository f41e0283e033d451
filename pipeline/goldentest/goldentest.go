// Package goldentest compares what a test has made with the file that holds what was made last time, its golden file.
//
//	goldentest.Compare(t, "testdata/board.txt", out.Bytes())
//
// It gives the test's package the flag -update, which writes the files anew: go test ./pipeline/report -update.
package goldentest

import (
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew, and whatever else is made from the code and kept beside it")

// Updating says whether the tests are to write what they would compare with.
func Updating() bool { return *update }

// Compare fails the test, with the differing lines, unless file holds got. With -update it writes file instead.
// A relative file stands below the test's package.
func Compare[T ~string | ~[]byte](t testing.TB, file string, got T) {
	t.Helper()
	if diff := cmp.Diff(Kept(t, file, got), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); if the change is meant, accept it with\n\t%s\n%s", file, Command(t), diff)
	}
}

// Kept is the text of file, for tests that compare it in a way of their own. With -update the file holds got from now on.
func Kept[T ~string | ~[]byte](t testing.TB, file string, got T) string {
	t.Helper()
	if Updating() {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatalf("making the folder of a golden file: %v", err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatalf("writing a golden file: %v", err)
		}
		return string(got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("reading a golden file: %v; if it is new, write it with\n\t%s", err, Command(t))
	}
	return string(text)
}

// Command is what to type, in the folder of the project, to have the files of this test written anew.
func Command(t testing.TB) string {
	words := []string{"go", "test"}
	folder := "."
	if built, ok := debug.ReadBuildInfo(); ok {
		// The program of a package's tests is called after the package.
		folder = "." + strings.TrimPrefix(strings.TrimSuffix(built.Path, ".test"), built.Main.Path)
		for _, setting := range built.Settings {
			if setting.Key == "-tags" {
				words = append(words, "-tags", setting.Value)
			}
		}
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	return strings.Join(append(words, folder, "-run", "'^"+test+"$'", "-update"), " ")
}
