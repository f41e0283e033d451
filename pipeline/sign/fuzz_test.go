package sign

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

var fuzzed = subject.Subject{Repository: "registry.example.com/spark", Digest: "sha256:" + strings.Repeat("ab", 32)}

// Whatever stands beside an image, opening it ends without a panic, and no stranger's bundle verifies.
func FuzzBundle(f *testing.F) {
	signer, err := Ephemeral()
	if err != nil {
		f.Fatal(err)
	}
	trustedOne, err := Ephemeral()
	if err != nil {
		f.Fatal(err)
	}
	made, err := signer.seal(f.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.bundle)
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{},"verificationMaterial":{"publicKey":{}}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{},"verificationMaterial":{"certificate":{}}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"tlogEntries":[{}]}}`))
	f.Add(noisy)
	f.Fuzz(func(t *testing.T, data []byte) {
		opened, err := unseal(data)
		if err != nil {
			return
		}
		if who, err := trustedOne.own.ofBundle(opened.bundle); err == nil {
			t.Fatalf("%s is said to have signed it", who.name)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	trustedOne, err := Ephemeral()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, who, err := trustedOne.own.ofEnvelope(t.Context(), data); err == nil {
			t.Fatalf("%s is said to have signed it", who.name())
		}
	})
}

func FuzzManifests(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}`))
	f.Add([]byte(`{"schemaVersion":2,"subject":{"digest":"` + fuzzed.Digest + `"},"layers":[{"size":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := registry.Manifest{Type: types.OCIImageIndex, Bytes: data}
		_, _ = contentOf(m, fuzzed)
		if index, err := readIndex(m); err == nil {
			newestFirst(index.Manifests)
			for _, d := range index.Manifests {
				_ = maybeBundle(d)
			}
			if _, _, err := listed(index.Manifests)(t.Context(), &m); err != nil {
				t.Fatalf("what was read cannot be added to: %v", err)
			}
		}
		_, _ = layersOf(m)
	})
}

func FuzzClassic(f *testing.F) {
	f.Add([]byte(`{"critical":{"identity":{"docker-reference":"registry.example.com/spark"},"image":{"docker-manifest-digest":"` + fuzzed.Digest + `"},"type":"cosign container image signature"},"optional":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := checkClassic(data, fuzzed, []string{fuzzed.Repository})
		if err == nil && !strings.Contains(string(data), strings.Repeat("ab", 32)) && !strings.Contains(string(data), `\u`) {
			t.Fatalf("accepted %s", data)
		}
	})
}
