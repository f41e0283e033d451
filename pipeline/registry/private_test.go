package registry_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// Whether a registry wants credentials is asked as a stranger would, whatever credentials there are.
func TestPrivate(t *testing.T) {
	t.Parallel()
	const kind = "application/vnd.oci.image.manifest.v1+json"
	manifest := `{"schemaVersion":2,"mediaType":"` + kind + `"}`
	sum := sha256.Sum256([]byte(manifest))
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("a-password-nobody-is-shown"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		status         int
		private, fails bool
	}{
		"open": {http.StatusOK, false, false}, "denied": {http.StatusUnauthorized, true, false}, "forbidden": {http.StatusForbidden, true, false},
		"hidden": {http.StatusNotFound, true, false}, "broken": {http.StatusTeapot, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if shown := r.Header.Get("Authorization"); shown != "" {
					t.Errorf("a stranger shows %s", shown)
				}
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(manifest))
			}))
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			client, err := registry.New(registry.Options{
				MaxRetries: -1, Auth: map[string]registry.Credential{host: {Username: "ci", Password: secret.Ref("file:" + password)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			private, err := client.Private(t.Context(), subject.Subject{Repository: host + "/dbr", Digest: "sha256:" + hex.EncodeToString(sum[:])})
			if private != test.private || (err != nil) != test.fails {
				t.Errorf("%t, %v", private, err)
			}
		})
	}
}
