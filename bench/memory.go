package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// peak is the most memory that Hallmark's own processes held at one time.
type peak struct {
	image        string
	all          int64 // bytes, proportional set size: shared pages are counted once
	anonymous    int64 // the part of it that no file stands behind
	parent, rest int64 // the most that the program, and that its engine with runc, held at one time
	whole        time.Duration
}

// measureMemory builds generated images cold, one after the other, with the registry inside the program.
func measureMemory(ctx context.Context, s settings) ([]peak, error) {
	var all []peak
	for _, size := range s.sizes {
		bytes, err := parseSize(size)
		if err != nil {
			return nil, err
		}
		found, err := measureOne(ctx, s, size, bytes)
		if err != nil {
			return nil, fmt.Errorf("memory at %s: %w", size, err)
		}
		fmt.Fprintf(os.Stderr, "bench: memory at %s: %d MB (%d MB anonymous; parent %d, engine and runc %d), %.1f s\n",
			size, found.all/1e6, found.anonymous/1e6, found.parent/1e6, found.rest/1e6, found.whole.Seconds())
		all = append(all, found)
	}
	return all, nil
}

func measureOne(ctx context.Context, s settings, size string, bytes int64) (peak, error) {
	p := peak{image: size}
	g := &given{context: filepath.Join(s.generated, "hallmark-generated")}
	h := &hallmark{settings: s, given: g}
	s.work = filepath.Join(s.work, "memory")
	h.settings = s
	defer os.RemoveAll(s.work)
	defer os.RemoveAll(g.context)
	for _, dir := range []string{g.context, s.work} {
		if err := os.RemoveAll(dir); err != nil {
			return p, err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return p, err
		}
	}
	if err := g.makeKey(ctx, s); err != nil {
		return p, err
	}
	if err := generate(g.context, bytes); err != nil {
		return p, err
	}
	cmd := h.command(ctx, "--progress", "plain")
	log, err := os.Create(filepath.Join(s.work, "said"))
	if err != nil {
		return p, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	started := time.Now()
	err = watch(cmd, &p)
	p.whole = time.Since(started)
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		return p, fmt.Errorf("%w\n%s", err, tail(said))
	}
	return p, nil
}

func parseSize(text string) (int64, error) {
	for unit, factor := range map[string]int64{"MB": 1e6, "GB": 1e9} {
		if number, found := strings.CutSuffix(text, unit); found {
			n, err := strconv.ParseInt(number, 10, 64)
			return n * factor, err
		}
	}
	return 0, fmt.Errorf("%q is no size like 100MB or 5GB", text)
}

// layersOfGenerated is how many COPY the generated image has.
const layersOfGenerated = 8

// generate writes a context of about size bytes: files small and large, half of them text that compresses well, half
// noise that does not.
func generate(dir string, size int64) error {
	var dockerfile strings.Builder
	dockerfile.WriteString("FROM scratch\n")
	source := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 1<<20)
	for layer := range layersOfGenerated {
		name := fmt.Sprintf("layer%d", layer)
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
		fmt.Fprintf(&dockerfile, "COPY %s /data/%s\n", name, name)
		left := size / layersOfGenerated
		// One file that is a third of the layer, then ever smaller ones.
		for n, part := 0, left/3; left > 0; n, part = n+1, max(part/2, 32<<10) {
			part = min(part, left)
			if err := fill(filepath.Join(dir, name, fmt.Sprintf("file%d.dat", n)), part, n%2 == 0, source, noise); err != nil {
				return err
			}
			left -= part
		}
	}
	files := map[string]string{
		"Dockerfile": dockerfile.String(),
		"hallmark.yaml": "image: generated\nbuild: {source_date_epoch: 2026-07-01T00:00:00Z}\n" +
			"check: {packs: [base]}\nscan: {fail_on: critical}\npromote: {tags: [golden]}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fill(path string, size int64, text bool, source *rand.ChaCha8, block []byte) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for size > 0 {
		part := block[:min(size, int64(len(block)))]
		_, _ = source.Read(part) // it never fails
		if text {
			for i, b := range part {
				part[i] = "etaoin shrdlu = \n"[b%17]
			}
		}
		if _, err := file.Write(part); err != nil {
			return err
		}
		size -= int64(len(part))
	}
	return file.Close()
}

// watch runs the program and looks at the memory of its processes until it ends.
func watch(cmd *exec.Cmd, p *peak) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			sample(cmd.Process.Pid, p)
		}
	}
}

func sample(root int, p *peak) {
	var now peak
	for _, pid := range family(root) {
		all, anonymous := proportional(pid)
		now.all, now.anonymous = now.all+all, now.anonymous+anonymous
		if pid == root {
			now.parent += all
		} else {
			now.rest += all
		}
	}
	p.all, p.anonymous = max(p.all, now.all), max(p.anonymous, now.anonymous)
	p.parent, p.rest = max(p.parent, now.parent), max(p.rest, now.rest)
}

// family are the process and those below it that are Hallmark's: what runs inside a container is the Dockerfile's.
func family(root int) []int {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "stat"))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); len(fields) > 1 {
			above, _ := strconv.Atoi(fields[1])
			children[above] = append(children[above], pid)
		}
	}
	var all []int
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		pid := queue[0]
		queue = append(queue, children[pid]...)
		program, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
		if name := filepath.Base(program); strings.HasPrefix(name, "hallmark") || strings.Contains(name, "runc") {
			all = append(all, pid)
		}
	}
	return all
}

// proportional reads a process's share of memory, in bytes.
func proportional(pid int) (all, anonymous int64) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0, 0 // it has ended meanwhile
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "Pss:":
			all = n << 10
		case "Pss_Anon:":
			anonymous = n << 10
		}
	}
	return all, anonymous
}

func memoryTable(to *strings.Builder, peaks []peak) {
	fmt.Fprintf(to, "\n| generated image | peak memory | of it anonymous | program | engine and runc | wanted |\n|---|---|---|---|---|---|\n")
	for _, p := range peaks {
		fmt.Fprintf(to, "| %s | %d MB | %d MB | %d MB | %d MB | 500 MB |\n", p.image, p.all/1e6, p.anonymous/1e6, p.parent/1e6, p.rest/1e6)
	}
	fmt.Fprintln(to)
}
