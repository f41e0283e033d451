package registry

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// storeName is what distribution's configuration calls the embedded registry's store.
const storeName = "hallmark"

func init() { factory.Register(storeName, storeFactory{}) }

type storeFactory struct{}

// Create is for distribution.
func (storeFactory) Create(_ context.Context, parameters map[string]any) (driver.StorageDriver, error) {
	inner, err := filesystem.FromParameters(parameters)
	if err != nil {
		return nil, err
	}
	root, _ := parameters["rootdirectory"].(string)
	return &store{StorageDriver: inner, root: root}, nil
}

// store is distribution's own store on a file system, with one difference: the notes about uploads under way (when they
// began, how far their digest has come) do not wait for the disk. They are worth nothing after a crash of the machine,
// for no client goes on with such an upload, and they are most of what a small blob waits for.
type store struct {
	driver.StorageDriver
	root string
}

// PutContent stores a small file.
func (s *store) PutContent(ctx context.Context, path string, content []byte) error {
	if !strings.Contains(path, "/_uploads/") || !driver.PathRegexp.MatchString(path) {
		return s.StorageDriver.PutContent(ctx, path, content)
	}
	return lock.Write(filepath.Join(s.root, filepath.FromSlash(path)), 0o644, content)
}
