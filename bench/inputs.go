package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/scan/advisories"
)

// prepare makes what every contestant starts from. None of it is measured.
func prepare(ctx context.Context, s settings) (*given, error) {
	g := &given{context: filepath.Join(s.work, "context"), folders: map[string]string{}}
	if err := os.RemoveAll(g.context); err != nil {
		return nil, err
	}
	var err error
	switch s.image {
	case "small":
		err = smallContext(g)
	case "packaged":
		err = packagedContext(ctx, g, s)
	case "spark":
		err = sparkContext(ctx, g)
	default:
		err = fmt.Errorf("no image is called %q: spark, packaged or small", s.image)
	}
	if err != nil {
		return nil, err
	}
	if g.original, err = os.ReadFile(g.top); err != nil {
		return nil, err
	}
	if g.mirror, err = serveMirror(ctx, filepath.Join(s.work, "mirror")); err != nil {
		return nil, err
	}
	if err := g.makeKey(ctx, s); err != nil {
		return nil, err
	}
	return g, g.makeDatabase(s)
}

// sparkContext is the demo's: a copy, because its last file is changed for the scenario with one new layer.
func sparkContext(ctx context.Context, g *given) error {
	if err := os.CopyFS(g.context, os.DirFS("examples/spark")); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./examples/spark/setup")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("preparing the demo's base and distribution: %w", err)
	}
	for _, line := range strings.Fields(string(out)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "--build-context="), "=")
		if place, found := strings.CutPrefix(value, "oci-layout://"); found {
			dir, digest, _ := strings.Cut(place, "@")
			g.bases = append(g.bases, base{name, dir, digest})
			continue
		}
		g.folders[name] = value
	}
	g.top = filepath.Join(g.context, "entrypoint.sh")
	cfg, err := config.Load(g.context, nil, nil)
	if err != nil {
		return err
	}
	epoch, _ := cfg.Build.SourceDateEpoch.Time()
	g.epoch = fmt.Sprint(epoch.Unix())
	return nil
}

// smallContext is for trying the harness: it builds in a second.
func smallContext(g *given) error {
	if err := os.MkdirAll(g.context, 0o755); err != nil {
		return err
	}
	epoch := time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)
	g.top, g.epoch = filepath.Join(g.context, "top"), fmt.Sprint(epoch.Unix())
	for name, text := range map[string]string{
		"Dockerfile":    "FROM scratch\nCOPY below /below\nCOPY top /top\nENTRYPOINT [\"/top\"]\n",
		"below":         strings.Repeat("what lies below does not change\n", 20_000),
		"top":           "what lies on top does\n",
		"hallmark.yaml": "image: small\nbuild: {source_date_epoch: " + epoch.Format(time.RFC3339) + "}\ncheck: {packs: [base]}\npromote: {tags: [golden]}\n",
	} {
		if err := os.WriteFile(filepath.Join(g.context, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeKey makes one key for all: Hallmark and cosign keep keys in the same format.
func (g *given) makeKey(ctx context.Context, s settings) error {
	dir, err := inFolder(s.work, "key")
	if err != nil {
		return err
	}
	g.key, g.password = filepath.Join(dir, "bench.key"), filepath.Join(dir, "password")
	if _, err := os.Stat(g.key); err == nil {
		return nil
	}
	if err := os.WriteFile(g.password, []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.hallmark, "key", "new", "--out", filepath.Join(dir, "bench"), "--password", "file:"+g.password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making a key: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// makeDatabase writes the advisories that Hallmark scans with by default in the demo, for trivy's command line.
func (g *given) makeDatabase(s settings) error {
	set, err := advisories.Demo()
	if err != nil {
		return err
	}
	if g.database, err = inFolder(s.work, "database"); err != nil {
		return err
	}
	return set.Write(g.database)
}
