package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Options says how the embedded engine shall be run. The zero value of each field is a usable default but for Root.
type Options struct {
	// Root is the folder in which the engine keeps layers and cache between runs; see DefaultRoot.
	// One engine at a time uses it.
	Root string
	// Runtime is the path of an OCI runtime compatible with runc 1.1; empty: the embedded runc, else runc from PATH.
	Runtime string
	// Snapshotter is "overlayfs" or "native"; empty: the first of the two that works in Root.
	Snapshotter string
	// PlainHTTP lists registry hosts (host or host:port) that are spoken to without TLS. Loopback always is.
	PlainHTTP []string
	// Mirrors maps a registry host to hosts that are asked before it, in order.
	Mirrors map[string][]string
	// CABundle is the file of certificates that build steps trust; empty: the host's own; "none": no such file.
	CABundle string
	// KeepBytes is how much cache stays in Root; the least recently used goes first. 0: DefaultKeepBytes.
	KeepBytes int64
	// LockWait bounds the wait for another engine that uses Root. 0: lock.DefaultWait.
	LockWait time.Duration
	// StartWait bounds the wait for the engine to answer once it was started. 0: DefaultStartWait.
	StartWait time.Duration
}

// Defaults of Options.
const (
	DefaultKeepBytes = 20 << 30
	DefaultStartWait = 60 * time.Second
)

// NoCABundle as Options.CABundle leaves build steps with the certificates of their image only.
const NoCABundle = "none"

// DefaultRoot is the engine's folder below the user's cache folder.
func DefaultRoot() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: no folder for the engine's state: %w. Set HOME or XDG_CACHE_HOME, or name the folder", verdict.ErrUsage, err)
	}
	return filepath.Join(cache, "hallmark", "engine"), nil
}
