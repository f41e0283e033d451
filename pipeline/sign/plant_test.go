package sign_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// planted is a referrer as an attacker, or another tool, may write it.
type planted struct {
	bundle      []byte
	mediaType   string // of the layer; empty: a bundle's
	annotations map[string]string
	about       string // digest that the manifest refers to; empty: the image's
	twice       bool   // two layers
}

// plant stores p beside the image, whatever it is.
func plant(t *testing.T, c *registry.Client, at subject.Subject, p planted) {
	t.Helper()
	mediaType := types.MediaType(bundleType)
	if p.mediaType != "" {
		mediaType = types.MediaType(p.mediaType)
	}
	layer := static.NewLayer(p.bundle, mediaType)
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, "application/vnd.oci.empty.v1+json")
	img, err := mutate.AppendLayers(img, layer)
	if err != nil {
		t.Fatal(err)
	}
	if p.twice {
		if img, err = mutate.AppendLayers(img, static.NewLayer([]byte("more"), mediaType)); err != nil {
			t.Fatal(err)
		}
	}
	about := at.Digest
	if p.about != "" {
		about = p.about
	}
	hash, err := v1.NewHash(about)
	if err != nil {
		t.Fatal(err)
	}
	annotated := mutate.Annotations(img, p.annotations).(v1.Image)
	annotated = mutate.Subject(annotated, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hash, Size: 1}).(v1.Image)
	digest, err := annotated.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(at.Repository + "@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, annotated, c.RemoteOptions(t.Context())...); err != nil {
		t.Fatal(err)
	}
	if p.about != "" { // the registry lists it under the other image: list it here as well
		size, err := annotated.Size()
		if err != nil {
			t.Fatal(err)
		}
		list(t, c, at, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: size, Annotations: p.annotations})
	}
}

// list makes the stand-in tag of the referrers API hold exactly the entries.
func list(t *testing.T, c *registry.Client, at subject.Subject, entries ...v1.Descriptor) {
	t.Helper()
	raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: entries})
	if err != nil {
		t.Fatal(err)
	}
	m := registry.Manifest{Type: types.OCIImageIndex, Bytes: raw}
	index := subject.Subject{Repository: at.Repository, Digest: m.Digest()}
	if err := c.Tag(t.Context(), index, strings.Replace(at.Digest, ":", "-", 1), registry.TagOptions{Manifest: m}); err != nil {
		t.Fatal(err)
	}
}

// harvest reads a bundle that stands beside an image.
func harvest(t *testing.T, c *registry.Client, at subject.Subject, predicateType string) []byte {
	t.Helper()
	all, err := c.Referrers(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Annotations["dev.sigstore.bundle.predicateType"] != predicateType {
			continue
		}
		img, err := c.Image(t.Context(), subject.Subject{Repository: at.Repository, Digest: d.Digest.String()})
		if err != nil {
			t.Fatal(err)
		}
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		body, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		data, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	t.Fatalf("no %s stands beside %s", predicateType, at)
	return nil
}

func attested(t *testing.T, c *registry.Client, signer *sign.Signer, s evidence.Statement, at subject.Subject) []byte {
	t.Helper()
	if err := signer.AttestAll(t.Context(), c, at, []evidence.Statement{s}, sign.AttestOptions{}); err != nil {
		t.Fatal(err)
	}
	return harvest(t, c, at, s.PredicateType)
}

// changed replaces text in the payload of a bundle and leaves its signature.
func changed(t *testing.T, bundle []byte, old, replacement string) []byte {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	envelope := b["dsseEnvelope"].(map[string]any)
	payload, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))
	if err != nil || !bytes.Contains(payload, []byte(old)) {
		t.Fatalf("%q is not in %s (%v)", old, payload, err)
	}
	envelope["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte(old), []byte(replacement), 1))
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sealed(t *testing.T, signer *sign.Signer, payload string) []byte {
	t.Helper()
	b, err := signer.Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func marshal(t *testing.T, s evidence.Statement) string {
	t.Helper()
	data, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
