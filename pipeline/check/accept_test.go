package check_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestAssign holds how parameters that stand on a command line find their packs, and their types.
func TestAssign(t *testing.T) {
	t.Parallel()
	packs := load(t, "base", "spark", "databricks", "databricks-gpu")
	for _, c := range []struct {
		path, text string
		want       map[string]map[string]any
		refused    string
	}{
		{"runtime", "16.4", map[string]map[string]any{"databricks": {"runtime": "16.4"}, "databricks-gpu": {"runtime": "16.4"}}, ""},
		{"databricks.runtime", "16.4", map[string]map[string]any{"databricks": {"runtime": "16.4"}}, ""},
		{"databricks-gpu.runtime", "9.10", map[string]map[string]any{"databricks-gpu": {"runtime": "9.10"}}, ""},
		{"spark.java", "8, 17,", map[string]map[string]any{"spark": {"java": []any{int64(8), int64(17)}}}, ""},
		{"databricks.java", "17", map[string]map[string]any{"databricks": {"java": int64(17)}}, ""},
		{"parts", "python,ssh", map[string]map[string]any{"databricks": {"parts": []any{"python", "ssh"}}}, ""},
		{"parts", "", map[string]map[string]any{"databricks": {"parts": []any{}}}, ""},
		{"driver_nfs", "false", map[string]map[string]any{"databricks": {"driver_nfs": false}}, ""},
		{"spark.fail_on", "high", map[string]map[string]any{"spark": {"fail_on": "high"}}, ""},
		{"driver_nfs", "off", nil, `the parameter driver_nfs of the pack databricks: "off" is neither true nor false`},
		{"databricks.java", "x", nil, `"x" is not a whole number`},
		{"spark.java", "8,x", nil, `"x" is not a whole number`},
		{"runtme", "16.4", nil, `has a parameter runtme. Did you mean "runtime"?`},
		{"databricks.jva", "8", nil, `has a parameter databricks.jva. Did you mean "java"?`},
		{"databriks.java", "8", nil, `no pack that is asked is called databriks. Did you mean "databricks"?`},
		{"scna.fail_on", "high", nil, "scna.fail_on is neither a field of hallmark.yaml nor a parameter"},
		{"\x1b[2J", "", nil, `\u001b`},
	} {
		params := map[string]map[string]any{}
		err := check.Assign(params, packs, c.path, c.text)
		if c.refused != "" {
			if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%s=%s: %v, want %q", c.path, c.text, err, c.refused)
			}
			continue
		}
		if diff := cmp.Diff(c.want, params); err != nil || diff != "" {
			t.Errorf("%s=%s: %v -want +got:\n%s", c.path, c.text, err, diff)
		}
	}
}

// TestInherited holds that a pack takes another's parameter where it was given none itself, and that this shows in the
// digest of what the verdict depends on.
func TestInherited(t *testing.T) {
	t.Parallel()
	both := load(t, "databricks", "databricks-gpu")
	digest := func(params map[string]map[string]any) string {
		t.Helper()
		sum, err := check.Inputs(check.Input{Now: now, Params: params}, both, nil)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	one := map[string]map[string]any{"databricks": {"runtime": "16.4"}}
	same := map[string]map[string]any{"databricks": {"runtime": "16.4"}, "databricks-gpu": {"runtime": "16.4"}}
	other := map[string]map[string]any{"databricks": {"runtime": "16.4"}, "databricks-gpu": {"runtime": "15.4"}}
	if digest(one) != digest(same) || digest(one) == digest(other) {
		t.Error("what the pack takes over is not what its verdict depends on")
	}
	if len(one) != 1 {
		t.Errorf("the caller's parameters were changed: %v", one)
	}
	if err := check.Accept(t.Context(), both[1:], one); !errors.Is(err, verdict.ErrUsage) {
		t.Errorf("a pack that is not asked gave its parameter: %v", err)
	}
}

func TestDemanding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, body := range map[string]string{
		"pack.yaml":  "name: house\nversion: 1.0.0\ntitle: x\n",
		"house.rego": "package hallmark.house\n\nrefuse contains \"no\" if input.params.fail_on == \"low\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := check.Demanding("", "base", "databricks", "spark", dir, "databricks-gpu")
	if err != nil || !slices.Equal(got, []string{"databricks", dir, "databricks-gpu"}) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := check.Demanding("", "databriks"); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), `Did you mean "databricks"?`) {
		t.Errorf("%v", err)
	}
}

const houseRule = `package hallmark.my_house

# METADATA
# title: x
# custom: {severity: low, remedy: y., source: z, effective: 2025-01-01}
deny.nothing contains "x" if input.facts.os.id == input.params.colour

`

// TestRefusals holds what a pack's author may write as refuse, and what happens where it is something else.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, want string }{
		{`refuse contains sprintf("not %s", [input.params.colour]) if input.params.colour == "red"`, "the pack my-house: not red"},
		{`refuse contains "blue only" if input.params.colour != "red"`, ""},
		{`refuse := "red"`, "a rule refuse that is no set of texts"},
		{`refuse contains "x" if to_number(input.params.colour) == 1`, "stumbled over these facts"},
	} {
		pack, err := check.LoadFS(fstest.MapFS{
			"pack.yaml": {Data: []byte("name: my-house\nversion: 1.0.0\ntitle: x\nparams: {colour: {type: string, required: true, example: blue, doc: x}}\n")},
			"a.rego":    {Data: []byte(houseRule + c.rule + "\n")},
		}, "my-house")
		if err != nil {
			t.Fatal(err)
		}
		err = check.Accept(t.Context(), []*check.Pack{pack}, map[string]map[string]any{"my-house": {"colour": "red"}})
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.rule, err, c.want)
		}
	}
}
