package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// referrers is what a registry says refers to an image.
type referrers struct {
	api  bool // the registry keeps the list itself
	list []v1.Descriptor
}

// maxPages bounds how many parts of a list are fetched.
const maxPages = 32

// listReferrers asks the referrers API, and reads the tag that stands in for it where there is none.
func listReferrers(ctx context.Context, c *registry.Client, at subject.Subject) (referrers, error) {
	ref, err := name.NewDigest(at.String(), nameOptions(c, at.Repository)...)
	if err != nil {
		return referrers{}, fmt.Errorf("listing what refers to %s: %w", at, err)
	}
	list, api, err := askReferrers(ctx, c, ref, at)
	if err != nil || api {
		return referrers{api: api, list: list}, err
	}
	manifest, _, found, err := manifestAt(ctx, c, at.Repository, derived(at, ""))
	if err != nil || !found {
		return referrers{}, err
	}
	index, err := readIndex(manifest)
	if err != nil {
		return referrers{}, fmt.Errorf("reading the list of what refers to %s: %w", at, err)
	}
	return referrers{list: index.Manifests}, nil
}

// askReferrers follows the API's pages; api is false where the registry does not answer like one that has it.
func askReferrers(ctx context.Context, c *registry.Client, ref name.Digest, at subject.Subject) (list []v1.Descriptor, api bool, err error) {
	const doing = "listing what refers to"
	// Some registries redirect what they do not know to a page for people: it is not followed.
	client := &http.Client{Transport: c.RoundTripper(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	next := &url.URL{Scheme: "https", Host: ref.Context().RegistryStr(), Path: "/v2/" + ref.Context().RepositoryStr() + "/referrers/" + at.Digest}
	for page := range maxPages {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, next.String(), http.NoBody)
		if err != nil {
			return nil, false, fmt.Errorf("%s %s: %w", doing, at, err)
		}
		req.Header.Set("Accept", string(types.OCIImageIndex))
		resp, err := client.Do(req)
		if err != nil {
			return nil, false, c.Explain(err, doing, at.String())
		}
		index, more, known, err := readPage(resp)
		switch {
		case err != nil:
			return nil, false, c.Explain(err, doing, at.String())
		case !known && page == 0:
			return nil, false, nil
		case !known:
			return nil, false, oddList(at, "the registry ended its list in the middle")
		}
		list = append(list, index.Manifests...)
		if more == nil {
			return list, true, nil
		}
		if next = next.ResolveReference(more); next.Host != ref.Context().RegistryStr() {
			return nil, false, oddList(at, "the registry continues its list on another host, %s", clip(next.Host))
		}
	}
	return nil, false, oddList(at, "its list has more than %d parts", maxPages)
}

// oddList is the error of a list that no registry should give. It says nothing about the image.
func oddList(at subject.Subject, format string, args ...any) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeList, Doing: "listing what refers to", Object: at.String(),
		Cause:  fmt.Errorf(format, args...),
		Remedy: "Check what stands between here and the registry: a proxy or a mirror",
	}
}

// readPage reads one answer of the API. known is false where it is not one.
func readPage(resp *http.Response) (index *v1.IndexManifest, more *url.URL, known bool, err error) {
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400, code == http.StatusNotFound, code == http.StatusBadRequest, code == http.StatusMethodNotAllowed,
		code == http.StatusNotAcceptable, code == http.StatusNotImplemented:
		return nil, nil, false, nil
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return nil, nil, false, err
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case strings.Contains(mediaType, "html"): // a sign-in page, as likely as not: it must not look like an empty list
		return nil, nil, false, errors.New("the answer is a web page, not a list")
	case types.MediaType(mediaType) != types.OCIImageIndex:
		return nil, nil, false, nil
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, registry.MaxManifest+1))
	if err != nil {
		return nil, nil, false, err
	}
	if len(raw) > registry.MaxManifest {
		return nil, nil, false, fmt.Errorf("the list has more than %d bytes", registry.MaxManifest)
	}
	if index, err = readIndex(registry.Manifest{Type: types.OCIImageIndex, Bytes: raw}); err != nil {
		return nil, nil, false, err
	}
	for _, link := range resp.Header.Values("Link") {
		if target, rest, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">"); found && strings.Contains(rest, `rel="next"`) {
			if more, err = url.Parse(target); err != nil {
				return nil, nil, false, fmt.Errorf("the link to the rest of the list cannot be read: %w", err)
			}
		}
	}
	return index, more, true, nil
}

func readIndex(m registry.Manifest) (*v1.IndexManifest, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(m.Bytes, &index); err != nil {
		return nil, reject(CodeMalformed, "the list of referrers cannot be read: %w", err)
	}
	if index.MediaType != types.OCIImageIndex || index.SchemaVersion != 2 {
		return nil, reject(CodeMalformed, "the list of referrers is a %q, not an OCI index", clip(string(index.MediaType)))
	}
	return &index, nil
}

// listed adds entries to the list of referrers that the stand-in tag holds. done says that all were there already.
func listed(entries []v1.Descriptor) merge {
	return func(_ context.Context, old *registry.Manifest) (registry.Manifest, bool, error) {
		index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
		if old != nil {
			var err error
			if index, err = readIndex(*old); err != nil {
				return registry.Manifest{}, false, err
			}
		}
		before := len(index.Manifests)
		for _, entry := range entries {
			if !slices.ContainsFunc(index.Manifests, func(d v1.Descriptor) bool { return d.Digest == entry.Digest }) {
				index.Manifests = append(index.Manifests, entry)
			}
		}
		raw, err := json.Marshal(index)
		return registry.Manifest{Type: types.OCIImageIndex, Bytes: raw}, old != nil && len(index.Manifests) == before, err
	}
}
