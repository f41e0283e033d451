// Sigstore is a whole one of them, on loopback and without a network, for tests of keyless signing: an identity provider
// that hands out tokens as GitHub's runner does, a certificate transparency log, Fulcio's own server, the real timestamp
// authority, the real Rekor of both versions (the second on files, the first on Trillian's own servers and in memory), and TUF
// repositories that name them.
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

	First First `json:"first"`
}

// First is the same instance with Rekor's first version.
type First struct {
	Rekor    string `json:"rekor"`
	RekorKey string `json:"rekor_key"` // file: its private key, to forge with

	TrustedRoot   string `json:"trusted_root"`   // file: the logs of both versions, and the timestamp authority
	UndatedRoot   string `json:"undated_root"`   // file: this log, and no timestamp authority
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
	if len(os.Args) == 4 && os.Args[1] == rekor1Verb {
		fmt.Fprintln(os.Stderr, "rekor 1:", serveRekor1(os.Args[2], os.Args[3]))
		os.Exit(1)
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
		First: First{
			TrustedRoot: filepath.Join(dir, "trusted_root.1.json"), UndatedRoot: filepath.Join(dir, "trusted_root.undated.json"),
			SigningConfig: filepath.Join(dir, "signing_config.1.json"), TUFRoot: filepath.Join(dir, "root.1.json"),
		},
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
	first, err := newRekor1(dir)
	if err != nil {
		return err
	}
	defer first.stop()
	d.First.Rekor, d.First.RekorKey = first.url, first.key
	i := instance{d: d, ca: own, ct: logged, stamps: stamps, since: time.Now().Add(-time.Hour)}
	if err := i.describe(entries.log(i.since), first.log(i.since)); err != nil {
		return err
	}
	if d.TUF, err = serveTUF(filepath.Join(dir, "tuf"), d.TUFRoot, d.TrustedRoot, d.SigningConfig); err != nil {
		return err
	}
	if d.First.TUF, err = serveTUF(filepath.Join(dir, "tuf1"), d.First.TUFRoot, d.First.TrustedRoot, d.First.SigningConfig); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(d); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
