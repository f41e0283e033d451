// Command setup prepares what the Spark example is built from, under a cache folder:
//
//	base        a Debian bookworm root file system, made from Debian's own packages, as an OCI layout
//	spark-dist  the parts of a Spark distribution that the image needs, from PyPI's pyspark source package
//
// What is there already is kept, so that only the first run takes minutes and a network. Progress goes to standard
// error; standard output holds the arguments that hand both folders to "hallmark run":
//
//	hallmark run examples/spark $(go run ./examples/spark/setup)
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
	mirror := flag.String("mirror", env("HALLMARK_DEMO_MIRROR", "http://deb.debian.org"), "Debian mirror, the part before /debian")
	index := flag.String("index", env("PIP_INDEX_URL", "https://pypi.org/simple"), "Python package index, simple API")
	fresh := flag.Bool("fresh", false, "make the base again from today's packages")
	flag.Parse()
	syscall.Umask(0o022) // the folders' modes end up in the image

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *cache, *mirror, *index, *fresh); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cache, mirror, index string, fresh bool) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	// Both wait for a network most of the time: side by side they take as long as the slower one.
	dist := make(chan error, 1)
	go func() { dist <- sparkDist(ctx, cache, index) }()
	digest, err := base(ctx, cache, mirror, fresh)
	if distErr := <-dist; err == nil {
		err = distErr
	}
	if err != nil {
		return err
	}
	fmt.Printf("--build-context=%s=oci-layout://%s@%s\n", baseName, filepath.Join(cache, "base"), digest)
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
