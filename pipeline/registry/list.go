package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// tagLimits are what is read of a list of tags at most.
type tagLimits struct {
	tags, pages int
	bytes       int64
}

// usualTagLimits are far beyond what real repositories hold: the largest public ones have some ten thousand tags, in pages
// of a hundred or more.
var usualTagLimits = tagLimits{tags: 1_000_000, pages: 10_000, bytes: 64 << 20}

// pageSize is how many tags to ask for at once; registries give what they like.
const pageSize = 1000

// tagList is a list that is being read, page by page.
type tagList struct {
	client *Client
	repo   name.Repository
	tags   map[string]bool
	asked  map[string]bool // queries of the pages so far
	left   int64           // bytes
}

// Tags lists the tags of a repository in alphabetical order; one that is not there has none. With an error that is
// ErrTagsUnlisted come the tags that were read until then.
func (c *Client) Tags(ctx context.Context, repository string) ([]string, error) {
	repo, err := c.repository(repository)
	if err != nil {
		return nil, err
	}
	l := &tagList{client: c, repo: repo, tags: map[string]bool{}, asked: map[string]bool{}, left: c.tagLimits.bytes}
	query := fmt.Sprintf("n=%d", pageSize)
	for query != "" && err == nil {
		query, err = l.page(ctx, query)
	}
	if isNotFound(err) && len(l.asked) == 1 {
		return nil, nil
	}
	if err != nil && !errors.Is(err, ErrTagsUnlisted) {
		return nil, err
	}
	return slices.Sorted(maps.Keys(l.tags)), err
}

const listing = "listing the tags of"

// page reads one page, and returns the query of the next one; empty: that was the last.
func (l *tagList) page(ctx context.Context, query string) (next string, err error) {
	object := l.repo.Name()
	l.asked[query] = true
	resp, err := l.client.request(ctx, http.MethodGet, l.repo, "tags/list?"+query, nil, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return "", l.client.fail(err, listing, object)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", l.client.failStatus(resp, listing, object)
	case isWebPage(resp):
		return "", answerError(listing, object, "the answer is a web page, not a list of tags")
	}
	again, err := l.take(resp.Body)
	switch {
	case errors.Is(err, ErrTagsUnlisted):
		return "", err
	case err != nil && ctx.Err() == nil && isMalformed(err):
		return "", answerError(listing, object, "the answer is not a list of tags: %v", err)
	case err != nil:
		return "", l.client.fail(err, listing, object)
	}
	next = nextQuery(resp.Header.Values("Link"))
	switch {
	case next == "":
		return "", nil
	case l.asked[next] || again:
		return "", answerError(listing, object, "%w", marked{
			fmt.Errorf("its pages run in a circle: page %d brings only what was there, or leads to a page that was read", len(l.asked)), ErrTagsUnlisted,
		})
	case len(l.asked) >= l.client.tagLimits.pages:
		return "", l.tooLong("%d pages", l.client.tagLimits.pages)
	}
	return next, nil
}

// take reads the tags of one page, and says whether it holds some and knew them all.
func (l *tagList) take(body io.Reader) (again bool, err error) {
	limited := &io.LimitedReader{R: body, N: l.left + 1}
	var page struct {
		Tags []string `json:"tags"`
	}
	err = json.NewDecoder(limited).Decode(&page)
	if l.left = limited.N - 1; l.left < 0 {
		return false, l.tooLong("%d MiB", int(l.client.tagLimits.bytes>>20))
	}
	before := len(l.tags)
	for _, tag := range page.Tags {
		l.tags[tag] = true
	}
	if err == nil && len(l.tags) > l.client.tagLimits.tags {
		err = l.tooLong("%d tags", l.client.tagLimits.tags)
	}
	return len(page.Tags) > 0 && len(l.tags) == before, err
}

func (l *tagList) tooLong(format string, limit int) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeTooManyTags, Doing: listing, Object: l.repo.Name(),
		Cause:  marked{fmt.Errorf("the list goes on after "+format+", the most that is read", limit), ErrTagsUnlisted},
		Remedy: "Remove old tags from the repository, or use another one",
	}
}

// isMalformed says whether what was read is wrong, not the reading of it.
func isMalformed(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// nextQuery is the query of the next page, out of the header Link: <…?n=100&last=v1>; rel="next". Where the link points to
// besides is nothing to go by: it is often wrong behind a proxy, and may be meant to lead elsewhere.
func nextQuery(links []string) string {
	for _, link := range links {
		for one := range strings.SplitSeq(link, ",") {
			target, parameters, _ := strings.Cut(one, ";")
			target = strings.TrimSpace(target)
			if !strings.HasPrefix(target, "<") || !strings.HasSuffix(target, ">") {
				continue
			}
			if rel := strings.ReplaceAll(strings.ReplaceAll(parameters, " ", ""), `"`, ""); rel != "" && !strings.Contains(strings.ToLower(rel), "rel=next") {
				continue
			}
			if parsed, err := url.Parse(target[1 : len(target)-1]); err == nil {
				return parsed.RawQuery
			}
		}
	}
	return ""
}
