package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLoadWithoutFile: what the file says does not count, nor is what it references missed; environment and flags do.
func TestLoadWithoutFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, Name)
	body := "sign: {key: env:HALLMARK_SIGN_KEY_OF_MINE, trust: [{key: evil.pub}]}\npromote: {require: [signature]}\n"
	if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"HALLMARK_SIGN_KEY_OF_MINE=x", "HALLMARK_VERIFY_PROMOTED=true", "HALLMARK_SCAN_VEX="}
	for _, path := range []string{dir, file} {
		cfg, err := LoadWithoutFile(path, env, []string{"sign.keyless.trusted_root=root.json"})
		if err != nil {
			t.Fatal(err)
		}
		if cfg.File != "" || cfg.Dir != dir || cfg.Sign.Key != "" || len(cfg.Sign.Trust) > 0 || len(cfg.Promote.Require) != 6 {
			t.Errorf("%s: the file %q has said something: %+v, %v", path, cfg.File, cfg.Sign, cfg.Promote.Require)
		}
		if !cfg.Verify.Promoted || cfg.Sign.Keyless.TrustedRoot != filepath.Join(dir, "root.json") {
			t.Errorf("%s: environment and flags have said nothing: %+v, %+v", path, cfg.Verify, cfg.Sign.Keyless)
		}
	}
	if _, err := LoadWithoutFile(dir, nil, []string{"verify.max_age=soon"}); err == nil {
		t.Error("a mistake in a flag is taken")
	}
	if _, err := LoadWithoutFile(filepath.Join(dir, "gone.yaml"), nil, nil); err == nil {
		t.Error("a file that is not there is taken")
	}
}

// TestNoFiles: no report is written, and what a CI system is shown stays as it was.
func TestNoFiles(t *testing.T) {
	t.Parallel()
	cfg := Defaults()
	cfg.Reports.Summary = false
	for _, kind := range ReportKinds() {
		*cfg.Reports.file(kind) = kind
		if cfg.Reports.File(kind) != kind {
			t.Errorf("%s has no file", kind)
		}
	}
	cfg.Reports.NoFiles()
	if cfg.Reports != (Reports{Annotations: true}) {
		t.Errorf("%+v", cfg.Reports)
	}
}
