package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Sign says who signs, and who else is trusted.
type Sign struct {
	Key      SigningKey `yaml:"key" doc:"The private key, in cosign's encrypted format (hallmark key new makes one). The word keyless signs without one: with a certificate that a Sigstore issues to the CI job. Empty: a key that lives in memory for this run alone, which is enough to try Hallmark and worth nothing to anyone else." example:"file:hallmark.key"`
	Password secret.Ref `yaml:"password" doc:"The password of the key; without it the key must have none." example:"env:HALLMARK_KEY_PASSWORD"`
	Tags     bool       `yaml:"tags" doc:"Also attach evidence under cosign's older tags (sha256-….att), for verifiers that do not read OCI referrers. A signature by key (sha256-….sig) is always attached both ways."`
	Keyless  Keyless    `yaml:"keyless" doc:"The Sigstore that vouches for identities, in signing and in verifying. Without any of it, the public one."`
	Trust    []Trust    `yaml:"trust" doc:"Whose evidence counts besides that of sign.key: identities, or keys. With it, a promotion can demand that a certain workflow has signed."`
}

// Keyless says which Sigstore to use, and with which token.
type Keyless struct {
	Token        secret.Ref `yaml:"token" doc:"The identity token. Without it, the CI system is asked for one; docs/ci.md says how." example:"file:/run/secrets/identity-token"`
	Audience     string     `yaml:"audience" doc:"Whom the token is for."`
	Fulcio       string     `yaml:"fulcio" format:"service" doc:"Address of the Fulcio that issues certificates. With it, those that see signatures are named here, too; without, the Sigstore's own signing configuration names all of them." example:"https://fulcio.example.com"`
	Rekor        string     `yaml:"rekor" format:"service" doc:"Address of the transparency log." example:"https://rekor.example.com"`
	RekorVersion int        `yaml:"rekor_version" doc:"Version of the log's interface, 1 or 2."`
	Timestamp    string     `yaml:"timestamp" format:"service" doc:"Address of the timestamp authority (RFC 3161), in full. Version 2 of the log wants one." example:"https://timestamp.example.com/api/v1/timestamp"`
	TrustedRoot  string     `yaml:"trusted_root" format:"path" doc:"File with the certificates and keys of the authorities (trusted_root.json). Without it, they are fetched by TUF." example:"./trusted_root.json"`
	TUF          string     `yaml:"tuf" format:"service" doc:"Address of the Sigstore's TUF repository." default:"the public one" example:"https://tuf.example.com"`
	TUFRoot      string     `yaml:"tuf_root" format:"path" doc:"File with the first root of that repository (root.json)." example:"./tuf-root.json"`
}

// Trust is one signer whose evidence counts: an identity, or a key.
type Trust struct {
	Issuer         string `yaml:"issuer" doc:"Who issues the tokens of the identity." example:"https://token.actions.githubusercontent.com"`
	IssuerRegexp   string `yaml:"issuer_regexp" doc:"A pattern for it instead, which must match all of it." example:"'https://gitlab\\.example\\.com'"`
	Identity       string `yaml:"identity" doc:"The identity, as it stands in the certificate: a workflow at a branch, or a mail address." example:"https://github.com/octo/spark/.github/workflows/golden.yml@refs/heads/main"`
	IdentityRegexp string `yaml:"identity_regexp" doc:"A pattern for it instead, which must match all of it." example:"'https://github\\.com/octo/.+@refs/heads/main'"`
	Key            string `yaml:"key" format:"path" doc:"File with a public key, instead of an identity." example:"./hallmark.pub"`
}

// SigningKey is where the private key is, or the word keyless.
type SigningKey string

const keyless = "keyless"

// Keyless says that no key signs.
func (k SigningKey) Keyless() bool { return k == keyless }

// Ref is where the key is.
func (k SigningKey) Ref() secret.Ref { return secret.Ref(k) }

func (k SigningKey) check() error {
	if k.Keyless() || k == "" {
		return nil
	}
	if err := k.Ref().Check(); err != nil {
		return errors.New(verdict.Plain(err) + "; keyless signs without a key")
	}
	return nil
}

