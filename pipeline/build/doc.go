// Package build turns a Dockerfile into a candidate: an OCI layout on disk whose digest depends on nothing but what
// went in.
//
// The Dockerfile frontend runs in this process and the steps run on an engine, whichever it is. Layers come from the
// engine as it made them; this room gives their files a date that every build agrees on, compresses them, and keeps
// what it has done, so that a layer that was seen before costs nothing.
//
// It must not know what becomes of a candidate: registries, gates and targets are other rooms' words. BuildKit's
// types do not leave it.
package build
