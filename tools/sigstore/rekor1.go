package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/go-openapi/loads"
	_ "github.com/hallmark-ci/hallmark/tools/sigstore/flags"
	"github.com/sigstore/rekor/pkg/api"
	"github.com/sigstore/rekor/pkg/generated/restapi"
	"github.com/sigstore/rekor/pkg/generated/restapi/operations"
	rekorlog "github.com/sigstore/rekor/pkg/log"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/rekor/pkg/types/dsse"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1" // each tells its kind of what is understood of it
	"github.com/sigstore/rekor/pkg/types/hashedrekord"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	"github.com/sigstore/rekor/pkg/types/intoto"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/spf13/viper"
	"go.uber.org/zap"
)

const (
	rekor1Verb = "rekor1" // this program as Rekor's first version
	rekor1Name = "rekor1.test"
)

// rekor1 is a transparency log of Rekor's first version: its own handlers, over Trillian's own servers, in a process of
// their own, for both keep to global settings.
type rekor1 struct {
	url    string
	key    string // file
	public *ecdsa.PublicKey
	id     [sha256.Size]byte
	server *exec.Cmd
}

func newRekor1(dir string) (*rekor1, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	l := &rekor1{url: "http://" + address, key: filepath.Join(dir, "rekor1.pem"), public: &key.PublicKey, id: sha256.Sum256(public)}
	if err := os.WriteFile(l.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return nil, err
	}
	l.server = exec.Command(self, rekor1Verb, l.key, address)
	l.server.Stderr = os.Stderr
	diesWithUs(l.server)
	if err := l.server.Start(); err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- l.server.Wait() }()
	if _, err := awaited(l.url+"/api/v1/log", failed); err != nil {
		l.stop()
		return nil, fmt.Errorf("rekor 1: %w", err)
	}
	return l, nil
}

// log is how a trusted root names it.
func (l *rekor1) log(since time.Time) *root.TransparencyLog {
	return &root.TransparencyLog{
		BaseURL: l.url, ID: l.id[:], ValidityPeriodStart: since, HashFunc: crypto.SHA256, PublicKey: l.public, SignatureHashFunc: crypto.SHA256,
	}
}

func (l *rekor1) stop() { _ = l.server.Process.Kill() }

// serveRekor1 is the other process.
func serveRekor1(key, address string) error {
	rekorlog.Logger = zap.NewNop().Sugar() // it would tell of each request
	trillian, err := serveTrillian(context.Background())
	if err != nil {
		return err
	}
	for name, value := range map[string]any{
		"trillian_log_server.address": "127.0.0.1", "trillian_log_server.port": trillian, "rekor_server.signer": key, "rekor_server.hostname": rekor1Name,
		"enabled_api_endpoints": []string{"getLogInfo", "getPublicKey", "getLogProof", "createLogEntry", "getLogEntryByIndex", "getLogEntryByUUID", "searchLogQuery"},
	} {
		viper.Set(name, value)
	}
	types.SetAllowedKindsForSubmission([]string{dsse.KIND, hashedrekord.KIND, intoto.KIND})
	doc, err := loads.Embedded(restapi.SwaggerJSON, restapi.FlatSwaggerJSON)
	if err != nil {
		return err
	}
	api.ConfigureAPI(0) // with a new tree
	server := restapi.NewServer(operations.NewRekorServerAPI(doc))
	server.ConfigureAPI()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return http.Serve(listener, server.GetHandler())
}
