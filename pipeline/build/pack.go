package build

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	digest "github.com/opencontainers/go-digest"
)

// packKey is the note's key of a base layer that was only compressed; the number is to be raised when the code below
// makes other bytes.
func (r *refiner) packKey(raw digest.Digest) string {
	return fmt.Sprintf("1 %s base %s", raw, r.compression)
}

// noted says what became of a layer, and whether that is still there.
func (r *refiner) noted(key string) (refined, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.done[key]
	return found, ok && r.layout.has(found.Digest, found.Size)
}

// pack compresses the raw layer of a base at path, unless that was done before. Its content stays as it is, and so does
// its diff id.
func (r *refiner) pack(ctx context.Context, path string, raw digest.Digest) (refined, error) {
	found, err := r.once(r.packKey(raw), func() (refined, error) { return r.compress(ctx, path, io.NopCloser) })
	if err != nil {
		return refined{}, fmt.Errorf("compressing the layer %s of the base: %w", raw, err)
	}
	return found, nil
}

// plain takes out what only Docker's classic store writes: names beside the numbers of owners, the kind of a file among
// its permissions, and a mode and a date of what is gone. What is left is what BuildKit itself writes, so that the same
// layer gets the same digest.
func plain(header *tar.Header) {
	header.Uname, header.Gname = "", ""
	header.Mode &= 0o7777
	if strings.HasPrefix(path.Base(header.Name), whiteout) && header.Size == 0 {
		header.Mode, header.ModTime = 0, time.Unix(0, 0)
	}
}

// whiteout begins the name of what stands for a file that was removed; neither its mode nor its date means anything.
const whiteout = ".wh."
