// Command distribution is distribution's own registry, its command line and all, for the tests: as most of the world
// runs it, with the file-system driver alone, since those for clouds take longer to compile than all of the tests.
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if err := registry.RootCmd.Execute(); err != nil {
		os.Exit(1)
	}
}
