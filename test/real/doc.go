// Package real proves the program as people use it: the built binary, run as a process, with a real engine, a real
// registry and real Spark. Its tests carry the build tag real and belong to the slow lane of scripts/test.
//
// It knows the program by its command line, its exit codes, its progress lines and its report, and calls nothing of it
// directly.
package real
