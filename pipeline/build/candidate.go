package build

import (
	"os"
	"time"
)

// Candidate is what a build made. Release it.
type Candidate struct {
	// Layout is an OCI layout of the candidate's own, which nobody else writes to; it is there until Release.
	Layout    string
	Digest    string // of the image manifest, or of the index where there are several platforms
	MediaType string
	Size      int64 // bytes of the manifest or index
	Platforms []string
	// Bases are the images that went in: those of FROM first, in the order in which they were resolved.
	Bases      []Base
	Dockerfile string // path
	Steps      []Step // of the stages that the image consists of, in order
	// SourceDateEpoch is the date that the image bears; LayerEpoch is the latest that files in its own layers bear.
	SourceDateEpoch time.Time
	LayerEpoch      time.Time
	Started         time.Time
	Finished        time.Time
	CachedSteps     int
	TotalSteps      int

	held *os.File // Layout, locked
}

// Base is one image that the build took content from.
type Base struct {
	// Ref is the reference as it was resolved: "docker.io/library/debian:bookworm", or "oci-layout://PATH".
	Ref string
	// Digest is that of the manifest or index that Ref stood for.
	Digest string
	// Pinned says that Ref named the digest itself, so that it cannot come to mean another image.
	Pinned bool
	// Context is the named context that brought it; empty: none.
	Context string
	// Line is the Dockerfile's line that asks for it; 0: unknown.
	Line int
}

// Step is one instruction of the Dockerfile.
type Step struct {
	Instruction string // "RUN apt-get update", its first line
	Line        int    // from 1
	EndLine     int
	// Layer is the diff id of the layer that it made; empty: none, or unknown.
	Layer string
	// CreatedBy is its entry in the image's history; empty: none, or unknown.
	CreatedBy string
}
