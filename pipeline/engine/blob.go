package engine

import (
	"os"
	"path/filepath"
	"strings"
)

// LinkBlob gives the file of a blob that the embedded engine holds a second name at target, without copying it. The
// name stays good when the engine drops its own. It returns false where that cannot be done (another engine, another
// file system, no such blob): the caller then has the blob sent. Whoever gets the file must not write to it.
func (e *Engine) LinkBlob(digest, target string) bool {
	algorithm, hex, found := strings.Cut(digest, ":")
	if e.kind != Embedded || !found || algorithm != "sha256" || strings.ContainsAny(hex, "/.") {
		return false
	}
	source := filepath.Join(e.root, "buildkit", "runc-"+e.snapshotter, "content", "blobs", algorithm, hex)
	err := os.Link(source, target)
	return err == nil || os.IsExist(err)
}
