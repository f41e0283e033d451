package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Home is the folder in which Hallmark keeps everything that outlives a run. Deleting it costs time, never truth:
// what counts is signed and lies in the registry. (The embedded registry lies below it too, and is the exception.)
type Home string

// DefaultHome is $HALLMARK_HOME, else $XDG_DATA_HOME/hallmark, else ~/.local/share/hallmark.
func DefaultHome() (Home, error) {
	if dir := os.Getenv("HALLMARK_HOME"); dir != "" {
		abs, err := filepath.Abs(dir)
		return Home(abs), err
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return Home(filepath.Join(dir, "hallmark")), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w: finding a folder for Hallmark's data: %w. Set HALLMARK_HOME", verdict.ErrUsage, err)
	}
	return Home(filepath.Join(user, ".local", "share", "hallmark")), nil
}

func (h Home) registry() string     { return filepath.Join(string(h), "registry") }
func (h Home) buildEngine() string  { return filepath.Join(string(h), "engine") }
func (h Home) launchEngine() string { return filepath.Join(string(h), "launch") }
func (h Home) emulator() string     { return filepath.Join(string(h), "emulator") }
func (h Home) layers() string       { return filepath.Join(string(h), "layers") }
func (h Home) databases() string    { return filepath.Join(string(h), "databases") }
func (h Home) journals() string     { return filepath.Join(string(h), "journals") }

// run is where one run leaves its report and logs.
func (h Home) run(id string) string { return filepath.Join(string(h), "runs", id) }

// layout is the OCI layout that builds of one image from one context share, so that a build copies only new blobs.
func (h Home) layout(image, context string) string {
	sum := sha256.Sum256([]byte(image + "\x00" + context))
	return filepath.Join(string(h), "layouts", hex.EncodeToString(sum[:8]))
}
