package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestExamplesAreTaken reads every configuration that people are shown: those of the examples, also the ones that no test can
// launch, and the blocks of the docs.
func TestExamplesAreTaken(t *testing.T) {
	t.Parallel()
	shown := map[string][]byte{}
	for _, pattern := range []string{"../../examples/*/hallmark*.yaml", "../../examples/*/*/hallmark*.yaml", "../../test/real/corpus/image/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			shown[file] = body
		}
	}
	inWorkspaces := 0
	for file, body := range shown {
		cfg, err := parse(body, filepath.Base(file), "/project/"+Name, "/project", nil, nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if slices.ContainsFunc(cfg.Launch, func(l Launch) bool { return l.Target == workspaceTarget }) {
			inWorkspaces++
		}
	}
	if inWorkspaces < 5 {
		t.Errorf("only %d of the examples launch in a workspace", inWorkspaces)
	}
}

// TestBlocksOfTheDocsAreTaken reads the blocks of the docs and the README that are configurations, or parts of one.
func TestBlocksOfTheDocsAreTaken(t *testing.T) {
	t.Parallel()
	pages, _ := filepath.Glob("../../docs/*.md")
	var fields []string
	for _, f := range root().fields {
		fields = append(fields, f.key)
	}
	read := 0
	for _, page := range append(pages, "../../README.md") {
		body, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(body), "\n```yaml\n")
		for _, block := range blocks[1:] {
			block, _, closed := strings.Cut(block, "\n```")
			var top map[string]any
			if !closed || yaml.Unmarshal([]byte(block), &top) != nil {
				continue // of another language that YAML is
			}
			ours := len(top) > 0
			for key := range top {
				ours = ours && slices.Contains(fields, key)
			}
			if !ours {
				continue // a CI system's
			}
			read++
			if _, err := parse([]byte(block+"\n"), Name, "/project/"+Name, "/project", nil, nil); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, block)
			}
		}
	}
	if read < 8 {
		t.Errorf("only %d blocks were read", read)
	}
}
