package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// tagsOf answers requests for lists of tags; page says what the page after last holds, and the query of the next one.
func tagsOf(t *testing.T, page func(n int, last string) (tags []string, next string)) (host string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		tags, next := page(n, r.URL.Query().Get("last"))
		if next != "" {
			w.Header().Set("Link", fmt.Sprintf(`</v2/app/tags/list?%s>; rel="next"`, next))
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "app", "tags": tags})
	}), asked
}

// numbered are tags with numbers from up to below to.
func numbered(from, to int) []string {
	tags := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		tags = append(tags, fmt.Sprintf("v%07d", i))
	}
	return tags
}

func after(last string) int {
	if last == "" {
		return 0
	}
	at, _ := strconv.Atoi(strings.TrimPrefix(last, "v"))
	return at + 1
}

func client(t *testing.T) *registry.Client {
	t.Helper()
	c, err := registry.New(registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A hundred thousand tags are many, and no reason to stop, in whatever pages they come.
func TestManyTags(t *testing.T) {
	t.Parallel()
	const all = 100_000
	for name, size := range map[string]int{"pages as asked": 0, "pages of five hundred": 500, "one page": all} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, asked := tagsOf(t, func(n int, last string) ([]string, string) {
				if size > 0 {
					n = size
				}
				from := after(last)
				to := min(from+n, all)
				if to == all {
					return numbered(from, to), ""
				}
				return numbered(from, to), fmt.Sprintf("n=%d&last=v%07d", n, to-1)
			})
			tags, err := client(t).Tags(t.Context(), host+"/app")
			if err != nil || len(tags) != all || !slices.IsSorted(tags) || tags[all-1] != "v0099999" {
				t.Errorf("%d tags in %d requests, error %v", len(tags), asked.Load(), err)
			}
		})
	}
}

// Lists that have no end, each in its own way: what was read is given, and why no more.
func TestTagsWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page  func(n int, last string) ([]string, string)
		want  string
		code  string
		known int // tags that are read all the same
		most  int32
	}{
		"a page that leads to itself": {
			func(int, string) ([]string, string) { return numbered(0, 10), "n=1000" }, "circle", registry.CodeAnswer, 10, 1,
		},
		"two pages that lead to each other": {
			func(_ int, last string) ([]string, string) {
				if last == "v0000019" {
					return numbered(20, 30), "last=v0000009"
				}
				return numbered(0, 20), "last=v0000019"
			}, "circle", registry.CodeAnswer, 30, 4,
		},
		"the first page under ever new names": {
			func(_ int, last string) ([]string, string) {
				return numbered(0, 10), "last=" + fmt.Sprintf("v%d", after(last)+1)
			}, "circle", registry.CodeAnswer, 10, 2,
		},
		"ever new tags": {
			func(_ int, last string) ([]string, string) {
				from := after(last)
				return numbered(from, from+50), fmt.Sprintf("last=v%07d", from+49)
			}, "1000 tags", registry.CodeTooManyTags, 1_050, 21,
		},
		"ever new pages with nothing on them": {
			func(_ int, last string) ([]string, string) { return nil, fmt.Sprintf("last=v%d", after(last)+1) },
			"40 pages", registry.CodeTooManyTags, 0, 40,
		},
		"one page as long as the world": {
			func(int, string) ([]string, string) {
				return slices.Repeat([]string{strings.Repeat("x", 100_000)}, 22), ""
			}, "2 MiB", registry.CodeTooManyTags, 0, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, asked := tagsOf(t, c.page)
			limited := client(t)
			limited.LimitTags(1000, 40, 2<<20)
			tags, err := limited.Tags(t.Context(), host+"/app")
			var found *verdict.Error
			if !errors.Is(err, registry.ErrTagsUnlisted) || !errors.As(err, &found) || found.Code != c.code ||
				found.Verdict != verdict.Inconclusive || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), host+"/app") {
				t.Errorf("error %v, want one of code %s with %q", err, c.code, c.want)
			}
			if len(tags) != c.known || asked.Load() > c.most {
				t.Errorf("%d tags in %d requests, want %d in at most %d", len(tags), asked.Load(), c.known, c.most)
			}
		})
	}
}

// Where a link leads besides its query is not followed.
func TestTagsStayAtTheirRegistry(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it was led astray to %s", r.URL) })
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("last") == "" {
			w.Header().Add("Link", `<http://`+elsewhere+`/v2/other/tags/list?last=a>; rel="next"`)
			_, _ = w.Write([]byte(`{"tags": ["a"]}`))
			return
		}
		_, _ = w.Write([]byte(`{"tags": ["b"]}`))
	})
	if tags, err := client(t).Tags(t.Context(), host+"/app"); err != nil || !slices.Equal(tags, []string{"a", "b"}) {
		t.Errorf("tags %q, error %v", tags, err)
	}
}

func TestTagsOfNoRegistry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"a web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>sign in</html>"))
		}, registry.CodeAnswer},
		"no JSON":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("tags: a, b")) }, registry.CodeAnswer},
		"other JSON":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"tags": {"a": 1}}`)) }, registry.CodeAnswer},
		"half of it":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"tags": ["a", "b`)) }, registry.CodeUnreachable},
		"not allowed": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, registry.CodeDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tags, err := client(t).Tags(t.Context(), serve(t, c.answer)+"/app")
			var found *verdict.Error
			if len(tags) > 0 || !errors.As(err, &found) || found.Code != c.code || errors.Is(err, registry.ErrTagsUnlisted) {
				t.Errorf("tags %q, error %v; want code %s", tags, err, c.code)
			}
		})
	}
}
