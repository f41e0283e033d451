//go:build !linux

package inside

import (
	"fmt"
	"os"
	"syscall"
)

// Main is for the hidden verb, which is called in containers only.
func Main([]string) int {
	fmt.Fprintln(os.Stderr, "this verb is for the program's own use, in containers of Linux")
	return 2
}

// Interrupt is asked only where sandboxes are.
func Interrupt() syscall.Signal { return 0 }
