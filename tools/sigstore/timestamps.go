package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	tsalog "github.com/sigstore/timestamp-authority/v2/pkg/log"
	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
	"go.uber.org/zap"
)

// timestamps is the timestamp authority (RFC 3161).
type timestamps struct {
	url   string
	chain []*x509.Certificate // its own certificate first, the root last
}

func newTimestamps() (*timestamps, error) {
	// Its library is told by the same global settings as its program.
	for name, value := range map[string]any{
		"timestamp-signer": "memory", "timestamp-signer-hash": "sha256", "default-policy-oid": "1.3.6.1.4.1.57264.2", "include-chain-in-response": false,
	} {
		viper.Set(name, value)
	}
	tsalog.Logger = zap.NewNop().Sugar() // it would tell of each request
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	api := server.NewRestAPIServer("127.0.0.1", port, []string{"http"}, false, 10*time.Second, 10*time.Second)
	failed := make(chan error, 1)
	go func() { failed <- api.Serve() }()
	base := fmt.Sprintf("http://127.0.0.1:%d/api/v1/timestamp", port)
	body, err := awaited(base+"/certchain", failed)
	if err != nil {
		return nil, fmt.Errorf("the timestamp authority: %w", err)
	}
	chain, err := cryptoutils.UnmarshalCertificatesFromPEM(body)
	if err != nil {
		return nil, err
	}
	return &timestamps{url: base, chain: chain}, nil
}

// patience is how long a server may take to come up.
const patience = 30 * time.Second

// awaited is what a server answers as soon as it answers well.
func awaited(url string, failed <-chan error) ([]byte, error) {
	deadline := time.After(patience)
	for {
		if answer, err := http.Get(url); err == nil {
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK && err == nil {
				return body, nil
			}
		}
		select {
		case err := <-failed:
			return nil, fmt.Errorf("it ended: %w", err)
		case <-deadline:
			return nil, fmt.Errorf("it did not answer at %s within %s", url, patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
