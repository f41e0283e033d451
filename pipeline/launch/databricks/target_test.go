package databricks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestMain gives the SDK the token as people do, and nothing else of this machine's.
func TestMain(m *testing.M) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "DATABRICKS_") || strings.HasPrefix(name, "ARM_") || strings.HasPrefix(name, "GOOGLE_") {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("DATABRICKS_TOKEN", testToken)
	_ = os.Setenv("DATABRICKS_RATE_LIMIT", "1000") // the SDK's own; tests do not sleep between requests
	folder, err := os.MkdirTemp("", "databricks-test-")
	if err != nil {
		panic(err)
	}
	profiles.path = filepath.Join(folder, "databrickscfg")
	_ = os.Setenv("DATABRICKS_CONFIG_FILE", profiles.path)
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func run(t *testing.T, o Options, spec launch.Spec) *launch.Result {
	t.Helper()
	target, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := target.Run(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestLaunchPasses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.commands = func(language, code string) result { return result{kind: "text", data: "100\n", polls: 2} }
	result := run(t, s.options(), testSpec(python("print(spark.range(100).count())", "100")))
	if result.Verdict != verdict.Pass {
		t.Fatalf("%s: %s", result.Verdict, result.Reason)
	}
	if left := s.left(); len(left) != 0 || len(s.deleted) != 1 {
		t.Errorf("clusters are left: %v; deleted: %v", left, s.deleted)
	}
	if result.Runtime != "Databricks Runtime 16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12) on m5d.large" {
		t.Errorf("runtime %q", result.Runtime)
	}
	for _, c := range s.contexts {
		if !c.gone {
			t.Error("a context was not given up")
		}
	}
}
