package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// load reads a file of testdata as if it stood in /project.
func load(t *testing.T, file string, env, sets []string) (*Config, error) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(body, Name, "/project/"+Name, "/project", env, sets)
}

var sameConfig = cmpopts.IgnoreUnexported(Config{}, Probe{}, SparkPi{}, Run{}, Python{}, SQL{}, Scala{}, Pip{}, R{}, Fuse{}, GPU{}, InitScript{}, S3Object{})

// TestGood reads what is right, compares the effective configuration, and reads that back.
func TestGood(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/good/*.yaml")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			cfg, err := load(t, file, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var printed, commented bytes.Buffer
			if err := cfg.Print(&printed, false); err != nil {
				t.Fatal(err)
			}
			if err := cfg.Print(&commented, true); err != nil {
				t.Fatal(err)
			}
			goldentest.Compare(t, strings.TrimSuffix(file, ".yaml")+".golden", commented.String())
			for _, text := range []string{printed.String(), commented.String()} {
				again, err := parse([]byte(text), Name, "/project/"+Name, "/project", nil, nil)
				if err != nil {
					t.Fatalf("what was printed cannot be read back: %v\n%s", err, text)
				}
				if diff := cmp.Diff(cfg, again, sameConfig, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("what was printed means something else (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestBad compares what people read about every mistake.
func TestBad(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, err := load(t, file, nil, nil)
			if err == nil {
				t.Fatal("was taken")
			}
			if !errors.Is(err, verdict.ErrUsage) {
				t.Errorf("is no error of usage: %v", err)
			}
			goldentest.Compare(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

// TestJSON writes JSON, which is YAML too, and reads it back.
func TestJSON(t *testing.T) {
	t.Parallel()
	want, err := load(t, "testdata/good/full.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse(body, Name, "/project/"+Name, "/project", nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if diff := cmp.Diff(want, got, sameConfig, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNoRegularFile: a pipe in the place of hallmark.yaml is refused, and not waited for; one that is named is read.
func TestNoRegularFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, Name), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, nil, nil); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), "it is no regular file. Put one in its place") {
		t.Errorf("error is %v", err)
	}
}
