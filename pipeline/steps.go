package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The steps of the sentence, in its order.
const (
	stepBuild   = "build"
	stepCheck   = "check"
	stepScan    = "scan"
	stepUpload  = "upload"
	stepStage   = "stage"
	stepLaunch  = "launch"
	stepPromote = "promote"
)

var sentence = []string{stepBuild, stepCheck, stepScan, stepUpload, stepStage, stepLaunch, stepPromote}

// ledger writes down what became of each step. Steps may run at the same time.
type ledger struct {
	mu    sync.Mutex
	steps []report.Step
}

func newLedger() *ledger {
	l := &ledger{}
	for _, name := range sentence {
		l.steps = append(l.steps, report.Step{Name: name, State: report.NotReached})
	}
	return l
}

// outcome is what a step says of itself when it is through.
type outcome struct {
	detail  string // what it made, in a few words
	skipped string // why it need not be done; empty: it was done
}

// do runs one step: shown live, timed, and written down with its verdict.
func (l *ledger) do(ctx context.Context, name string, work func(context.Context) (outcome, error)) error {
	ctx, task := progress.Start(ctx, "%s", name)
	started := time.Now()
	result, err := work(ctx)

	step := report.Step{Name: name, State: report.Done, Verdict: verdict.Pass, Started: started, Elapsed: time.Since(started), Detail: result.detail}
	switch {
	case err != nil:
		step.State, step.Verdict, step.Reason = report.Failed, verdict.OfError(err), err.Error()
		if known := (*verdict.Error)(nil); errors.As(err, &known) {
			step.Remedy = known.Remedy
		}
		task.End(err)
	case result.skipped != "":
		step.State, step.Reason = report.Skipped, result.skipped
		task.Skip("%s", result.skipped)
	default:
		task.End(nil)
	}
	l.write(step)
	return err
}

func (l *ledger) write(step report.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.steps, func(s report.Step) bool { return s.Name == step.Name })
	l.steps[i] = step
}

// all returns the steps as they stand; nothing of a step that never ran is made up.
func (l *ledger) all() []report.Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.steps)
}
