package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// run is one run of the sentence. Its book is written by the steps and read by nobody before the end.
type run struct {
	*surroundings
	id      string
	owner   string
	started time.Time
	key     *opening
	book    *book
	compare bool // with golden
}

// begin opens what a run needs, and finds out what would stop it later: a folder that cannot be written, a registry that
// cannot be served.
func begin(ctx context.Context, cfg *config.Config, options Options) (*run, error) {
	if len(cfg.Build.Platforms) > 1 {
		return nil, fmt.Errorf("%w: a run takes one platform, and build.platforms names %s: run once for each, or use hallmark build",
			verdict.ErrUsage, strings.Join(cfg.Build.Platforms, ", "))
	}
	if err := launchable(cfg.Launch); err != nil {
		return nil, err
	}
	if err := withinReach(cfg, os.Getenv); err != nil {
		return nil, err
	}
	if err := Acceptable(ctx, cfg); err != nil {
		return nil, err
	}
	now := time.Now()
	r := &run{id: newRunID(now), owner: owner(), started: now, book: newBook(options.Skip), compare: options.Compare}
	r.key = newOpening(cfg.Sign, func() (*sign.Signer, error) { return r.loadSigner(ctx) })
	if options.RunID != "" {
		r.id = options.RunID
	}
	go compile(cfg.Check.Packs)
	if err := os.MkdirAll(options.Home.run(r.id), 0o755); err != nil {
		return nil, fmt.Errorf("%w: making the folder of the run: %w. Set HALLMARK_HOME, or --home, to a folder of yours", verdict.ErrUsage, err)
	}
	var err error
	r.surroundings, err = open(ctx, cfg, options)
	return r, err
}

// launchable refuses launches that evidence cannot tell apart. It knows them by target and profile, and a newer one
// takes the older one's place: of two alike, the second's failure would give way to a pass of the first in the next run.
func launchable(launches []config.Launch) error {
	seen := map[string]bool{}
	for i, l := range launches {
		slot := slotOf(l)
		if seen[slot] {
			return fmt.Errorf("%w: launch[%d] is the second one of %s, and evidence cannot tell them apart: ask all the probes in one launch", verdict.ErrUsage, i, slot)
		}
		seen[slot] = true
	}
	return nil
}

// compile has the program's own packs compiled when check and promotion ask for them: that takes a processor for a moment,
// which the build's beginning leaves free. What is wrong with a pack, whoever asks for it is told.
func compile(packs []string) {
	for _, name := range append(slices.Clone(packs), promotionPack) {
		if slices.Contains(check.Names(), name) {
			_, _ = check.Load("", name)
		}
	}
}

func (r *run) publicKey(home Home) string { return filepath.Join(home.run(r.id), "hallmark.pub") }

// watch returns ctx with the book's clock beside whatever shows progress.
func (r *run) watch(ctx context.Context) context.Context {
	ctx = progress.Tee(ctx, r.book)
	if r.cfg.Sign.Key == "" && r.signs() {
		r.book.note("Signed with a key that lived in memory for this run alone: the signature is worth nothing to anyone else.")
	}
	warnOfLaunches(ctx, engine.Here(), r.cfg.Launch)
	for _, text := range r.cfg.Warnings() {
		progress.From(ctx).Warnf("%s", text)
		r.book.note(text)
	}
	return ctx
}

// publicBeside is the public key that `hallmark key new` and cosign write beside the private one: no password is needed for it.
func publicBeside(private secret.Ref) ([]byte, bool) {
	path, isFile := strings.CutPrefix(string(private), "file:")
	if !isFile {
		return nil, false
	}
	pem, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".pub")
	return pem, err == nil
}
