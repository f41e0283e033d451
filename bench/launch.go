package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// wantedLaunch is what our own side of a launch in a workspace is to stay below.
const wantedLaunch = time.Second

// launched is what launches in one kind of workspace took of Hallmark's own.
type launched struct {
	name     string
	own      []time.Duration // the step launch of `hallmark run`, evidence included, without what the workspace took
	whole    []time.Duration
	requests []int
}

// measureLaunch runs `hallmark run` with the target databricks against the emulator, whose clusters are no containers: they come
// up and answer when they are told to, and write down how long that took. The rest is Hallmark's: asking, creating, noticing,
// putting probes, deleting, signing.
func measureLaunch(ctx context.Context, s settings) ([]launched, error) {
	g := &given{context: filepath.Join(s.work, "launch-context"), folders: map[string]string{}}
	if err := os.RemoveAll(g.context); err != nil {
		return nil, err
	}
	if err := smallContext(g); err != nil {
		return nil, err
	}
	var err error
	if g.original, err = os.ReadFile(g.top); err != nil {
		return nil, err
	}
	if err := g.makeKey(ctx, s); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(g.context, "hallmark.yaml"), []byte(launchConfig), 0o644); err != nil {
		return nil, err
	}
	h := &hallmark{settings: s, given: g, launches: true}
	if err := h.forget(ctx); err != nil {
		return nil, err
	}
	defer h.close()
	var all []launched
	for _, kind := range []struct {
		name             string
		pending, command time.Duration
	}{
		{"a workspace that does all at once", 0, 0},
		{"a cluster after 3 s, commands of 0.3 s", 3 * time.Second, 300 * time.Millisecond},
	} {
		found := launched{name: kind.name}
		for round := range s.warm + 1 { // the first one does not count
			if err := g.change(len(all)*1000 + round); err != nil { // else the launch stands signed, and is not made
				return nil, err
			}
			step, waited, requests, err := h.launchOnce(ctx, &prompt{pending: kind.pending, command: kind.command})
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "bench: launch, %s, round %d of %d: %.3f s, %.3f of them the workspace's, %d requests\n", kind.name, round, s.warm, step.Seconds(), waited.Seconds(), requests)
			if round > 0 {
				found.own, found.whole, found.requests = append(found.own, step-waited), append(found.whole, step), append(found.requests, requests)
			}
		}
		all = append(all, found)
	}
	return all, nil
}

const launchConfig = `image: launched
build: {source_date_epoch: 2026-07-01T00:00:00Z}
check: {packs: []}
scan: {secrets: false}
promote: {tags: []}
launch:
  - target: databricks
    databricks: {runtime: "16.4", retries: 0}
    probes:
      - python: {code: print(100), expect: "100"}
      - scala: {code: println(100), expect: "100"}
      - sql: {query: SELECT 100, expect: "100"}
      - run: {args: ["true"]}
`

// launchOnce is one run: how long its step launch took, how long of that the workspace took, and how often it was asked.
func (h *hallmark) launchOnce(ctx context.Context, machine *prompt) (step, waited time.Duration, requests int, err error) {
	var mu sync.Mutex
	workspace, err := emulator.New(emulator.Options{Machine: machine, Log: func(string) { mu.Lock(); defer mu.Unlock(); requests++ }})
	if err != nil {
		return 0, 0, 0, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, 0, err
	}
	server := &http.Server{Handler: workspace, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, server.Close(), workspace.Close(stopping))
	}()
	g := h.given
	cmd := h.command(ctx, "--set", "image="+h.address+"/bench/launched", "--output", "json")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "DATABRICKS_") })
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST=http://"+listener.Addr().String(), "DATABRICKS_TOKEN="+workspace.Token(), "DATABRICKS_CONFIG_FILE="+os.DevNull)
	said := &strings.Builder{}
	cmd.Stderr = said
	out, failed := cmd.Output()
	var r report.Report
	if broken := json.Unmarshal(out, &r); broken != nil || failed != nil {
		return 0, 0, 0, fmt.Errorf("hallmark run %s: %s: %w: %s", g.context, r.Headline, errors.Join(failed, broken), said)
	}
	for _, s := range r.Steps {
		if s.Name == "launch" {
			step = s.Elapsed
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return step, machine.took(), requests, nil
}

// prompt is a machine that starts and runs nothing: it lets time pass, and says how much.
type prompt struct {
	pending, command time.Duration

	mu     sync.Mutex
	waited time.Duration
}

func (p *prompt) pass(d time.Duration) {
	begun := time.Now()
	time.Sleep(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited += time.Since(begun)
}

func (p *prompt) took() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waited
}

func (p *prompt) Start(context.Context, emulator.Launch, func(emulator.Progress)) (emulator.Node, error) {
	p.pass(p.pending)
	return &promptNode{p, make(chan struct{})}, nil
}

type promptNode struct {
	*prompt
	gone chan struct{}
}

func (n *promptNode) Session(string) emulator.Session           { return promptSession{n.prompt} }
func (n *promptNode) Put(context.Context, string, []byte) error { return nil }
func (n *promptNode) Gone() <-chan struct{}                     { return n.gone }
func (n *promptNode) Why() string                               { return "" }
func (n *promptNode) Logs() emulator.Logs                       { return emulator.Logs{} }
func (n *promptNode) Stop(context.Context) error                { return nil }

type promptSession struct{ *prompt }

func (s promptSession) Able(string) error           { return nil }
func (s promptSession) Close(context.Context) error { return nil }

// Run answers what the probes want to hear.
func (s promptSession) Run(_ context.Context, language, code string) (emulator.Answer, error) {
	s.pass(s.command)
	switch {
	case language == "sql":
		return emulator.Answer{Kind: "table", Rows: [][]any{{100}}, Schema: []emulator.Column{{Name: "100", Type: `"integer"`}}}, nil
	case strings.Contains(code, "hallmark_run"):
		return emulator.Answer{Kind: "text", Text: "\nhallmark: exit code 0\n"}, nil
	}
	return emulator.Answer{Kind: "text", Text: "100\n"}, nil
}

func launchTable(to *strings.Builder, all []launched) {
	fmt.Fprintf(to, "\n| a launch with four probes in | own side, median | range | with what the workspace took | requests | wanted |\n|---|---|---|---|---|---|\n")
	for _, l := range all {
		own, whole := slices.Clone(l.own), slices.Clone(l.whole)
		slices.Sort(own)
		slices.Sort(whole)
		fmt.Fprintf(to, "| %s | **%.2f s** | %.2f to %.2f | %.2f s | %d | %g s |\n", l.name, own[len(own)/2].Seconds(), own[0].Seconds(), own[len(own)-1].Seconds(),
			whole[len(whole)/2].Seconds(), slices.Max(l.requests), wantedLaunch.Seconds())
	}
}
