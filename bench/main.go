// Command bench measures Hallmark against the chain of tools that it replaces, on one machine and in one run, and prints
// ratios. README.md beside this file says what each side does, and what is not measured.
//
// It is started by run.sh, which builds the peers first.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

type settings struct {
	work      string // everything that is written
	hallmark  string // the program
	peers     string // folder with buildctl, buildkitd, runc, trivy, cosign, crane
	image     string // spark, packaged, or small for trying the harness
	chains    []string
	scenarios []string
	cold      int // rounds
	warm      int
	sizes     []string // of generated images, for memory
	generated string   // folder for what they are made of
	out       string
}

func main() {
	var s settings
	var chains, scenarios, sizes string
	flag.StringVar(&s.work, "work", ".cache/bench", "folder for everything that is written; 30 GB of room for the largest image")
	flag.StringVar(&s.hallmark, "hallmark", "bin/hallmark", "the program")
	flag.StringVar(&s.peers, "peers", ".cache/bin", "folder with buildctl, buildkitd, runc, trivy, cosign and crane")
	flag.StringVar(&s.image, "image", "spark", "what is built: spark (the demo's image), packaged (the same on a base that has Debian's packages already), or small (a few files, to try the harness)")
	flag.StringVar(&chains, "chains", "push,layout", "which chains compete: push, layout")
	flag.StringVar(&scenarios, "scenarios", "cold,layer,same,memory,launch", "what is measured: cold, layer, same, memory, launch")
	flag.IntVar(&s.cold, "cold", 3, "rounds of the cold scenario")
	flag.IntVar(&s.warm, "warm", 7, "rounds of the other scenarios")
	flag.StringVar(&sizes, "sizes", "100MB,1GB,5GB", "sizes of the generated images whose memory is measured")
	flag.StringVar(&s.generated, "generated", "", "folder for the files of generated images, as large as the largest; empty: below -work")
	flag.StringVar(&s.out, "out", "", "file that gets the table too")
	flag.Parse()
	s.chains, s.scenarios, s.sizes = words(chains), words(scenarios), words(sizes)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("both sides build with an engine that makes mounts: run this as root")
	}
	var err error
	for _, path := range []*string{&s.work, &s.hallmark, &s.peers} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if s.generated == "" {
		s.generated = s.work
	}
	if err := os.MkdirAll(s.work, 0o755); err != nil {
		return err
	}
	// The program may be built again while this runs; what is measured must stay one and the same.
	if s.hallmark, err = copied(s.hallmark, filepath.Join(s.work, "hallmark")); err != nil {
		return err
	}
	var text strings.Builder
	describe(&text, "before")
	if wanted := withoutWord(withoutWord(s.scenarios, "memory"), "launch"); len(wanted) > 0 {
		results, err := compete(ctx, s, wanted)
		if err != nil {
			return err
		}
		table(&text, results)
	}
	if slices.Contains(s.scenarios, "memory") {
		peaks, err := measureMemory(ctx, s)
		if err != nil {
			return err
		}
		memoryTable(&text, peaks)
	}
	if slices.Contains(s.scenarios, "launch") {
		found, err := measureLaunch(ctx, s)
		if err != nil {
			return err
		}
		launchTable(&text, found)
	}
	describe(&text, "after")
	fmt.Print(text.String())
	if s.out == "" {
		return nil
	}
	return os.WriteFile(s.out, []byte(text.String()), 0o644)
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func withoutWord(list []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(w string) bool { return w == word })
}

func copied(from, to string) (string, error) {
	body, err := os.ReadFile(from)
	if err != nil {
		return "", fmt.Errorf("%w: run make build first", err)
	}
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	return to, os.WriteFile(to, body, 0o755)
}
