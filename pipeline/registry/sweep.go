package registry

import (
	"context"
	"time"

	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

// Uploads that a killed run left behind are taken for dead after a day, and looked for at the start and four times a
// day after that. Distribution's own sweep begins at a random moment of its first hour, which few runs live to see.
const (
	uploadLife = 24 * time.Hour
	sweepEvery = 6 * time.Hour
	// sweepFiles bounds the files that a sweep has open; it is distribution's least.
	sweepFiles = 25
)

// sweep clears the store at root of dead uploads until ctx ends. What it cannot read it leaves for the next time.
func sweep(ctx context.Context, root string) {
	store := filesystem.New(filesystem.DriverParameters{RootDirectory: root, MaxThreads: sweepFiles})
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		_, _ = storage.PurgeUploads(ctx, store, time.Now().Add(-uploadLife), true)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
