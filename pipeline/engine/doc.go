// Package engine gives the other rooms a BuildKit to talk to.
//
// It is one of three: the embedded one, which runs as a child process of the same binary and dies with it; the one
// that BUILDKIT_HOST or a flag names; or Docker's. Choose picks, and says why. The embedded engine carries its own
// OCI runtime (upstream runc), gives build steps the host's CA bundle, and holds containers that ask for it to
// limits of memory, processors and processes.
//
// It must not know what is built or launched on it: Dockerfiles, candidates, clusters and probes are other rooms'
// words. BuildKit's client is its interface to them.
package engine

// Verb is the hidden verb under which the program is to call Main; Start runs os.Executable with it.
const Verb = "__engine"
