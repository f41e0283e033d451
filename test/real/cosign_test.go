//go:build real

package real

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cosign lets cosign's own client verify what the run has left, in the registry that the program serves.
func (s *sparkImage) cosign(t *testing.T) {
	built := exec.CommandContext(t.Context(), filepath.Join(top, "tools", "build"), "cosign")
	built.Stderr = os.Stderr
	out, err := built.Output()
	if err != nil {
		t.Fatalf("building cosign: %v", err)
	}
	client := strings.TrimSpace(string(out))
	dir := t.TempDir()
	root := filepath.Join(dir, "root.json") // no authority: with keys, none is needed
	if err := os.WriteFile(root, []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	image := s.serve(t) + "/spark:golden"
	cosign := func(command string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args = append([]string{command, "--key", keyFiles + ".pub", "--private-infrastructure", "--allow-http-registry", "--trusted-root", root}, append(args, image)...)
		cmd := exec.CommandContext(ctx, client, args...)
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1"}
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		err := cmd.Run()
		return said.String(), err
	}
	for _, form := range [][]string{nil, {"--new-bundle-format"}} {
		said, err := cosign("verify", form...)
		if err != nil || !strings.Contains(said, s.first.report.Subject.Digest) && form == nil {
			t.Errorf("cosign verify %v: %v\n%s", form, err, said)
		}
	}
	for _, e := range s.first.report.Evidence {
		if e.PredicateType == "" {
			continue // the signature
		}
		said, err := cosign("verify-attestation", "--type", e.PredicateType, "--new-bundle-format")
		if err != nil || !strings.Contains(said, "payloadType") {
			t.Errorf("cosign verify-attestation --type %s: %v\n%.2000s", e.PredicateType, err, said)
		}
	}
	if said, err := cosign("verify-attestation", "--type", "https://example.com/nothing/of/the/kind", "--new-bundle-format"); err == nil {
		t.Errorf("cosign finds what is not there:\n%.2000s", said)
	}
}

// asReported runs the command that the report gives for the verification.
func asReported(t *testing.T, o outcome) {
	t.Helper()
	command, known := strings.CutPrefix(o.report.VerifyCommand, "hallmark ")
	if !known {
		t.Fatalf("the report's command is %q", o.report.VerifyCommand)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", fmt.Sprintf("%s %s", program, command))
	cmd.Dir = t.TempDir()
	home, _, _ := strings.Cut(o.report.Path, "/runs/")
	cmd.Env = append(os.Environ(), "HALLMARK_HOME="+home, "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", o.report.VerifyCommand, err, out)
	}
}