// validateSign looks for contradictions about who signs and who is trusted.
func (d *decoder) validateSign(s Sign) {
	if s.Password != "" && s.Key == "" && !d.failed("sign.key") {
		d.refuse("sign.password", "is the password of no key", "give sign.key, or leave the password out")
	}
	if s.Key.Keyless() {
		if s.Password != "" {
			d.refuse("sign.password", "is the password of a key, and sign.key is keyless", "leave it out")
		}
		if s.Tags {
			d.refuse("sign.tags", "asks for cosign's older tags, which hold no certificate as it is logged today, and sign.key is keyless", "leave it out, or sign with a key")
		}
	}
	d.validateKeyless(s.Keyless)
	for i, t := range s.Trust {
		d.validateTrust(fmt.Sprintf("sign.trust[%d]", i), t)
	}
}

func (d *decoder) validateKeyless(k Keyless) {
	const at = "sign.keyless."
	for field, address := range map[string]string{"fulcio": k.Fulcio, "rekor": k.Rekor, "timestamp": k.Timestamp, "tuf": k.TUF} {
		if address != "" && !serviceAddress(address) {
			d.refuse(at+field, fmt.Sprintf("%q is no https address", address), "write https://HOST; without TLS only addresses of this machine are taken")
		}
	}
	own := k.Rekor != "" || k.Timestamp != ""
	switch {
	case own && k.Fulcio == "":
		d.refuse("sign.keyless", "names who sees signatures, and no Fulcio whose certificates they are made with", "name sign.keyless.fulcio, too")
	case k.Fulcio != "" && !own:
		d.refuse(at+"fulcio", "is named, and nobody who sees what is signed with its certificates", "name sign.keyless.rekor or sign.keyless.timestamp, too")
	case k.Fulcio != "" && k.TrustedRoot == "" && k.TUF == "":
		d.refuse(at+"fulcio", "is named, and nothing by which its certificates are known", "name sign.keyless.trusted_root, or sign.keyless.tuf with tuf_root")
	}
	switch {
	case d.failed(at + "rekor_version"):
	case k.RekorVersion < 1 || k.RekorVersion > 2:
		d.refuse(at+"rekor_version", "is neither 1 nor 2", "ask the log: version 2 answers at /api/v2")
	case k.Rekor == "" && k.RekorVersion != 1:
		d.refuse(at+"rekor_version", "is the version of no log", "name sign.keyless.rekor, or leave it out")
	case k.RekorVersion == 2 && k.Timestamp == "":
		d.refuse(at+"rekor_version", "is 2, which dates nothing, and no timestamp authority is named", "name sign.keyless.timestamp, too")
	}
	switch {
	case k.TrustedRoot != "" && k.TUF != "":
		d.refuse(at+"trusted_root", "is a file, and sign.keyless.tuf is where to fetch it", "keep one of them")
	case (k.TUF == "") != (k.TUFRoot == ""):
		d.refuse("sign.keyless", "names half of a TUF repository", "give tuf, its address, and tuf_root, the file that it is known by")
	}
	if k.Audience == "" && !d.failed(at+"audience") {
		d.refuse(at+"audience", "is empty", "write sigstore, or leave it out")
	}
}

// serviceAddress says whether a service may be asked there: by https, or on this machine.
func serviceAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User == nil && secret.MayGoTo(u)
}

func (d *decoder) validateTrust(at string, t Trust) {
	if t.Key != "" {
		if t.Issuer+t.IssuerRegexp+t.Identity+t.IdentityRegexp != "" {
			d.refuse(at, "names a key and an identity", "write two elements of the list")
		}
		return
	}
	for _, half := range []struct{ field, exact, pattern, why string }{
		{"issuer", t.Issuer, t.IssuerRegexp, "anybody can run an issuer that calls its users as it likes"},
		{"identity", t.Identity, t.IdentityRegexp, "everybody who has a token of the issuer would count"},
	} {
		switch {
		case half.exact == "" && half.pattern == "":
			d.refuse(at, "has no "+half.field+": "+half.why, "give "+half.field+" or "+half.field+"_regexp")
		case half.exact != "" && half.pattern != "":
			d.refuse(at+"."+half.field, "stands there twice, exact and as a pattern", "keep one of them")
		}
		if _, err := regexp.Compile(half.pattern); err != nil {
			d.refuse(at+"."+half.field+"_regexp", "is no regular expression: "+err.Error(), "see https://pkg.go.dev/regexp/syntax")
		}
	}
}
