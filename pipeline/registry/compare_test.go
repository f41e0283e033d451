package registry_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Only a registry that says so is believed to compare and write as one.
func TestCompareAndTag(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(ggcr.New(ggcr.Logger(discardLog())))
	t.Cleanup(other.Close)
	for _, test := range []struct {
		name, host string
		vouches    bool
	}{
		{"embedded", open(t, memory(t)).Addr(), true},
		{"another", strings.TrimPrefix(other.URL, "http://"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, registry.Options{})
			first, second := onDisk(t, 10, 1), onDisk(t, 10, 1)
			one := push(t.Context(), t, client, test.host+"/app", first)
			two := push(t.Context(), t, client, test.host+"/app", second)
			for _, step := range []struct {
				name    string
				options registry.TagOptions
				vouched bool
			}{
				{"no condition", registry.TagOptions{Manifest: first}, false},
				{"what stands", registry.TagOptions{Manifest: first, IfMatch: one.Digest}, test.vouches},
			} {
				compared, err := client.CompareAndTag(t.Context(), one, "golden", step.options)
				if err != nil || compared != step.vouched {
					t.Errorf("%s: compared %v, error %v; want %v", step.name, compared, err, step.vouched)
				}
			}
			compared, err := client.CompareAndTag(t.Context(), two, "new", registry.TagOptions{Manifest: second, IfAbsent: true})
			if err != nil || compared != test.vouches {
				t.Errorf("a tag that is not there: compared %v, error %v; want %v", compared, err, test.vouches)
			}
			if !test.vouches {
				return
			}
			compared, err = client.CompareAndTag(t.Context(), two, "golden", registry.TagOptions{Manifest: second, IfMatch: two.Digest})
			if !errors.Is(err, verdict.ErrConflict) || compared {
				t.Errorf("a tag that stands elsewhere: compared %v, error %v", compared, err)
			}
		})
	}
}

// Notes about uploads are written without waiting for the disk; nothing of them may stay, or lead out of the store.
func TestUploadsLeaveNothing(t *testing.T) {
	t.Parallel()
	root := memory(t)
	client := newClient(t, registry.Options{})
	push(t.Context(), t, client, open(t, root).Addr()+"/app", onDisk(t, 1000, 2))
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(path, "_uploads") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
