package secret

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestRedactHidesSecretsThatHoldOthers(t *testing.T) {
	t.Parallel()
	Mask("hush-short")
	Mask("hush-short-and-the-rest")
	Mask("key: first-line-of-it\n  second-line-of-it\nyes")
	for text, want := range map[string]string{
		"a hush-short b":                    "a *** b",
		"a hush-short-and-the-rest b":       "a *** b",
		"key: first-line-of-it":             "***",
		"--- second-line-of-it ---":         "--- *** ---",
		"yes stays, for it hides too much":  "yes stays, for it hides too much",
		"second-line, and not all of it is": "second-line, and not all of it is",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestMaskKeepsEachSecretOnce(t *testing.T) {
	t.Parallel()
	for range 3 {
		Mask("a-token-asked-for-each-request")
	}
	mu.RLock()
	defer mu.RUnlock()
	count := 0
	for _, value := range masked {
		if value == "a-token-asked-for-each-request" {
			count++
		}
	}
	if count != 1 {
		t.Errorf("it is kept %d times", count)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", "  a-secret of-two words\r\n")
	value, err := Ref("file:" + good).Read()
	if err != nil || string(value) != "  a-secret of-two words" {
		t.Errorf("%q, error %v", value, err)
	}
	if got := Redact("it is a-secret of-two words."); got != "it is ***." {
		t.Errorf("what was read is shown: %q", got)
	}
	for ref, want := range map[string]string{
		"file:" + file("large", strings.Repeat("x", maxFile+1)): "more than 1048576 bytes",
		"file:" + filepath.Join(dir, "absent"):                  "no such file",
		"file:" + dir:                                           "is a directory",
		"env:HALLMARK_TEST_NOT_SET":                             "not set",
		"":                                                      "no secret is referenced",
		"hunter2hunter2":                                        "must be given by reference",
		"env:A=b":                                               "must be given by reference",
		"keyvault:x":                                            "not supported yet",
	} {
		_, err := Ref(ref).Read()
		if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a usage error with %q", ref, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats what may be the secret: %v", err)
		}
	}
}
