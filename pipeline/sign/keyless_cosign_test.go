package sign_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
)

// witnessed is what sees and dates signatures, and how cosign is told of it.
type witnessed struct {
	instance sign.Instance
	signing  string   // signing configuration
	verify   []string // flags
}

// TestCosignAndKeyless: each of the two verifies what the other has signed.
func TestCosignAndKeyless(t *testing.T) {
	t.Parallel()
	s := newSigstore(t)
	for name, w := range map[string]witnessed{
		"Rekor 2":                     {s.instance(), s.SigningConfig, []string{"--use-signed-timestamps"}},
		"Rekor 1":                     {s.first(), s.First.SigningConfig, []string{"--use-signed-timestamps"}},
		"Rekor 1 without a timestamp": {s.undated(), s.undatedConfig(t), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cosignAndKeyless(t, s, w)
		})
	}
}

// undatedConfig is the signing configuration with the first version's log and no timestamp authority.
func (s sigstore) undatedConfig(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.First.SigningConfig)
	if err != nil {
		t.Fatal(err)
	}
	var all object
	if err := json.Unmarshal(text, &all); err != nil || all["tsaUrls"] == nil {
		t.Fatal(all, err)
	}
	delete(all, "tsaUrls")
	delete(all, "tsaConfig")
	text, err = json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signing_config.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func cosignAndKeyless(t *testing.T, s sigstore, w witnessed) {
	t.Helper()
	c, peer := newClient(t), newCosign(t)
	at := pushed(t, c, inProcess(t, ggcr.WithReferrersSupport(true)), "platform/spark")
	all := fresh(t, at)
	if err := s.keyless(t, w.instance).AttestAll(t.Context(), c, at, all, sign.AttestOptions{Signature: true}); err != nil {
		t.Fatal(err)
	}
	check := func(command, name string, more ...string) (string, error) {
		args := append([]string{
			command, "--trusted-root", w.instance.TrustedRoot, "--certificate-identity", name, "--certificate-oidc-issuer", s.Issuer,
			"--allow-http-registry", "--new-bundle-format",
		}, append(w.verify, more...)...)
		return peer.run(t, append(args, at.String())...)
	}
	name := s.workflow().Name
	if said, err := check("verify", name); err != nil {
		t.Errorf("cosign verify: %v\n%s", err, said)
	}
	if said, err := check("verify", strings.Replace(name, "golden", "other", 1)); err == nil {
		t.Errorf("cosign verifies for somebody else:\n%s", said)
	}
	for _, statement := range all {
		if said, err := check("verify-attestation", name, "--type", statement.PredicateType); err != nil || !strings.Contains(said, "payloadType") {
			t.Errorf("cosign verify-attestation of %s: %v\n%s", statement.PredicateType, err, said)
		}
	}

	theirs := pushed(t, c, inProcess(t, ggcr.WithReferrersSupport(true)), "platform/spark")
	token, err := s.token(s.Issuer, url.Values{})(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, stated, bundle := filepath.Join(dir, "token"), filepath.Join(dir, "statement.json"), filepath.Join(dir, "bundle.json")
	if err := errors.Join(os.WriteFile(file, []byte(token), 0o600), os.WriteFile(stated, []byte(marshal(t, fresh(t, theirs)[1])), 0o600)); err != nil {
		t.Fatal(err)
	}
	with := []string{"--yes", "--identity-token", file, "--signing-config", w.signing, "--trusted-root", w.instance.TrustedRoot, "--new-bundle-format"}
	for _, args := range [][]string{{"sign", "--allow-http-registry", theirs.String()}, {"attest-blob", "--statement", stated, "--bundle", bundle}} {
		if said, err := peer.run(t, append(args, with...)...); err != nil {
			t.Fatalf("cosign %s: %v\n%s", args[0], err, said)
		}
	}
	signed, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, c, theirs, planted{bundle: signed, annotations: map[string]string{"dev.sigstore.bundle.predicateType": evidence.TypeChecked}})
	report := verify(t, c, theirs, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, w.instance), Now: time.Now()})
	if len(report.Evidence) != 1 || !strings.Contains(report.Evidence[0].Signer, "golden.yml") {
		t.Errorf("cosign's statement does not count: %+v", report)
	}
	// What cosign signs in bundle form names no repository: it would hold anywhere, so it holds nowhere. The signature itself
	// was found to be good, or the reason would be another.
	if len(report.Signatures) > 0 || len(report.Rejected) != 1 || report.Rejected[0].Code != sign.CodeMalformed {
		t.Errorf("cosign's signature: %+v", report)
	}
}
