package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// FileDigest is the digest ("sha256:…") of the file that name leads to in img, of which these are the contents; symbolic links
// are followed as in a container. ok is false where no regular file is there. The one layer that holds it is read.
func (c *Contents) FileDigest(ctx context.Context, img v1.Image, name string) (digest string, ok bool, err error) {
	id, found := c.tree.find(path.Clean(name), true)
	if !found || c.tree.nodes[id].entry == none || c.tree.typeOf(id) != Regular {
		return "", false, nil
	}
	record, file := &c.Layers[c.tree.nodes[id].layer], c.tree.entry(id).Path
	layers, err := img.Layers()
	if err != nil || len(layers) != len(c.Layers) {
		return "", false, fmt.Errorf("reading %s: the image's layers cannot be listed: %w", name, errors.Join(err, ctx.Err()))
	}
	object := layerName(record.Index, len(c.Layers), record.DiffID)
	blob, err := layers[record.Index].Compressed()
	if err != nil {
		return "", false, unreadable(object, err)
	}
	tape, err := openStream(ctx, object, blob, c.tree.limits)
	if err != nil {
		return "", false, err
	}
	defer tape.Close()
	archive := tar.NewReader(tape)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", false, unreadable(object, err)
		}
		if strings.Trim(path.Clean("/"+header.Name), "/") != file || header.Typeflag == tar.TypeLink {
			continue
		}
		sum := sha256.New() // of the last one of that name
		if _, err := io.Copy(sum, archive); err != nil {
			return "", false, unreadable(object, err)
		}
		digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	}
	if err := tape.finish(record.DiffID); err != nil {
		return "", false, err
	}
	return digest, digest != "", nil
}
