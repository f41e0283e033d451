package check

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// TestTimeout bounds one Rego test.
const TestTimeout = 5 * time.Second

// TestReport is the outcome of a pack's own tests.
type TestReport struct {
	Tests []TestResult
	// Untested are ids of rules that no test names: a rule x is tested by test_x_… that sees it speak and one that
	// sees it silent.
	Untested []string
	// Uncovered are "file:line" of rule text that no test reaches.
	Uncovered []string
}

// TestResult is the outcome of one Rego test.
type TestResult struct {
	Name    string // test_tini_denies_image_without_it
	File    string
	Line    int
	Passed  bool
	Message string // why it did not pass, or what it printed
	Elapsed time.Duration
}

// Passed says whether every test passed and every rule has one.
func (r TestReport) Passed() bool {
	return len(r.Untested) == 0 && !slices.ContainsFunc(r.Tests, func(t TestResult) bool { return !t.Passed })
}

// Test runs the tests of the pack, test_… rules in its *_test.rego files, with OPA's own tester. Tests see the rules as
// images do: the same data, the same functions withheld. The error says what keeps tests from running at all.
func Test(ctx context.Context, p *Pack) (TestReport, error) {
	helpers, err := shared()
	if err != nil {
		return TestReport{}, err
	}
	everything := func(name string) bool { return isRule(name) || isTest(name) }
	modules, err := p.source.parse(everything)
	if err != nil {
		return TestReport{}, err
	}
	if err := p.source.checkPackages(p.Name, modules); err != nil {
		return TestReport{}, err
	}
	own := maps.Clone(modules)
	common, err := p.helpers(helpers, everything)
	if err != nil {
		return TestReport{}, err
	}
	for name, m := range common {
		modules[modulePrefix+name] = m
	}
	report, err := p.runTests(ctx, modules, own)
	if err != nil {
		return TestReport{}, err
	}
	for _, rule := range p.Rules {
		if !report.tests(rule.Name()) {
			report.Untested = append(report.Untested, rule.ID)
		}
	}
	return report, nil
}

func (p *Pack) runTests(ctx context.Context, modules, own map[string]*ast.Module) (TestReport, error) {
	var report TestReport
	store := p.store()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return report, fmt.Errorf("opening the data of the pack %s: %w", p.Name, err)
	}
	defer store.Abort(ctx, txn)
	covered := cover.New()
	runner := tester.NewRunner().
		SetCompiler(newCompiler(p.schema).WithEnablePrintStatements(true)).
		SetStore(store).
		SetModules(modules).
		SetTimeout(TestTimeout).
		RaiseBuiltinErrors(true).
		CapturePrintOutput(true).
		SetCoverageQueryTracer(covered).
		SetPrefixMatchers(ast.MustParseRef(fmt.Sprintf("data.%s.%s%s", packagePrefix, identifier(p.Name), testSuffix)))
	outcomes, err := runner.RunTests(ctx, txn)
	if err != nil {
		return report, p.source.ofOPA(err)
	}
	failed := false
	for outcome := range outcomes {
		result := testResult(outcome)
		failed = failed || !result.Passed
		report.Tests = append(report.Tests, result)
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name))
	})
	report.Uncovered = uncovered(covered, own)
	if failed {
		p.explain(ctx, report.Tests, modules)
	}
	return report, nil
}

// explain runs failed tests once more under a tracer, which is slow, to say which of their expressions did not hold. Where
// that cannot be found out, the test's name must do.
func (p *Pack) explain(ctx context.Context, tests []TestResult, modules map[string]*ast.Module) {
	compiler := newCompiler(p.schema).WithEnablePrintStatements(true)
	if compiler.Compile(modules); compiler.Failed() {
		return
	}
	for i := range tests {
		if tests[i].Passed || tests[i].Message != "" {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, TestTimeout)
		trace := topdown.NewBufferTracer()
		query := rego.New(
			rego.Query(fmt.Sprintf("data.%s.%s%s.%s", packagePrefix, identifier(p.Name), testSuffix, tests[i].Name)),
			rego.Compiler(compiler), rego.Store(p.store()), rego.QueryTracer(trace),
		)
		_, err := query.Eval(limited)
		cancel()
		for _, event := range slices.Backward(*trace) {
			if err == nil && event.Op == topdown.FailOp && event.Location != nil && event.Location.File == tests[i].File {
				tests[i].Message = fmt.Sprintf("line %d does not hold: %s", event.Location.Row, event.Location.Text)
				break
			}
		}
	}
}

func testResult(r *tester.Result) TestResult {
	t := TestResult{Name: r.Name, Passed: r.Pass(), Elapsed: r.Duration, Message: strings.TrimSpace(foreign.Spelled(string(r.Output)))}
	if r.Location != nil {
		t.File, t.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Error != nil:
		t.Message = strings.TrimSpace(r.Error.Error() + "\n" + t.Message)
	case r.Skip:
		t.Message = "it is marked as to do"
	}
	return t
}

// tests says whether the report holds a test in which the rule speaks and one in which it is silent, by their names.
func (r TestReport) tests(rule string) bool {
	named := func(what string) bool {
		return slices.ContainsFunc(r.Tests, func(t TestResult) bool { return strings.HasPrefix(t.Name, "test_"+rule+what) })
	}
	return named("_denies_") && named("_allows_")
}

// uncovered lists the lines of rules that no test reached.
func uncovered(covered *cover.Cover, own map[string]*ast.Module) []string {
	report := covered.Report(own)
	var out []string
	for _, file := range slices.Sorted(maps.Keys(own)) {
		if isTest(file) || report.Files[file] == nil {
			continue
		}
		for _, r := range report.Files[file].NotCovered {
			for line := r.Start.Row; line <= r.End.Row; line++ {
				out = append(out, fmt.Sprintf("%s:%d", file, line))
			}
		}
	}
	return out
}
