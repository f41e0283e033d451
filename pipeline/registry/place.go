package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// place gives a blob that lies in a file of this machine a second name in the embedded registry's store, where that is
// on the same file system: nothing is sent, and nothing is written twice. It says whether the registry then had the
// blob; if not, the blob is sent as to any other registry.
//
// The registry trusts what is placed as it trusts what it received, so the same is done as for an upload: the digest is
// computed from the very file that gets the name, and the file reaches the disk before its name does. A file that
// somebody else may write to is not taken.
func (u *blobUpload) place(ctx context.Context, task *progress.Task) bool {
	root := u.client.options.Stores[u.repo.RegistryStr()]
	if root == "" || u.blob.digest.Algorithm != "sha256" {
		return false
	}
	body, err := u.blob.Compressed()
	if err != nil {
		return false
	}
	defer body.Close()
	file, isFile := body.(*os.File)
	if !isFile || !onlyOurs(file) {
		return false
	}
	meter := &counted{ReadCloser: file, upload: u, task: task}
	if err := u.put(ctx, root, file, meter); err != nil {
		meter.undo()
		return false
	}
	there, err := u.exists(ctx)
	if err != nil || !there {
		meter.undo()
		return false
	}
	u.count.sent.Add(1)
	return true
}

func (u *blobUpload) put(ctx context.Context, root string, file *os.File, meter io.Reader) error {
	sum := sha256.New()
	n, err := io.Copy(sum, &cancellable{ctx: ctx, Reader: meter})
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != u.blob.digest.Hex || n != u.blob.size {
		return fmt.Errorf("%s has %d bytes of digest %s", file.Name(), n, got)
	}
	if err := file.Sync(); err != nil {
		return err
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	// Where distribution keeps blobs, and what each repository has of them.
	home, hexed := filepath.Join(root, "docker", "registry", "v2"), u.blob.digest.Hex
	if err := sameName(file, filepath.Join(home, "blobs", "sha256", hexed[:2], hexed, "data")); err != nil {
		return err
	}
	return lock.Write(filepath.Join(home, "repositories", filepath.FromSlash(u.repo.RepositoryStr()), "_layers", "sha256", hexed, "link"), 0o644, []byte(u.blob.digest.String()))
}

// sameName makes target another name of the open file. A blob that is there already stays.
func sameName(file *os.File, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return err
	}
	err := os.Link(file.Name(), target)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ours, err := file.Stat()
	if err != nil {
		return err
	}
	if theirs, err := os.Lstat(target); err != nil || !os.SameFile(ours, theirs) { // the name meant another file by now
		_ = os.Remove(target)
		return fmt.Errorf("%s was replaced meanwhile", file.Name())
	}
	return nil
}

// cancellable stops reading when its context ends.
type cancellable struct {
	io.Reader
	ctx context.Context
}

// Read reads on.
func (c *cancellable) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(b)
}
