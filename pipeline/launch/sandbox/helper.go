package sandbox

import (
	"debug/elf"
	"fmt"
	"os"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// helper finds the program that works inside containers, and refuses one that would need a loader of the image's: it
// would not start where there is none, and the image would be blamed for that.
func helper(path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("finding this program's own file, which the sandbox needs: %w", err)
		}
		path = self
	}
	loader, err := loaderOf(path)
	if err != nil {
		return "", fmt.Errorf("reading %s, which the sandbox shows to containers: %w", path, err)
	}
	if loader != "" {
		return "", &launch.Error{
			Verdict: verdict.Inconclusive, Code: launch.CodeEngine,
			Reason: fmt.Sprintf("%s works inside the container too, and is linked dynamically: it needs %s, which an image need not have", path, loader),
			Remedy: "Use a binary that was built with CGO_ENABLED=0, as make build does",
		}
	}
	return path, nil
}

// loaderOf is the loader that a program asks for; empty: it is static.
func loaderOf(path string) (string, error) {
	program, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer program.Close()
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			name := make([]byte, min(part.Filesz, 4096))
			if _, err := part.ReadAt(name, 0); err != nil {
				return "", err
			}
			return strings.TrimRight(string(name), "\x00"), nil
		}
	}
	return "", nil
}
