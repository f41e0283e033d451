package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// chain is what a pipeline calls today, one command after the other. Its daemons run before the clock does.
//
//	push    BuildKit pushes the image itself, trivy reads it from the registry
//	layout  BuildKit writes an OCI layout, trivy reads that, crane pushes it
type chain struct {
	settings  settings
	given     *given
	kind      string
	registry  *daemon
	buildkitd *daemon
	address   string
	staged    int
}

func (c *chain) name() string { return "chain, " + c.kind }

func (c *chain) folder(parts ...string) string {
	return filepath.Join(append([]string{c.settings.work, "chain-" + c.kind}, parts...)...)
}

func (c *chain) tool(name string) string { return filepath.Join(c.settings.peers, name) }

func (c *chain) socket() string { return "unix://" + c.folder("buildkitd.sock") }

func (c *chain) forget(ctx context.Context) error {
	c.close()
	if err := discard(c.settings, c.folder()); err != nil {
		return err
	}
	if err := os.MkdirAll(c.folder("predicates"), 0o755); err != nil {
		return err
	}
	if err := databases(c.given.database, c.folder("trivy")); err != nil {
		return err
	}
	var err error
	if c.registry, c.address, err = serveRegistry(ctx, c.settings, c.folder("registry")); err != nil {
		return err
	}
	// As Hallmark's engine is set: the host's network for build steps, overlayfs, the same runc. It never collects
	// garbage, so that nothing it needs for the next scenario goes.
	cmd := exec.CommandContext(ctx, c.tool("buildkitd"), "--root", c.folder("buildkit"), "--addr", c.socket(),
		"--oci-worker-net", "host", "--oci-worker-snapshotter", "overlayfs", "--oci-worker-gc=false", "--containerd-worker=false")
	cmd.Env = append(os.Environ(), "PATH="+c.settings.peers+":"+os.Getenv("PATH")) // runc is looked for there
	if c.buildkitd, err = launch(ctx, c.folder("buildkitd.log"), cmd); err != nil {
		return err
	}
	return c.buildkitd.ready(ctx, func() error {
		return exec.CommandContext(ctx, c.tool("buildctl"), "--addr", c.socket(), "debug", "workers").Run()
	})
}

func (c *chain) close() {
	c.buildkitd.stop()
	c.registry.stop()
}

// walk runs commands until one fails, and keeps the time.
type walk struct {
	ctx   context.Context
	chain *chain
	steps []step
	err   error
}

