package sign

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	sgsign "github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// sealed is a signed statement in the forms in which it is stored.
type sealed struct {
	bundle   []byte         // Sigstore bundle, JSON
	envelope *dsse.Envelope // the same signature by itself
}

// seal signs payload, an in-toto statement.
func (s *Signer) seal(ctx context.Context, payload []byte) (sealed, error) {
	var made *protobundle.Bundle
	var err error
	if s.keyless != nil {
		made, err = s.keyless.seal(ctx, payload, s.own)
	} else {
		made, err = sgsign.Bundle(&sgsign.DSSEData{Data: payload, PayloadType: typeInToto}, keypair{s}, sgsign.BundleOptions{Context: ctx})
	}
	if err != nil {
		return sealed{}, err
	}
	encoded, err := protojson.Marshal(made)
	if err != nil {
		return sealed{}, err
	}
	read, err := bundle.NewBundle(made)
	if err != nil {
		return sealed{}, err
	}
	envelope, err := read.Envelope()
	if err != nil {
		return sealed{}, err
	}
	return sealed{bundle: encoded, envelope: envelope.RawEnvelope()}, nil
}

// unsealed is a bundle of which the form is known to be right, and nothing else.
type unsealed struct {
	bundle  *bundle.Bundle
	payload []byte // what is claimed to be signed
}

// unseal reads a Sigstore bundle around an in-toto statement.
func unseal(data []byte) (unsealed, error) {
	b := &bundle.Bundle{}
	if err := b.UnmarshalJSON(data); err != nil {
		return unsealed{}, fmt.Errorf("it is not a Sigstore bundle: %w", err)
	}
	if !b.MinVersion("v0.3") {
		return unsealed{}, fmt.Errorf("it is a Sigstore bundle of a version before 0.3")
	}
	content, ok := b.Content.(*protobundle.Bundle_DsseEnvelope)
	if !ok || content.DsseEnvelope == nil {
		return unsealed{}, fmt.Errorf("the bundle holds no DSSE envelope")
	}
	if got := content.DsseEnvelope.GetPayloadType(); got != typeInToto {
		return unsealed{}, fmt.Errorf("the envelope holds %q, not an in-toto statement", clip(got))
	}
	if n := len(content.DsseEnvelope.GetSignatures()); n != 1 {
		return unsealed{}, fmt.Errorf("the envelope has %d signatures, not one", n)
	}
	return unsealed{bundle: b, payload: content.DsseEnvelope.GetPayload()}, nil
}

// errNotOurs marks a referrer that is no evidence at all: other tools attach things too.
var errNotOurs = errors.New("not a Sigstore bundle")

// findBundle reads the manifest that an entry of the list of referrers leads to, and says where its bundle is.
func findBundle(ctx context.Context, c *registry.Client, at subject.Subject, entry v1.Descriptor) (v1.Descriptor, error) {
	manifest, err := c.Manifest(ctx, subject.Subject{Repository: at.Repository, Digest: entry.Digest.String()})
	if err != nil {
		return v1.Descriptor{}, err
	}
	content, err := contentOf(manifest, at)
	if err == nil && !isBundle(content.MediaType) {
		err = errNotOurs
	}
	return content, err
}

// openBundle reads a bundle of at most limit bytes.
func openBundle(ctx context.Context, c *registry.Client, at subject.Subject, content v1.Descriptor, limit int64) (unsealed, error) {
	data, err := blob(ctx, c, at.Repository, content, limit)
	if err != nil {
		return unsealed{}, err
	}
	opened, err := unseal(data)
	if err != nil {
		return unsealed{}, reject(CodeMalformed, "%s", clip(err.Error()))
	}
	return opened, nil
}

func isBundle(mediaType types.MediaType) bool {
	return strings.HasPrefix(string(mediaType), typeBundlePrefix)
}
