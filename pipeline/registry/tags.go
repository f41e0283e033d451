package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Head says which digest a tag points to; found is false when the tag, or its repository, is not there.
func (c *Client) Head(ctx context.Context, repository, tag string) (digest string, found bool, err error) {
	const doing = "looking up"
	parsed, err := c.tag(repository, tag)
	if err != nil {
		return "", false, err
	}
	object := parsed.Name()
	resp, err := c.request(ctx, http.MethodHead, parsed.Context(), "manifests/"+tag, nil, http.Header{"Accept": accepted})
	if err != nil {
		return "", false, c.fail(err, doing, object)
	}
	defer discard(resp)
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return "", false, nil
	case resp.StatusCode != http.StatusOK:
		return "", false, c.failStatus(resp, doing, object)
	}
	if said := resp.Header.Get("Docker-Content-Digest"); said != "" {
		if _, err := v1.NewHash(said); err != nil {
			return "", false, answerError(doing, object, "the registry names the digest %q, which is none", quoted(said))
		}
		return said, true, nil
	}
	// The header is optional in the specification: then the bytes themselves tell.
	m, err := c.getManifest(ctx, parsed.Context(), tag, doing, object)
	return m.Digest(), err == nil, err
}

// Resolve turns host/path:tag or host/path@digest into a subject; a digest is taken at its word.
func (c *Client) Resolve(ctx context.Context, ref string) (subject.Subject, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return subject.Subject{}, fmt.Errorf("%w: %s is no reference of an image: %s", verdict.ErrUsage, quoted(ref), advice(ref))
	}
	repository := parsed.Context().Name()
	if digest, ok := parsed.(name.Digest); ok {
		s, err := subject.New(repository, digest.DigestStr())
		if err != nil {
			return s, fmt.Errorf("%w: %w", verdict.ErrUsage, err)
		}
		return s, nil
	}
	digest, found, err := c.Head(ctx, repository, parsed.Identifier())
	if err != nil {
		return subject.Subject{}, err
	}
	if !found {
		return subject.Subject{}, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: CodeNotFound, Doing: "looking up", Object: parsed.Name(),
			Cause:  marked{errors.New("the registry has no such tag"), ErrNotFound},
			Remedy: "Check the name; some registries also say this where the credential may not look (" + c.credentials.used(parsed.Context().RegistryStr()) + ")",
		}
	}
	return subject.New(repository, digest)
}

// advice says what is wrong with a reference that is none; the library's own words are about its functions.
func advice(ref string) string {
	if _, rest, found := strings.Cut(ref, "://"); found {
		return "it has a scheme. Write " + quoted(rest)
	}
	path, _, _ := strings.Cut(ref, "@")
	if colon := strings.LastIndex(path, ":"); colon > strings.LastIndex(path, "/") {
		path = path[:colon]
	}
	_, path, _ = strings.Cut(path, "/")
	if lower := strings.ToLower(path); lower != path {
		return "a repository's name has no capitals. Write " + quoted(lower)
	}
	return "write host/path:tag or host/path@sha256:… with all 64 digits; a path has small letters, digits and -._/"
}

// TagOptions say how a tag is written.
type TagOptions struct {
	// IfMatch is the digest that the tag must still point to; registries that do not know If-Match ignore it.
	IfMatch string
	// IfAbsent asks that the tag not be there yet (If-None-Match: *); registries may ignore that as well.
	IfAbsent bool
	// Owned says that nobody else writes this tag, so that a write whose answer was lost may simply be repeated.
	Owned bool
	// Manifest spares reading the subject's manifest again, where the caller has it already.
	Manifest Source
}

// Tag makes tag point to the subject by writing the same manifest bytes under it. An error that is ErrUncertain may
// have moved the tag: read it back.
func (c *Client) Tag(ctx context.Context, s subject.Subject, tag string, options TagOptions) error {
	_, err := c.CompareAndTag(ctx, s, tag, options)
	return err
}

// CompareAndTag is Tag, and says whether the registry vouches for it that nobody has written the tag between its comparison
// with IfMatch or IfAbsent and this write. The embedded one does; of others it is not known.
func (c *Client) CompareAndTag(ctx context.Context, s subject.Subject, tag string, options TagOptions) (compared bool, err error) {
	const doing = "moving the tag"
	parsed, err := c.tag(s.Repository, tag)
	if err != nil {
		return false, err
	}
	var m Manifest
	if options.Manifest != nil {
		m, err = c.manifestFor(s, options.Manifest)
	} else {
		m, err = c.Manifest(ctx, s)
	}
	if err != nil {
		return false, err
	}
	header := http.Header{}
	if options.IfMatch != "" {
		header.Set("If-Match", `"`+options.IfMatch+`"`)
	}
	if options.IfAbsent {
		header.Set("If-None-Match", "*")
	}
	if options.Owned {
		ctx = owned(ctx)
	}
	return c.putManifest(ctx, parsed.Context(), tag, m, header, doing, parsed.Name())
}
