package sign

import (
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// noisy is a bundle with an entry of Rekor's first version, of which the library says on standard error what is wrong.
var noisy = []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
	"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]},
	"verificationMaterial":{"certificate":{"rawBytes":"AAAA"},"tlogEntries":[{"logIndex":"1","logId":{"keyId":"AAAA"},"integratedTime":"1",
	"kindVersion":{"kind":"dsse","version":"0.0.1"},"canonicalizedBody":"` + base64.StdEncoding.EncodeToString([]byte(`{"kind":"dsse","apiVersion":"none","spec":{}}`)) + `",
	"inclusionPromise":{"signedEntryTimestamp":"AAAA"},"inclusionProof":{"logIndex":"1","treeSize":"2","rootHash":"AAAA","hashes":["AAAA"],"checkpoint":{"envelope":"x"}}}]}}`)

// TestQuiet: what stands beside an image writes nothing to standard error. The library got its own when the process
// began, so another one is looked at.
func TestQuiet(t *testing.T) {
	if os.Getenv("HALLMARK_TEST_NOISY") != "" {
		_, err := unseal(noisy)
		if err == nil {
			t.Fatal("it is a bundle")
		}
		t.Log("refused:", err)
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestQuiet$", "-test.v")
	cmd.Env = append(os.Environ(), "HALLMARK_TEST_NOISY=yes")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "refused: it is not a Sigstore bundle") {
		t.Fatalf("%v\n%s", err, out)
	}
	if said.Len() > 0 {
		t.Errorf("it says on standard error: %s", said.String())
	}
}
