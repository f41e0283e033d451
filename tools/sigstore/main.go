// Sigstore is a whole one of them, on loopback and without a network, for tests of keyless signing: an identity provider
// that hands out tokens as GitHub's runner does, a certificate transparency log, Fulcio's own server, the real timestamp
// authority, the real Rekor (version 2, on files), and a TUF repository that names them.
//
// It writes one line of JSON, which says where everything is, and serves until its standard input ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	rekor "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix/app"
)

// Described is what the program says about itself.
type Described struct {
	// Issuer is whom Fulcio knows, and Other is another one whom it knows too. Tokens of each come from TOKENS/token with
	// the bearer RequestToken; the query may hold audience, workflow, ref and expired.
	Issuer       string `json:"issuer"`
	Other        string `json:"other"`
	Unknown      string `json:"unknown"` // one whom it does not know
	RequestToken string `json:"request_token"`

	Fulcio        string `json:"fulcio"`
	FulcioForeign string `json:"fulcio_foreign"` // its authority is in no trusted root
	FulcioNoLog   string `json:"fulcio_no_log"`  // the same authority as Fulcio's, but what it issues is in no log
	Rekor         string `json:"rekor"`
	Timestamp     string `json:"timestamp"`

	TrustedRoot   string `json:"trusted_root"`   // file
	SigningConfig string `json:"signing_config"` // file
	TUF           string `json:"tuf"`
	TUFRoot       string `json:"tuf_root"` // file
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == rekorVerb {
		os.Args = append([]string{"rekor-server", "serve"}, os.Args[2:]...)
		rekor.Execute()
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "sigstore:", err)
		os.Exit(1)
	}
}

func serve() error {
	dir, err := os.MkdirTemp("", "sigstore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := Described{
		RequestToken: "request-token-of-the-tests",
		TrustedRoot:  filepath.Join(dir, "trusted_root.json"), SigningConfig: filepath.Join(dir, "signing_config.json"),
		TUFRoot: filepath.Join(dir, "root.json"),
	}
	issuers := make([]*issuer, 3)
	for i := range issuers {
		if issuers[i], err = newIssuer(d.RequestToken); err != nil {
			return err
		}
	}
	d.Issuer, d.Other, d.Unknown = issuers[0].url, issuers[1].url, issuers[2].url
	logged, err := newLog()
	if err != nil {
		return err
	}
	known := []string{d.Issuer, d.Other}
	own, err := newAuthority()
	if err != nil {
		return err
	}
	foreign, err := newAuthority()
	if err != nil {
		return err
	}
	if d.Fulcio, err = own.serve(known, logged); err != nil {
		return err
	}
	if d.FulcioNoLog, err = own.serve(known, nil); err != nil {
		return err
	}
	if d.FulcioForeign, err = foreign.serve(known, logged); err != nil {
		return err
	}
	stamps, err := newTimestamps()
	if err != nil {
		return err
	}
	d.Timestamp = stamps.url
	entries, err := newRekor(dir)
	if err != nil {
		return err
	}
	defer entries.stop()
	d.Rekor = entries.url
	started := time.Now().Add(-time.Hour)
	if err := describe(d, own, logged, stamps, entries, started); err != nil {
		return err
	}
	if d.TUF, err = serveTUF(filepath.Join(dir, "tuf"), d); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(d); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
