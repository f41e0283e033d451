package engine

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// maxRuntime bounds what the embedded runtime may unpack to.
const maxRuntime = 64 << 20

// resolveRuntime returns the path of the OCI runtime to use and says in words which it is.
func resolveRuntime(root, wanted string) (path, words string, err error) {
	if wanted != "" {
		found, err := exec.LookPath(wanted)
		if err != nil {
			return "", "", fmt.Errorf("the OCI runtime %s: %w. Name an executable compatible with runc 1.1", wanted, err)
		}
		return found, found, nil
	}
	packed, err := embedded.ReadFile(packedRuntime)
	if err == nil {
		path, err = unpackRuntime(filepath.Join(root, "runtime"), packed)
		return path, "embedded runc", err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("the embedded runc: %w", err)
	}
	found, err := exec.LookPath("runc")
	if err != nil {
		return "", "", errors.New("no OCI runtime: this binary was built without runc inside, and PATH has none. " +
			"Install runc 1.1 or later, or build with `make build`, which embeds it")
	}
	if err := checkRuntime(found); err != nil {
		return "", "", err
	}
	return found, found, nil
}

// unpackRuntime writes the runtime under a name that is its content, so that an unpacked one is never the wrong one.
func unpackRuntime(dir string, packed []byte) (string, error) {
	sum := sha256.Sum256(packed)
	path := filepath.Join(dir, "runc-"+hex.EncodeToString(sum[:8]))
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o100 != 0 {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("unpacking the embedded runc: %w", err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", fmt.Errorf("unpacking the embedded runc: %w", err)
	}
	err = lock.WriteBy(path, 0o755, func(file io.Writer) error {
		_, err := io.Copy(file, io.LimitReader(reader, maxRuntime))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("unpacking the embedded runc: %w", err)
	}
	removeOthers(dir, filepath.Base(path))
	return path, nil
}

// removeOthers drops runtimes that older binaries left behind.
func removeOthers(dir, keep string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.Name() != keep {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

var runcVersion = regexp.MustCompile(`(?m)^runc version (\d+)\.(\d+)`)

// checkRuntime refuses a runc from PATH that lacks what the engine calls ("runc run --keep" came with 1.1).
func checkRuntime(path string) error {
	output, err := exec.Command(path, "--version").Output()
	if err != nil {
		return fmt.Errorf("asking %s for its version: %w", path, err)
	}
	return checkRuntimeVersion(path, string(output))
}

func checkRuntimeVersion(path, output string) error {
	found := runcVersion.FindStringSubmatch(output)
	if found == nil {
		return fmt.Errorf("%s is not upstream runc: it does not say \"runc version\". Install runc 1.1 or later", path)
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2])
	if major < 1 || major == 1 && minor < 1 {
		return fmt.Errorf("%s is version %d.%d; the engine needs 1.1 or later", path, major, minor)
	}
	return nil
}
