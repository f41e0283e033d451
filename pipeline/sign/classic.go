package sign

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	sigoptions "github.com/sigstore/sigstore/pkg/signature/options"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// The suffixes of cosign's tags.
const (
	suffixSignature   = ".sig"
	suffixAttestation = ".att"
)

// attached is one thing under a .sig or .att tag: a layer, and what its entry in the manifest says.
type attached struct {
	layer v1.Layer
	notes map[string]string
	// same says whether an entry that stands under the tag already says what this one says.
	same func(ctx context.Context, there v1.Descriptor) (bool, error)
}

// appended adds layers to the image that a .sig or .att tag holds.
func appended(c *registry.Client, repository string, items []attached) merge {
	return func(ctx context.Context, old *registry.Manifest) (registry.Manifest, bool, error) {
		var layers []v1.Descriptor
		if old != nil {
			var err error
			if layers, err = layersOf(*old); err != nil {
				return registry.Manifest{}, false, err
			}
		}
		fresh := []v1.Layer{}
		for _, item := range items {
			there, err := item.standsIn(ctx, layers)
			if err != nil {
				return registry.Manifest{}, false, err
			}
			if there {
				continue
			}
			d, err := describe(item.layer, item.notes)
			if err != nil {
				return registry.Manifest{}, false, err
			}
			layers, fresh = append(layers, d), append(fresh, item.layer)
		}
		if len(fresh) == 0 {
			return registry.Manifest{}, true, nil
		}
		manifest, config, err := imageOf(layers)
		if err != nil {
			return registry.Manifest{}, false, err
		}
		_, err = c.Upload(ctx, newPile(append(fresh, config)...), repository)
		return manifest, false, err
	}
}

func (a attached) standsIn(ctx context.Context, layers []v1.Descriptor) (bool, error) {
	for _, there := range layers {
		same, err := a.same(ctx, there)
		if _, _, ok := rejected(err); ok {
			continue // whatever it is, it does not stand in for ours
		}
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// layersOf reads the image that a .sig or .att tag holds.
func layersOf(m registry.Manifest) ([]v1.Descriptor, error) {
	parsed, err := v1.ParseManifest(bytes.NewReader(m.Bytes))
	if err != nil {
		return nil, reject(CodeMalformed, "its manifest cannot be read: %w", err)
	}
	if len(parsed.Layers) > maxClassic {
		return nil, reject(CodeTooLarge, "it holds %d signatures, more than the limit of %d", len(parsed.Layers), maxClassic)
	}
	return parsed.Layers, nil
}

// imageOf makes the image that holds the layers, as cosign makes it. The layers are not compressed, so their digests
// are their diff ids too.
func imageOf(layers []v1.Descriptor) (registry.Manifest, v1.Layer, error) {
	file := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, layer := range layers {
		file.RootFS.DiffIDs = append(file.RootFS.DiffIDs, layer.Digest)
		file.History = append(file.History, v1.History{})
	}
	encoded, err := json.Marshal(file)
	if err != nil {
		return registry.Manifest{}, nil, err
	}
	config := static.NewLayer(encoded, types.OCIConfigJSON)
	described, err := describe(config, nil)
	if err != nil {
		return registry.Manifest{}, nil, err
	}
	raw, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: described, Layers: layers})
	return registry.Manifest{Type: types.OCIManifestSchema1, Bytes: raw}, config, err
}

// classic signs the digest in the form of containers/image's simple signing, under the name of repository.
func (s *Signer) classic(ctx context.Context, at subject.Subject, repository string) (attached, error) {
	ref, err := name.NewDigest(repository + "@" + at.Digest)
	if err != nil {
		return attached{}, err
	}
	message, err := payload.Cosign{Image: ref}.MarshalJSON()
	if err != nil {
		return attached{}, err
	}
	signed, err := s.key.SignMessage(bytes.NewReader(message), sigoptions.WithContext(ctx))
	if err != nil {
		return attached{}, err
	}
	layer := static.NewLayer(message, typeSimple)
	digest, err := layer.Digest()
	return attached{
		layer: layer,
		notes: map[string]string{noteSignature: base64.StdEncoding.EncodeToString(signed)},
		same: func(_ context.Context, there v1.Descriptor) (bool, error) {
			if there.Digest != digest {
				return false, nil
			}
			signed, err := base64.StdEncoding.DecodeString(there.Annotations[noteSignature])
			if err != nil {
				return false, nil
			}
			_, err = s.own.ofMessage(signed, message)
			return err == nil, nil
		},
	}, err
}

// openClassic verifies one entry of the .sig tag.
func openClassic(ctx context.Context, c *registry.Client, at subject.Subject, layer v1.Descriptor, keys circle, names []string) (identity, error) {
	if layer.MediaType != typeSimple {
		return identity{}, reject(CodeMalformed, "it is a %q, not a simple signing payload", clip(string(layer.MediaType)))
	}
	signed, err := base64.StdEncoding.DecodeString(layer.Annotations[noteSignature])
	if err != nil || len(signed) == 0 {
		return identity{}, reject(CodeMalformed, "it carries no signature")
	}
	message, err := blob(ctx, c, at.Repository, layer, maxPayload)
	if err != nil {
		return identity{}, err
	}
	signer, err := keys.ofMessage(signed, message)
	if err != nil {
		return identity{}, reject(CodeSigner, "%w", err)
	}
	return signer, checkClassic(message, at, names)
}

// checkClassic compares what a simple signing payload says with the image.
func checkClassic(message []byte, at subject.Subject, names []string) error {
	var claim payload.SimpleContainerImage
	if err := json.Unmarshal(message, &claim); err != nil {
		return reject(CodeMalformed, "its payload cannot be read: %w", err)
	}
	if claim.Critical.Type != payload.CosignSignatureType {
		return reject(CodeMalformed, "its payload is of type %q", clip(claim.Critical.Type))
	}
	about, err := subject.New(claim.Critical.Identity.DockerReference, claim.Critical.Image.DockerManifestDigest)
	if err != nil {
		return reject(CodeMalformed, "its payload names no image: %w", errors.New(clip(err.Error())))
	}
	return checkSubject(about, at, names)
}
