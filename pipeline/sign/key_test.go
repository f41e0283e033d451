package sign_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestLoad(t *testing.T) {
	private, public, err := sign.NewKey([]byte("a-test-password"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name string, data []byte) secret.Ref {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return secret.Ref("file:" + path)
	}
	key := write("good.key", private)
	t.Setenv("HALLMARK_TEST_PASSWORD", "a-test-password")
	t.Setenv("HALLMARK_TEST_WRONG", "not-the-password")
	const right, wrong = secret.Ref("env:HALLMARK_TEST_PASSWORD"), secret.Ref("env:HALLMARK_TEST_WRONG")

	signer, err := sign.Load(key, right)
	if err != nil {
		t.Fatal(err)
	}
	if string(signer.PublicPEM()) != string(public) {
		t.Error("the public key is not the one that was made with the private one")
	}
	if !strings.HasPrefix(signer.Fingerprint(), "sha256:") || signer.Name() != "key "+signer.Fingerprint() {
		t.Errorf("fingerprint %q, name %q", signer.Fingerprint(), signer.Name())
	}
	for _, tt := range []struct {
		name          string
		key, password secret.Ref
		want          string
	}{
		{"wrong password", key, wrong, "does not open with this password"},
		{"no key", "", "", "hallmark key new"},
		{"the public key", write("pub", public), "", "public key"},
		{"an unencrypted key", write("plain", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), "", "import-key-pair"},
		{"something else", write("text", []byte("hello")), "", "not PEM"},
		{"another PEM", write("cert", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), "", "CERTIFICATE"},
		{"damaged", write("damaged", []byte(strings.Replace(string(private), "\n", "\nAAAA", 3))), right, "opening the signing key"},
		{"not there", "file:" + secret.Ref(folder) + "/none", "", "no such file"},
		{"a key vault", "azurekms://vault.vault.azure.net/key", "", "not supported yet"},
		{"no reference", "keyless", "", "by reference"},
		{"the key itself", secret.Ref(private), "", "by reference"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sign.Load(tt.key, tt.password)
			if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a usage error with %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "test-password") || strings.Contains(err.Error(), "BEGIN")) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
