package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// MaxManifest is the largest manifest that is read or written, in bytes: registries take no larger ones either.
const MaxManifest = 4 << 20

// accepted are the kinds of manifest that Hallmark reads.
var accepted = []string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}

// Source is anything that has a manifest: v1.Image, v1.ImageIndex, Manifest.
type Source interface {
	RawManifest() ([]byte, error)
	MediaType() (types.MediaType, error)
}

// Manifest is a manifest as a registry holds it, byte for byte.
type Manifest struct {
	Type  types.MediaType
	Bytes []byte
}

// RawManifest makes a Manifest a Source: the bytes as they are.
func (m Manifest) RawManifest() ([]byte, error) { return m.Bytes, nil }

// MediaType makes a Manifest a Source: the type that the registry gave with the bytes.
func (m Manifest) MediaType() (types.MediaType, error) { return m.Type, nil }

// Digest is the SHA-256 digest of the bytes.
func (m Manifest) Digest() string { return subject.DigestOf(m.Bytes) }

// ManifestOf takes the manifest out of an image or an index.
func ManifestOf(source Source) (Manifest, error) {
	raw, err := source.RawManifest()
	if err != nil {
		return Manifest{}, err
	}
	if len(raw) > MaxManifest {
		return Manifest{}, fmt.Errorf("the manifest has %d bytes; registries take %d", len(raw), MaxManifest)
	}
	mediaType, err := source.MediaType()
	return Manifest{Type: mediaType, Bytes: raw}, err
}

// Manifest reads the subject's manifest and checks it against the digest.
func (c *Client) Manifest(ctx context.Context, s subject.Subject) (Manifest, error) {
	const doing = "reading the manifest of"
	repo, err := c.repository(s.Repository)
	if err != nil {
		return Manifest{}, err
	}
	m, err := c.getManifest(ctx, repo, s.Digest, doing, s.String())
	if err != nil {
		return Manifest{}, err
	}
	if got := m.Digest(); got != s.Digest {
		return Manifest{}, answerError(doing, s.String(), "what the registry sent has the digest %s", got)
	}
	return m, nil
}

func (c *Client) getManifest(ctx context.Context, repo name.Repository, reference, doing, object string) (Manifest, error) {
	resp, err := c.request(ctx, http.MethodGet, repo, "manifests/"+reference, nil, http.Header{"Accept": accepted})
	if err != nil {
		return Manifest{}, c.fail(err, doing, object)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Manifest{}, c.failStatus(resp, doing, object)
	}
	raw, err := readBounded(resp.Body, MaxManifest)
	switch {
	case errors.Is(err, errTooLarge):
		return Manifest{}, answerError(doing, object, "%w", err)
	case err != nil:
		return Manifest{}, c.fail(err, doing, object)
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if isWebPage(resp) {
		return Manifest{}, answerError(doing, object, "the answer is a web page, not a manifest")
	}
	return Manifest{Type: types.MediaType(strings.TrimSpace(mediaType)), Bytes: raw}, nil
}

// PutManifest writes the manifest by digest. Everything that it refers to must be there already, see Upload.
func (c *Client) PutManifest(ctx context.Context, s subject.Subject, source Source) error {
	const doing = "writing the manifest"
	repo, err := c.repository(s.Repository)
	if err != nil {
		return err
	}
	m, err := c.manifestFor(s, source)
	if err != nil {
		return err
	}
	_, err = c.putManifest(ctx, repo, s.Digest, m, nil, doing, s.String())
	return err
}

// manifestFor takes the manifest out of source and checks that it is the subject's.
func (c *Client) manifestFor(s subject.Subject, source Source) (Manifest, error) {
	m, err := ManifestOf(source)
	if err != nil {
		return Manifest{}, fmt.Errorf("reading the manifest of %s: %w", s, err)
	}
	if got := m.Digest(); got != s.Digest {
		return Manifest{}, fmt.Errorf("the manifest that is to be written as %s has the digest %s", s, got)
	}
	return m, nil
}

func (c *Client) putManifest(ctx context.Context, repo name.Repository, reference string, m Manifest, header http.Header, doing, object string) (compared bool, err error) {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", string(m.Type))
	resp, err := c.request(ctx, http.MethodPut, repo, "manifests/"+reference, bytes.NewReader(m.Bytes), header)
	if err != nil {
		return false, c.fail(uncertain(err), doing, object)
	}
	defer discard(resp)
	switch {
	case isWebPage(resp) && resp.StatusCode < 300:
		return false, answerError(doing, object, "the answer is a web page")
	case resp.StatusCode == http.StatusCreated, resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusAccepted:
		if said := resp.Header.Get("Docker-Content-Digest"); said != "" && said != m.Digest() {
			return false, answerError(doing, object, "the registry says that it has stored %w", marked{errors.New(quoted(said)), ErrUncertain})
		}
		return resp.Header.Get(headerCompared) != "", nil
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout:
		failure := c.failStatus(resp, doing, object)
		if e := (*verdict.Error)(nil); errors.As(failure, &e) {
			e.Cause = uncertain(e.Cause)
		}
		return false, failure
	default:
		return false, c.failStatus(resp, doing, object)
	}
}

// uncertain marks err as that of a write which may have taken effect, unless it surely did not.
func uncertain(err error) error {
	if neverSent(err) || errors.Is(err, verdict.ErrUsage) {
		return err
	}
	return marked{err, ErrUncertain}
}
