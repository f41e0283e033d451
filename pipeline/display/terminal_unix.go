//go:build !windows

package display

import "os"

// obeys says whether a terminal obeys sequences: TERM says that it does not, where it does not.
func obeys(*os.File) bool { return true }

// named is the environment in which terminals are named.
func named(env func(string) string) func(string) string { return env }
