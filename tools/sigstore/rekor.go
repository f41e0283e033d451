package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
)

const (
	rekorVerb = "rekor" // this program as Rekor's own
	rekorName = "rekor.test"
)

// log is a transparency log in a folder, served by Rekor's own program.
type log struct {
	url    string
	public ed25519.PublicKey
	id     []byte
	server *exec.Cmd
}

func newRekor(dir string) (*log, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	key := filepath.Join(dir, "rekor.pem")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	_, id, err := note.KeyHash(rekorName, public)
	if err != nil {
		return nil, err
	}
	ports := make([]int, 3)
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server := exec.Command(self, rekorVerb,
		"--storage-dir="+filepath.Join(dir, "log"), "--signer-filepath="+key, "--hostname="+rekorName,
		"--http-address=127.0.0.1", "--grpc-address=127.0.0.1",
		fmt.Sprintf("--http-port=%d", ports[0]), fmt.Sprintf("--grpc-port=%d", ports[1]), fmt.Sprintf("--http-metrics-port=%d", ports[2]),
		"--checkpoint-interval=200ms", "--batch-max-age=50ms", "--log-level=error")
	server.Stderr = os.Stderr
	diesWithUs(server)
	if err := server.Start(); err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Wait() }()
	url := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	if _, err := awaited(url+"/healthz", failed); err != nil {
		_ = server.Process.Kill()
		return nil, fmt.Errorf("rekor: %w", err)
	}
	return &log{url: url, public: public, id: id, server: server}, nil
}

// log is how a trusted root names it.
func (l *log) log(since time.Time) *root.TransparencyLog {
	return &root.TransparencyLog{
		BaseURL: "https://" + rekorName, ID: l.id, ValidityPeriodStart: since, HashFunc: crypto.SHA256, PublicKey: l.public, SignatureHashFunc: crypto.SHA512,
	}
}

func (l *log) stop() { _ = l.server.Process.Kill() }
