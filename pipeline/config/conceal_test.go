//go:build unix

package config

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// Secrets that nobody has read yet are hidden all the same; a pipe is left to its reader.
func TestConceal(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "password"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("conceal-from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"INDEX", "PULLER"} {
		t.Setenv("CONCEAL_"+name, "conceal-"+name+"-of-the-environment")
	}
	cfg := &Config{Launch: []Launch{{Databricks: &Databricks{Credentials: PullCredential{Username: "env:CONCEAL_PULLER", Password: "{{secrets/scope/key}}"}}}}}
	cfg.Build.Secrets = map[string]secret.Ref{"index": "env:CONCEAL_INDEX", "other": "env:CONCEAL_NOT_SET"}
	cfg.Sign.Password, cfg.Sign.Key = secret.Ref("file:"+file), SigningKey("file:"+pipe)
	cfg.Conceal()
	for _, value := range []string{"conceal-from-a-file", "conceal-INDEX-of-the-environment", "conceal-PULLER-of-the-environment"} {
		if got := secret.Redact(value); got != "***" {
			t.Errorf("%s is shown as %s", value, got)
		}
	}
}
