package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	digest "github.com/opencontainers/go-digest"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The Dockerfile's frontend is this program's, whatever BuildKit works for it: Docker 20.10's is five years older. What
// such an engine does not know it refuses, most of the time, and then it is not the image that is to be blamed.

// unsupported are the words in which BuildKit's two sides say that the other one is too old, or lacks a part.
var unsupported = regexp.MustCompile(`is not supported by build server|unknown API capability|has been disabled on the build server|` +
	`requires (additional )?source metadata resolver support|requires containerd image store support`)

// trouble are the words in which an engine says that it, not what the Dockerfile asks for, is in the way of a step.
var trouble = regexp.MustCompile(`unlazy requires|snapshot \S+ does not exist|failed to (restore|stat) (missing )?snapshot|no space left on device|` +
	`input/output error|read-only file system|cannot allocate memory|network \S+ not found|runc did not terminate|OCI runtime`)

func tooOld(cause error) *verdict.Error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.too-old", Doing: "building with an engine whose BuildKit is too old for the Dockerfile", Cause: cause,
		Remedy: "Take a newer Docker (28 knows all of this), run as root for the embedded engine, or set BUILDKIT_HOST",
	}
}

// Solve is what the frontend calls with what it has made of the Dockerfile; which lines each step stands on is kept.
// What the engine does not know is refused here: old ones leave it out without a word.
func (w *witness) Solve(ctx context.Context, request gateway.SolveRequest) (*gateway.Result, error) {
	w.learn(request.Definition)
	if err := w.refuseOlder(request.Definition); err != nil {
		w.refused = err
		return nil, err
	}
	return w.Client.Solve(ctx, request)
}

// refuseOlder compares what each step needs with what the engine says it can do.
func (w *witness) refuseOlder(definition *pb.Definition) error {
	caps := w.BuildOpts().LLBCaps
	lacks := func(needed apicaps.CapID) bool {
		missing := (*apicaps.CapError)(nil)
		// One that BuildKit itself does not list is never announced, whatever the engine can do.
		return errors.As(caps.Supports(needed), &missing) && missing.Definition != nil
	}
	for id, metadata := range definition.GetMetadata() {
		for needed := range metadata.GetCaps() {
			if lacks(apicaps.CapID(needed)) {
				return w.older(digest.Digest(id), "its BuildKit does not know "+needed)
			}
		}
	}
	for _, raw := range definition.GetDef() {
		var op pb.Op
		if err := op.Unmarshal(raw); err != nil {
			return fmt.Errorf("a step of the build: %w", err)
		}
		for _, action := range op.GetFile().GetActions() {
			if problem := copyProblem(action.GetCopy(), lacks); problem != "" {
				return w.older(digest.FromBytes(raw), problem)
			}
		}
	}
	return nil
}

// newModes came with the BuildKit after the one that understands modes such as u+x, and keeps the first digit of 4755;
// neither is announced by a capability of its own.
const newModes = pb.CapFileSymlinkCreate

// copyProblem says what of a copy an engine would leave out without a word: none of this is in the step's metadata.
func copyProblem(action *pb.FileActionCopy, lacks func(apicaps.CapID) bool) string {
	switch {
	case action == nil:
		return ""
	case len(action.RequiredPaths) > 0 && lacks(pb.CapFileCopyRequiredPaths):
		return "its BuildKit cannot keep the parents of what is copied"
	case len(action.IncludePatterns)+len(action.ExcludePatterns) > 0 && lacks(pb.CapFileCopyIncludeExcludePatterns):
		return "its BuildKit cannot exclude files from a copy"
	case action.ModeStr != "" && lacks(newModes):
		return fmt.Sprintf("its BuildKit would not give the mode %s (RUN chmod does)", action.ModeStr)
	case action.Mode > 0 && action.Mode&0o7000 != 0 && lacks(newModes):
		return fmt.Sprintf("its BuildKit would not give the mode %o (RUN chmod does)", action.Mode)
	}
	return ""
}

func (w *witness) older(id digest.Digest, problem string) error {
	lines := w.lineOf(id)
	return tell(tooOld(&StepError{File: display(w.file.path), Line: lines.first, Source: w.file.excerpt(lines.first, lines.last), Problem: problem}))
}

type lineRange struct{ first, last int }

func (w *witness) learn(definition *pb.Definition) {
	source := definition.GetSource()
	if source == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines == nil {
		w.lines = map[digest.Digest]lineRange{}
	}
	for id, all := range source.Locations {
		for _, location := range all.Locations {
			if at := int(location.SourceIndex); at >= len(source.Infos) || filepath.Ext(source.Infos[at].Filename) == ".json" {
				continue
			}
			for _, one := range location.Ranges {
				first, last := int(one.GetStart().GetLine()), int(one.GetEnd().GetLine())
				known := w.lines[digest.Digest(id)]
				if known.first == 0 || first < known.first {
					known.first = first
				}
				known.last = max(known.last, last)
				w.lines[digest.Digest(id)] = known
			}
		}
	}
}

func (w *witness) lineOf(id digest.Digest) lineRange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines[id]
}

// exited are the words in which engines tell of a step that ended with another code than 0.
var exited = regexp.MustCompile(`(?s)(?:executor failed running|did not complete successfully).*exit code: (\d+)$`)

// exitTold finds the step that failed by what the engine told while it ran: an engine that is old enough says in words
// only how a step ended, and not which one it was.
func (w *watcher) exitTold(err error) (*gwpb.ExitError, digest.Digest) {
	if !exited.MatchString(strings.TrimSpace(err.Error())) {
		return nil, ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, v := range w.vertices {
		if found := exited.FindStringSubmatch(v.failure); found != nil && strings.Contains(err.Error(), v.failure) {
			if code, err := strconv.ParseUint(found[1], 10, 32); err == nil {
				return &gwpb.ExitError{ExitCode: uint32(code)}, id
			}
		}
	}
	return nil, ""
}
