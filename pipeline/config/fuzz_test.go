package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// FuzzLoad reads anything. What is refused is refused with a usage error of bounded size; what is taken can be printed
// and read back to the same text.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body, "scan.fail_on=high")
		}
	}
	f.Add([]byte(written), "launch[0].probes[1].run.expect=x")
	f.Add([]byte(written), `registry.auth["a"].username=x`)
	f.Fuzz(func(t *testing.T, body []byte, set string) {
		if len(body) > 64<<10 {
			return
		}
		cfg, err := parse(body, Name, "/project/"+Name, "/project", nil, []string{set})
		if err != nil {
			if !errors.Is(err, verdict.ErrUsage) {
				t.Errorf("is no error of usage: %v", err)
			}
			if len(err.Error()) > 64<<10 || strings.ContainsAny(err.Error(), "\x1b\x07\r") {
				t.Errorf("the error is not fit to be read: %q", err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := cfg.Print(&first, false); err != nil {
			t.Fatal(err)
		}
		again, err := parse(first.Bytes(), Name, "/project/"+Name, "/project", nil, nil)
		if err != nil {
			t.Fatalf("what was printed cannot be read back: %v\n%s", err, first.String())
		}
		if err := again.Print(&second, false); err != nil {
			t.Fatal(err)
		}
		if first.String() != second.String() {
			t.Errorf("read back, it says something else:\n%s\n%s", first.String(), second.String())
		}
	})
}
