package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// keyring is the package that holds the keys of an archive, pinned, since nothing on this machine vouches for it.
type keyring struct {
	path, sha256 string // of the package on a mirror
	file         string // in the package
}

// ubuntuKeys is Ubuntu's own package, that of 24.04.
var ubuntuKeys = keyring{
	path:   "ubuntu/pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb",
	sha256: "36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8",
	file:   "usr/share/keyrings/ubuntu-archive-keyring.gpg",
}

// fetch puts the keys into a file that apt's own user can read, which the cache below a home may not be.
func (k keyring) fetch(ctx context.Context, mirror string) (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "hallmark-keyring-")
	if err != nil {
		return "", nil, fmt.Errorf("making a working folder: %w", err)
	}
	remove = func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	packed, unpacked := filepath.Join(dir, "keyring.deb"), filepath.Join(dir, "keyring")
	if err := download(ctx, mirror+"/"+k.path, packed, k.sha256); err != nil {
		return "", nil, err
	}
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", packed, unpacked).CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("unpacking %s: %w\n%s", k.path, err, out)
	}
	return filepath.Join(unpacked, k.file), remove, os.Chmod(dir, 0o755)
}
