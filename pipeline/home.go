package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Home is the folder in which Hallmark keeps everything that outlives a run. Deleting it costs time, never truth:
// what counts is signed and lies in the registry. (The embedded registry lies below it too, and is the exception.)
type Home string

// DefaultHome is $HALLMARK_HOME, else $XDG_DATA_HOME/hallmark, else ~/.local/share/hallmark, and on Windows
// %LocalAppData%\hallmark.
func DefaultHome() (Home, error) {
	if dir := os.Getenv("HALLMARK_HOME"); dir != "" {
		abs, err := filepath.Abs(dir)
		return Home(abs), err
	}
	dir, err := dataFolder(runtime.GOOS, os.Getenv, os.UserHomeDir)
	if err != nil {
		return "", fmt.Errorf("%w: finding a folder for Hallmark's data: %w. Set HALLMARK_HOME", verdict.ErrUsage, err)
	}
	return Home(filepath.Join(dir, "hallmark")), nil
}

// dataFolder is where a system keeps what programs write for one user on one machine.
func dataFolder(goos string, env func(string) string, user func() (string, error)) (string, error) {
	if dir := env("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if dir := env("LocalAppData"); goos == "windows" && dir != "" {
		return dir, nil
	}
	dir, err := user()
	if err != nil {
		return "", err
	}
	if goos == "windows" { // what LocalAppData stands for where nobody has moved it
		return filepath.Join(dir, "AppData", "Local"), nil
	}
	return filepath.Join(dir, ".local", "share"), nil
}

func (h Home) registry() string     { return filepath.Join(string(h), "registry") }
func (h Home) buildEngine() string  { return filepath.Join(string(h), "engine") }
func (h Home) launchEngine() string { return filepath.Join(string(h), "launch") }
func (h Home) emulator() string     { return filepath.Join(string(h), "emulator") }
func (h Home) layers() string       { return filepath.Join(string(h), "layers") }
func (h Home) databases() string    { return filepath.Join(string(h), "databases") }
func (h Home) journals() string     { return filepath.Join(string(h), "journals") }

// sigstore is where what TUF says of a Sigstore's authorities is kept.
func (h Home) sigstore() string { return filepath.Join(string(h), "sigstore") }

// workspaces is where answers of Databricks workspaces are remembered.
func (h Home) workspaces() string { return filepath.Join(string(h), "workspaces.json") }

// run is where one run leaves its report and logs.
func (h Home) run(id string) string { return filepath.Join(string(h), "runs", id) }

// Run is where one run leaves its report and logs.
func (h Home) Run(id string) string { return h.run(id) }

// Bill is where a run leaves its bill of materials, in CycloneDX.
func (h Home) Bill(id string) string { return filepath.Join(h.run(id), "sbom.cdx.json") }

// layout is the OCI layout that builds of one image from one context share, so that a build copies only new blobs.
func (h Home) layout(image, context string) string {
	sum := sha256.Sum256([]byte(image + "\x00" + context))
	return filepath.Join(string(h), "layouts", hex.EncodeToString(sum[:8]))
}
