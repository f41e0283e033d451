package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// peer is another tool's own program, built from its module the first time, which takes minutes.
func peer(t *testing.T, tool string) string {
	t.Helper()
	build := exec.CommandContext(t.Context(), "../../tools/build", tool)
	build.Stderr = os.Stderr
	out, err := build.Output()
	if err != nil {
		t.Fatalf("building %s: %v", tool, err)
	}
	return strings.TrimSpace(string(out))
}

// cosign is cosign's own client, cut off from the network and from the developer's home.
type cosign struct {
	path, home string
	root       string // a trusted root without any authority: with keys, none is needed
}

func newCosign(t *testing.T) cosign {
	t.Helper()
	home := t.TempDir()
	root := filepath.Join(home, "root.json")
	if err := os.WriteFile(root, []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return cosign{path: peer(t, "cosign"), home: home, root: root}
}

func (c cosign) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.Env = []string{"HOME=" + c.home, "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=a-cosign-password", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1,localhost"}
	cmd.Dir = c.home
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// verify runs one of cosign's verifying commands with a public key.
func (c cosign) verify(t *testing.T, command string, public []byte, args ...string) (string, error) {
	t.Helper()
	key := filepath.Join(c.home, "key.pub")
	if err := os.WriteFile(key, public, 0o600); err != nil {
		t.Fatal(err)
	}
	return c.run(t, append([]string{command, "--key", key, "--private-infrastructure", "--allow-http-registry", "--trusted-root", c.root}, args...)...)
}

func TestCosignVerifies(t *testing.T) {
	t.Parallel()
	c, signer, stranger := newClient(t), newSigner(t), newSigner(t)
	for name, serve := range servers {
		at := pushed(t, c, serve(t), "platform/spark")
		all := statements(t, at)
		if err := signer.AttestAll(t.Context(), c, at, all, sign.AttestOptions{Signature: true, Tags: true}); err != nil {
			t.Fatal(err)
		}
		t.Run(name+", bundles", func(t *testing.T) {
			t.Parallel()
			cosignAccepts(t, newCosign(t), signer, stranger, at, all, "--new-bundle-format")
			cosignAccepts(t, newCosign(t), signer, stranger, at, all)
		})
		t.Run(name+", tags", func(t *testing.T) {
			t.Parallel()
			cosignAccepts(t, newCosign(t), signer, stranger, withoutReferrers(t, c, at), all)
		})
	}
}

func cosignAccepts(t *testing.T, peer cosign, signer, stranger *sign.Signer, at subject.Subject, all []evidence.Statement, args ...string) {
	t.Helper()
	args = append(args, at.String())
	if out, err := peer.verify(t, "verify", signer.PublicPEM(), args...); err != nil {
		t.Errorf("cosign verify %v: %v\n%s", args, err, out)
	}
	if out, err := peer.verify(t, "verify", stranger.PublicPEM(), args...); err == nil {
		t.Errorf("cosign verify accepts another key:\n%s", out)
	}
	for _, s := range all {
		typed := append([]string{"--type", s.PredicateType}, args...)
		out, err := peer.verify(t, "verify-attestation", signer.PublicPEM(), typed...)
		if err != nil || !strings.Contains(out, "payloadType") {
			t.Errorf("cosign verify-attestation %v: %v\n%s", typed, err, out)
		}
	}
	typed := append([]string{"--type", all[0].PredicateType}, args...)
	if out, err := peer.verify(t, "verify-attestation", stranger.PublicPEM(), typed...); err == nil {
		t.Errorf("cosign verify-attestation accepts another key:\n%s", out)
	}
}

// Keys that were imported sign in ways that both clients understand.
func TestKindsOfKeys(t *testing.T) {
	t.Parallel()
	c, other, peer := newClient(t), newSigner(t), newCosign(t)
	host := servers["stand-in tag"](t)
	p384, p384Err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, rsaErr := rsa.GenerateKey(rand.Reader, 2048)
	_, edKey, edErr := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(p384Err, rsaErr, edErr); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PrivateKey{"ECDSA P-384": p384, "RSA": rsaKey, "Ed25519": edKey} {
		signer, err := sign.FromKey(key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		at := pushed(t, c, host, "spark")
		all := []evidence.Statement{checked(t, at, time.Hour)}
		if err := signer.AttestAll(t.Context(), c, at, all, sign.AttestOptions{Signature: true, Tags: true}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := verify(t, c, at, sign.Policy{Keys: trusting(other, signer)}); len(r.Signatures) != 2 || len(r.Evidence) != 1 {
			t.Errorf("%s: %d signatures, %d statements, rejected %+v", name, len(r.Signatures), len(r.Evidence), r.Rejected)
		}
		var args []string
		if name == "ECDSA P-384" { // cosign assumes SHA-256 unless it is told
			args = []string{"--signature-digest-algorithm=sha384"}
		}
		t.Run(name, func(t *testing.T) { cosignAccepts(t, peer, signer, other, at, all, args...) })
		t.Run(name+", tags", func(t *testing.T) { cosignAccepts(t, peer, signer, other, withoutReferrers(t, c, at), all, args...) })
	}
}

// cosign prehashes what it signs with Ed25519, and cannot verify that itself without being told: here it counts.
func TestCosignEd25519(t *testing.T) {
	t.Parallel()
	peer, c := newCosign(t), newClient(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(peer.home, "plain.pem")
	if err := os.WriteFile(plain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := peer.run(t, "import-key-pair", "--key", plain); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	at := pushed(t, c, servers["stand-in tag"](t), "spark")
	if out, err := peer.run(t, "sign", "--key", "import-cosign.key", "--tlog-upload=false", "--yes", "--allow-http-registry", at.String()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	public, err := os.ReadFile(filepath.Join(peer.home, "import-cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, c, at, sign.Policy{Keys: [][]byte{public}}); len(r.Signatures) != 1 {
		t.Errorf("%+v", r)
	}
}

// withoutReferrers copies the image with its .sig and .att tags only, as tools do that know no referrers.
func withoutReferrers(t *testing.T, c *registry.Client, at subject.Subject) subject.Subject {
	t.Helper()
	to := subject.Subject{Repository: inProcess(t) + "/platform/spark", Digest: at.Digest}
	tag := strings.Replace(at.Digest, ":", "-", 1)
	for source, target := range map[string]string{at.String(): to.Tagged("copy"), at.Tagged(tag + ".sig"): to.Tagged(tag + ".sig"), at.Tagged(tag + ".att"): to.Tagged(tag + ".att")} {
		from, err := name.ParseReference(source)
		if err != nil {
			t.Fatal(err)
		}
		into, err := name.NewTag(target)
		if err != nil {
			t.Fatal(err)
		}
		img, err := remote.Image(from, c.RemoteOptions(t.Context())...)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(into, img, c.RemoteOptions(t.Context())...); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// Keys and classic signatures go both ways.
func TestCosignKeys(t *testing.T) {
	peer, c := newCosign(t), newClient(t)
	host := servers["embedded"](t)
	t.Setenv("HALLMARK_TEST_COSIGN", "a-cosign-password")
	const password = secret.Ref("env:HALLMARK_TEST_COSIGN")

	if out, err := peer.run(t, "generate-key-pair"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs, err := sign.Load(secret.Ref("file:"+filepath.Join(peer.home, "cosign.key")), password)
	if err != nil {
		t.Fatalf("cosign's key does not open: %v", err)
	}
	at := pushed(t, c, host, "spark")
	if err := theirs.Sign(t.Context(), c, at); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join(peer.home, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := peer.verify(t, "verify", public, at.String()); err != nil {
		t.Errorf("cosign's key, our signature: %v\n%s", err, out)
	}

	private, public, err := sign.NewKey([]byte("a-cosign-password"))
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(peer.home, "ours.key")
	if err := os.WriteFile(key, private, 0o600); err != nil {
		t.Fatal(err)
	}
	at = pushed(t, c, host, "spark")
	out, err := peer.run(t, "sign", "--key", key, "--tlog-upload=false", "--yes", "--allow-http-registry", at.String())
	if err != nil {
		t.Fatalf("our key, cosign's signature: %v\n%s", err, out)
	}
	r := verify(t, c, at, sign.Policy{Keys: [][]byte{public}})
	if len(r.Signatures) != 1 || r.Signatures[0].Form != "tag" {
		t.Errorf("our key, cosign's signature: %+v", r)
	}
	// Ours beside cosign's: theirs is good, so ours need not be added, and cosign still accepts it.
	ours, err := sign.Load(secret.Ref("file:"+key), password)
	if err != nil {
		t.Fatal(err)
	}
	if err := ours.Sign(t.Context(), c, at); err != nil {
		t.Fatal(err)
	}
	if out, err := peer.verify(t, "verify", public, at.String()); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
