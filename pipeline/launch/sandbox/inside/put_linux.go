package inside

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// hold is process 1 of a container that starts nothing of the image's: it goes on until it is killed, and takes in what
// ended programs leave behind. A signal from inside does not end it, as it would not end a machine.
func hold() {
	ended := make(chan os.Signal, 16)
	signal.Notify(ended, syscall.SIGCHLD)
	for range ended {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}

// copyTo copies a folder to the first of the places that the image does not have, and reports which one it took. What it
// makes belongs to whoever runs it; nothing that was there is replaced.
func copyTo(ctx context.Context, from string, places []string) (Report, error) {
	for _, place := range places {
		if _, err := os.Lstat(place); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return Report{}, err
		}
		files, err := copyTree(ctx, from, place)
		if ctx.Err() != nil {
			return Report{TimedOut: true, Files: files}, nil
		}
		return Report{Body: place, Files: files}, err
	}
	return Report{}, fmt.Errorf("each of %q is there already", places)
}

func copyTree(ctx context.Context, from, to string) (files int, err error) {
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			if err := os.Mkdir(target, 0o755); err != nil {
				return err
			}
			return os.Chmod(target, info.Mode().Perm()|0o700) // or nothing could be put into it
		case fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case 0:
			files++
			return copyFile(path, target, info.Mode().Perm())
		default:
			return nil // sockets and the like are of no use to a copy
		}
	})
	return files, err
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// sum reports the SHA-256 of a file, in hexadecimal digits.
func sum(path string) (Report, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{NoCommand: true, Error: err.Error()}, nil
	}
	if err != nil {
		return Report{}, err
	}
	if !info.Mode().IsRegular() {
		return Report{}, fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return Report{}, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return Report{}, err
	}
	return Report{Body: hex.EncodeToString(hash.Sum(nil))}, nil
}
