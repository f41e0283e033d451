// Command setup prepares what the Spark example is built from, under a cache folder:
//
//	base        a Debian bookworm root file system, made from Debian's own packages, as an OCI layout; with -base
//	            ubuntu:24.04, one of Ubuntu's from Ubuntu's packages (base-ubuntu-24.04)
//	spark-dist  the parts of a Spark distribution that the image needs, from PyPI's pyspark source package
//
// What is there already is kept, so that only the first run takes minutes and a network. Progress goes to standard
// error; standard output holds the arguments that hand both folders to "hallmark run":
//
//	hallmark run examples/spark $(go run ./examples/spark/setup)
//	hallmark run examples/databricks/minimal $(go run ./examples/spark/setup -base ubuntu:24.04)
//
// It is no part of the program: it stands in for a base image that a team would pull from a registry of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	cache := flag.String("cache", defaultCache(), "folder that keeps the prepared inputs (HALLMARK_DEMO_CACHE)")
	baseName := flag.String("base", systems[0].name, "base image to prepare: debian:bookworm-slim or ubuntu:24.04")
	mirror := flag.String("mirror", "", "mirror of the base's distribution, the part before /debian or /ubuntu (HALLMARK_DEMO_MIRROR for Debian's)")
	index := flag.String("index", env("PIP_INDEX_URL", "https://pypi.org/simple"), "Python package index, simple API")
	fresh := flag.Bool("fresh", false, "make the base again from today's packages")
	flag.Parse()
	syscall.Umask(0o022) // the folders' modes end up in the image

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *cache, *baseName, *mirror, *index, *fresh); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cache, baseName, mirror, index string, fresh bool) error {
	base, err := systemNamed(baseName)
	if err != nil {
		return err
	}
	if mirror == "" {
		mirror = base.archive
		if base.name == systems[0].name {
			mirror = env("HALLMARK_DEMO_MIRROR", mirror)
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	// Both wait for a network most of the time: side by side they take as long as the slower one.
	dist := make(chan error, 1)
	go func() { dist <- sparkDist(ctx, cache, index) }()
	digest, err := base.base(ctx, cache, mirror, fresh)
	if distErr := <-dist; err == nil {
		err = distErr
	}
	if err != nil {
		return err
	}
	fmt.Printf("--build-context=%s=oci-layout://%s@%s\n", base.name, filepath.Join(cache, base.folder), digest)
	if base.name != systems[0].name {
		return nil // the others are bases of images that bring no Spark: a launch takes it from the cache
	}
	fmt.Printf("--build-context=spark-dist=%s\n", filepath.Join(cache, distName))
	return nil
}

func defaultCache() string {
	if dir := os.Getenv("HALLMARK_DEMO_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "hallmark", "demo")
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// step says on standard error what is being done, and when it ends, how long it took.
func step(format string, args ...any) (done func()) {
	started, text := time.Now(), fmt.Sprintf(format, args...)
	fmt.Fprintf(os.Stderr, "setup: %s\n", text)
	return func() {
		fmt.Fprintf(os.Stderr, "setup: %s: done in %s\n", text, time.Since(started).Round(100*time.Millisecond))
	}
}
