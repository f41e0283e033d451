// Package sigstoretest starts a Sigstore for tests: Fulcio, Rekor, a timestamp authority and a TUF repository, all of them
// the real servers, with an issuer that hands out tokens as GitHub's runner does. Its source is in tools/sigstore.
package sigstoretest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Sigstore says where the servers are, and which files they are known by.
type Sigstore struct {
	Issuer        string `json:"issuer"`
	Other         string `json:"other"`   // an issuer that Fulcio knows, too
	Unknown       string `json:"unknown"` // one that it does not know
	RequestToken  string `json:"request_token"`
	Fulcio        string `json:"fulcio"`
	FulcioForeign string `json:"fulcio_foreign"` // of an authority that the trusted root does not name
	FulcioNoLog   string `json:"fulcio_no_log"`  // whose certificates are in no log
	Rekor         string `json:"rekor"`
	Timestamp     string `json:"timestamp"`
	TrustedRoot   string `json:"trusted_root"`
	SigningConfig string `json:"signing_config"`
	TUF           string `json:"tuf"`
	TUFRoot       string `json:"tuf_root"`

	First First `json:"first"`
}

// First is the same instance with Rekor's first version.
type First struct {
	Rekor         string `json:"rekor"`
	RekorKey      string `json:"rekor_key"`      // file with its private key, to forge with
	TrustedRoot   string `json:"trusted_root"`   // names the logs of both versions, and the timestamp authority
	UndatedRoot   string `json:"undated_root"`   // names this log, and no timestamp authority
	SigningConfig string `json:"signing_config"` // names this log, and the timestamp authority
	TUF           string `json:"tuf"`
	TUFRoot       string `json:"tuf_root"`
}

// Start starts the servers, which build, the path of tools/build, compiles where they are not compiled yet. They end when
// stop is called, or this process is gone: with their standard input.
func Start(build string) (s Sigstore, stop func(), err error) {
	compile := exec.Command(build, "sigstore")
	compile.Stderr = os.Stderr
	path, err := compile.Output()
	if err != nil {
		return s, nil, fmt.Errorf("building sigstore: %w", err)
	}
	server := exec.Command(strings.TrimSpace(string(path)))
	server.Stderr = os.Stderr
	held, err := server.StdinPipe()
	if err != nil {
		return s, nil, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return s, nil, err
	}
	if err := server.Start(); err != nil {
		return s, nil, err
	}
	said := bufio.NewReader(out)
	line, err := said.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, said) }()
	stop = func() {
		_ = held.Close()
		<-drained
		_ = server.Wait()
	}
	if err != nil {
		stop()
		return s, nil, fmt.Errorf("sigstore did not come up: %w", err)
	}
	return s, stop, nil
}
