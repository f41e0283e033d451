package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/moby/buildkit/worker/base"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// onceLooked is a worker that looks once for the platforms whose programs this machine can run. BuildKit asks at every
// build, and each look starts ten programs.
type onceLooked struct {
	*base.Worker
	platforms func() []ocispecs.Platform
}

// lookOnce looks at once, beside what else an engine does at its start, unless an engine on this folder has looked before.
func lookOnce(w *base.Worker, root, emulators string) *onceLooked {
	look := sync.OnceValue(func() []ocispecs.Platform {
		return remembered(filepath.Join(root, "platforms.json"), emulators, func() []ocispecs.Platform { return w.Platforms(true) })
	})
	go look()
	return &onceLooked{Worker: w, platforms: look}
}

// Platforms are those that the look found.
func (w *onceLooked) Platforms(bool) []ocispecs.Platform { return w.platforms() }

// binfmt is where the kernel lists what it runs with the help of other programs, such as qemu's.
const binfmt = "/proc/sys/fs/binfmt_misc"

// emulatorsIn is a text that changes when the platforms may: with the boot, and with what is registered with the kernel.
// It is empty where that is unknown. The engine itself cannot tell, for it has a /proc of its own.
func emulatorsIn(list string) string {
	boot, err := os.ReadFile(bootFile)
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(string(boot))
	entries, err := os.ReadDir(list)
	if err != nil {
		return text + " no list" // it is not mounted, as it must be for anybody to register anything
	}
	for _, entry := range entries {
		about, err := os.ReadFile(filepath.Join(list, entry.Name()))
		if err == nil { // "register" cannot be read
			text += "\n" + entry.Name() + " " + string(about)
		}
	}
	return text
}

// remembered is what the file says for the key, else what look finds, which is then written down.
func remembered(path, key string, look func() []ocispecs.Platform) []ocispecs.Platform {
	type note struct {
		Key       string              `json:"key"`
		Platforms []ocispecs.Platform `json:"platforms"`
	}
	var known note
	if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &known) == nil && key != "" && known.Key == key && len(known.Platforms) > 0 {
		return known.Platforms
	}
	found := look()
	if text, err := json.Marshal(note{key, found}); err == nil {
		_ = os.WriteFile(path, text, 0o600) // without it the next engine looks again
	}
	return found
}
