package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// A hallmark.yaml demands what it asks for of evidence about its own image, and of nothing else.
func TestDemands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	yaml := `image: registry.example.com/platform/spark
check: {packs: [base, spark]}
scan: {fail_on: medium, fixable_only: false}
launch:
  - {profile: spark, probes: [{spark-pi: 20}, {python: print(1)}, {python: print(2)}, {run: [bin/spark-submit, --version]}]}
  - {profile: service, probes: [{http: {port: 8080}}]}
`
	if err := os.WriteFile(filepath.Join(dir, "hallmark.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	load := func(dir string, sets ...string) *config.Config {
		cfg, err := config.Load(dir, nil, sets)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	all := map[string]any{
		"packs": []any{"base", "spark"}, "scan_fail_on": "medium", "scan_unfixable": true, "scan_secrets": true,
		"launches": []any{"sandbox/spark", "sandbox/service"},
		"probes": []any{
			"sandbox/spark spark-pi 20", "sandbox/spark python", "sandbox/spark python", "sandbox/spark run bin/spark-submit --version",
			"sandbox/service http :8080/",
		},
	}
	const own, other = "registry.example.com/platform/spark", "registry.example.com/platform/flink"
	for name, c := range map[string]struct {
		cfg        *config.Config
		repository string
		want       map[string]any
	}{
		"its own image":    {load(dir), own, all},
		"another image":    {load(dir), other, map[string]any{}},
		"no hallmark.yaml": {load(t.TempDir(), "image="+own), own, map[string]any{}},
		"kinds that are not required": {
			load(dir, "promote.require=[signature,check]"), own, map[string]any{"packs": []any{"base", "spark"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &surroundings{cfg: c.cfg, repository: repositoryOf(c.cfg.Image)}
			got, err := s.demands(subject.Subject{Repository: c.repository}, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if got["max_age"] != "1h0m0s" {
				t.Errorf("evidence may be %v old", got["max_age"])
			}
			for _, usual := range []string{"require", "max_age", "max_age_vulnerabilities", "max_age_database"} {
				delete(got, usual)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("demands (-want +got):\n%s", diff)
			}
		})
	}
	missing := &surroundings{cfg: load(dir, "check.packs=[./no-such-pack]"), repository: own}
	if _, err := missing.demands(subject.Subject{Repository: own}, 0); !errors.Is(err, verdict.ErrUsage) {
		t.Errorf("a pack that is not there gives %v", err)
	}
}