func (w *walk) call(name, tool string, args ...string) {
	if w.err != nil {
		return
	}
	cmd := exec.CommandContext(w.ctx, w.chain.tool(tool), args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(os.Environ(), "HOME="+w.chain.folder(), "TRIVY_CACHE_DIR="+w.chain.folder("trivy"), "COSIGN_YES=true",
		"TRIVY_DISABLE_TELEMETRY=true", "TRIVY_SKIP_VERSION_CHECK=true", "DO_NOT_TRACK=1", "COSIGN_PASSWORD="+password(w.chain.given.password))
	started := time.Now()
	if err := cmd.Run(); err != nil {
		w.err = fmt.Errorf("%s %s: %w\n%s", tool, strings.Join(args, " "), err, tail(said.Bytes()))
	}
	w.steps = append(w.steps, step{name, time.Since(started)})
	if tool == "buildctl" {
		w.err = firstOf(w.err, os.WriteFile(w.chain.folder("build.jsonl"), said.Bytes(), 0o644))
	}
}

func (c *chain) run(ctx context.Context) (measured, error) {
	c.staged++
	repository := c.address + "/bench/image"
	staging := fmt.Sprintf("%s:staging-%d", repository, c.staged)
	metadata, layout := c.folder("metadata.json"), c.folder("layout")
	scan, bill, known := c.folder("scan.json"), c.folder("predicates", "bill.json"), c.folder("predicates", "vulnerabilities.json")

	w := &walk{ctx: ctx, chain: c}
	started := time.Now()
	if c.kind == "push" {
		w.call("build", "buildctl", c.buildArgs("type=image,oci-mediatypes=true,push=true,registry.insecure=true,name="+staging)...)
		w.call("scan", "trivy", scanArgs(scan, "--image-src", "remote", "--insecure", staging)...)
	} else {
		w.call("build", "buildctl", c.buildArgs("type=oci,tar=false,dest="+layout)...)
		w.call("scan", "trivy", scanArgs(scan, "--input", layout)...)
	}
	w.call("bill", "trivy", "convert", "--quiet", "--format", "cyclonedx", "--output", bill, scan)
	w.call("vulns", "trivy", "convert", "--quiet", "--format", "cosign-vuln", "--output", known, scan)
	if c.kind == "layout" {
		w.call("push", "crane", "push", "--insecure", layout, staging)
	}
	digest := c.digest(metadata, &w.err)
	image := repository + "@" + digest
	w.call("sign", "cosign", "sign", "--key", c.given.key, "--tlog-upload=false", image)
	for _, statement := range [][2]string{
		{"cyclonedx", bill}, {"vuln", known}, {"slsaprovenance1", c.provenance(digest, &w.err)}, {"custom", c.verdict(&w.err)},
	} {
		w.call("attest", "cosign", "attest", "--key", c.given.key, "--tlog-upload=false", "--replace", "--type", statement[0], "--predicate", statement[1], image)
	}
	w.call("promote", "crane", "tag", "--insecure", image, "golden")
	m := measured{whole: time.Since(started), steps: joined(w.steps)}
	if w.err != nil {
		return m, w.err
	}
	var err error
	m.dockerfile, err = buildctlRuns(c.folder("build.jsonl"))
	return m, err
}

func (c *chain) buildArgs(output string) []string {
	g := c.given
	// cmdline: the frontend inside buildkitd, for none is to be fetched. It is what Hallmark uses too.
	args := []string{
		"--addr", c.socket(), "build", "--progress", "rawjson", "--frontend", "dockerfile.v0", "--opt", "cmdline=builtin",
		"--local", "context=" + g.context, "--local", "dockerfile=" + g.context, "--opt", "build-arg:SOURCE_DATE_EPOCH=" + g.epoch,
		"--metadata-file", c.folder("metadata.json"), "--output", output,
	}
	if g.mirror != "" {
		args = append(args, "--opt", "build-arg:HTTP_PROXY="+g.mirror)
	}
	for i, b := range g.bases {
		store := fmt.Sprint("base", i)
		args = append(args, "--oci-layout", store+"="+b.layout, "--opt", "context:"+b.name+"=oci-layout://"+store+"@"+b.digest)
	}
	for name, folder := range g.folders {
		args = append(args, "--local", name+"="+folder, "--opt", "context:"+name+"=local:"+name)
	}
	return args
}

// dependencies are the bases, as provenance names them.
func (c *chain) dependencies() []any {
	all := []any{}
	for _, b := range c.given.bases {
		all = append(all, map[string]any{"uri": b.name, "digest": map[string]string{"sha256": strings.TrimPrefix(b.digest, "sha256:")}})
	}
	return all
}

func scanArgs(output string, source ...string) []string {
	return append([]string{
		"image", "--quiet", "--scanners", "vuln,secret", "--skip-db-update", "--skip-java-db-update", "--offline-scan",
		"--format", "json", "--list-all-pkgs", "--output", output,
	}, source...)
}

// digest reads which image buildctl built.
func (c *chain) digest(path string, failed *error) string {
	var said struct {
		Digest string `json:"containerimage.digest"`
	}
	if body, err := os.ReadFile(path); err != nil {
		*failed = firstOf(*failed, err)
	} else {
		*failed = firstOf(*failed, json.Unmarshal(body, &said))
	}
	return said.Digest
}

// provenance and verdict are small statements as a pipeline writes them by hand; what they say is not compared.
func (c *chain) provenance(digest string, failed *error) string {
	return c.predicate("provenance.json", failed, map[string]any{
		"buildDefinition": map[string]any{
			"buildType": "https://mobyproject.org/buildkit@v1", "externalParameters": map[string]any{"frontend": "dockerfile.v0"},
			"resolvedDependencies": c.dependencies(),
		},
		"runDetails": map[string]any{"builder": map[string]any{"id": "https://example.com/builder"}, "metadata": map[string]any{"invocationId": digest}},
	})
}

func (c *chain) verdict(failed *error) string {
	return c.predicate("verdict.json", failed, map[string]any{"policy": "none", "verdict": "passed"})
}

func (c *chain) predicate(name string, failed *error, content any) string {
	path := c.folder("predicates", name)
	body, err := json.Marshal(content)
	*failed = firstOf(*failed, err, os.WriteFile(path, body, 0o644))
	return path
}

// joined adds up steps of one name that follow each other.
func joined(steps []step) []step {
	var all []step
	for _, s := range steps {
		if n := len(all); n > 0 && all[n-1].name == s.name {
			all[n-1].took += s.took
			continue
		}
		all = append(all, s)
	}
	return all
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func password(path string) string {
	body, _ := os.ReadFile(path) // cosign says what is wrong with an empty one
	return strings.TrimSpace(string(body))
}

// buildctlRuns is for how long a RUN was at work, out of buildctl's raw progress.
func buildctlRuns(path string) (time.Duration, error) {
	type vertex struct {
		Digest, Name       string
		Started, Completed *time.Time
		Cached             bool
	}
	last := map[string]vertex{}
	err := eachLine(path, func(line []byte) {
		var update struct{ Vertexes []vertex }
		if json.Unmarshal(line, &update) != nil {
			return
		}
		for _, v := range update.Vertexes {
			if strings.Contains(v.Name, "] RUN ") {
				last[v.Digest] = v
			}
		}
	})
	var spans spans
	for _, v := range last {
		if v.Started != nil && v.Completed != nil && !v.Cached {
			spans.add(*v.Started, *v.Completed)
		}
	}
	return spans.covered(), err
}
