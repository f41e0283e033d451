package main

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// serveTUF makes a TUF repository of two targets, as the public instance has them, and serves it; its first root is written
// to the file first.
func serveTUF(dir, first, trustedRoot, signingConfig string) (string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "targets"), 0o755); err != nil {
		return "", err
	}
	expires := time.Now().Add(24 * time.Hour).UTC()
	root, targets := metadata.Root(expires), metadata.Targets(expires)
	snapshot, timestamp := metadata.Snapshot(expires), metadata.Timestamp(expires)
	for name, file := range map[string]string{"trusted_root.json": trustedRoot, "signing_config.v0.2.json": signingConfig} {
		body, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		target, err := metadata.TargetFile().FromBytes(name, body, "sha256")
		if err != nil {
			return "", err
		}
		targets.Signed.Targets[name] = target
		if err := os.WriteFile(filepath.Join(dir, "targets", fmt.Sprintf("%x.%s", []byte(target.Hashes["sha256"]), name)), body, 0o644); err != nil {
			return "", err
		}
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	public, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return "", err
	}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if err := root.Signed.AddKey(public, role); err != nil {
			return "", err
		}
	}
	signer, err := signature.LoadSigner(private, 0)
	if err != nil {
		return "", err
	}
	type document interface {
		ToFile(name string, pretty bool) error
	}
	for name, doc := range map[string]document{"1.root.json": root, "1.targets.json": targets, "1.snapshot.json": snapshot, "timestamp.json": timestamp} {
		switch doc := doc.(type) {
		case *metadata.Metadata[metadata.RootType]:
			_, err = doc.Sign(signer)
		case *metadata.Metadata[metadata.TargetsType]:
			_, err = doc.Sign(signer)
		case *metadata.Metadata[metadata.SnapshotType]:
			_, err = doc.Sign(signer)
		case *metadata.Metadata[metadata.TimestampType]:
			_, err = doc.Sign(signer)
		}
		if err != nil {
			return "", err
		}
		if err := doc.ToFile(filepath.Join(dir, name), false); err != nil {
			return "", err
		}
	}
	if err := root.ToFile(first, false); err != nil {
		return "", err
	}
	return httptest.NewServer(http.FileServer(http.Dir(dir))).URL, nil
}
