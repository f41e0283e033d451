package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"time"
)

// NewRunID returns a name for a run that is about to begin.
func NewRunID() string { return newRunID(time.Now()) }

// newRunID is unique and sorts by time: 20261121-175002-9f3a41.
func newRunID(now time.Time) string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(random[:])
}

// revision is the commit that the folder's checkout stands at, abbreviated, with "-dirty" where it has changes;
// empty where the folder is no git checkout or git is not installed.
func revision(ctx context.Context, folder string) string {
	git := func(args ...string) (string, bool) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, args...)...)
		out, err := cmd.Output()
		return string(bytes.TrimSpace(out)), err == nil
	}
	commit, ok := git("rev-parse", "--short=12", "HEAD")
	if !ok {
		return ""
	}
	if changes, ok := git("status", "--porcelain", "--", "."); ok && changes != "" {
		return commit + "-dirty"
	}
	return commit
}

// stagingTag is unique per run and digest: staging-[revision-]run-digest prefix.
func stagingTag(revision, runID, digestPrefix string) string {
	parts := []string{"staging", revision, runID, digestPrefix}
	if revision == "" {
		parts = []string{"staging", runID, digestPrefix}
	}
	return strings.Join(parts, "-")
}

// owner is who launches and promotes, as far as the machine knows: user@host.
func owner() string {
	name := "unknown"
	if who, err := user.Current(); err == nil && who.Username != "" {
		name = who.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// isCommit says whether text is a full Git object id.
func isCommit(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && (len(raw) == 20 || len(raw) == 32)
}
