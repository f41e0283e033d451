//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// verify calls the program's own verification of a reference, and wants an exit code of it.
func verify(t *testing.T, h home, ref string, code int, more ...string) report.Verification {
	t.Helper()
	o := h.call(t, append([]string{"verify", "--key", keyFiles + ".pub", ref}, more...)...)
	var v report.Verification
	if o.code != code {
		t.Fatalf("verify %s ends with %d, want %d: %s\n%s", ref, o.code, code, o.said, o.stdout)
	}
	if err := json.Unmarshal(o.stdout, &v); err != nil && code <= 1 {
		t.Fatalf("verify %s: %v\n%s", ref, err, o.stdout)
	}
	return v
}

// kindsOf is which kinds of evidence a verification found, in order, each with its count.
func kindsOf(v report.Verification) string {
	count := map[string]int{}
	for _, e := range v.Evidence {
		count[e.Kind]++
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("%s×%d", kind, count[kind]))
	}
	return strings.Join(all, " ")
}

// kinds verifies what a run left under its golden tag.
func kinds(t *testing.T, h home, o outcome) string {
	t.Helper()
	return kindsOf(verify(t, h, o.report.Golden[0].Ref, 0))
}
