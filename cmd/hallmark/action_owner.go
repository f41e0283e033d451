package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
)

// owner is the user whose job this is, where the launcher runs the program as root by sudo. What is written for them must be
// theirs: the steps that follow read it, and the next checkout removes it.
type owner struct {
	uid, gid int
	known    bool
}

func ownerOf(env ci.Env) owner {
	uid, noUser := strconv.Atoi(env("SUDO_UID"))
	gid, noGroup := strconv.Atoi(env("SUDO_GID"))
	return owner{uid, gid, env("HALLMARK_ACTION_SUDO") == "true" && noUser == nil && noGroup == nil}
}

// missing are the folders above a file that do not exist yet.
func missing(path string) (folders []string) {
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			return folders
		}
		folders = append(folders, at)
	}
}

// give makes files and folders the owner's, a link itself and not what it points to.
func (o owner) give(paths ...string) error {
	var failed []error
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil && o.known {
			failed = append(failed, os.Lchown(path, o.uid, o.gid))
		}
	}
	return errors.Join(failed...)
}
