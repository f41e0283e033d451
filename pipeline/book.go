package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The steps of the sentence, in its order.
const (
	stepBuild   = "build"
	stepRead    = "read"
	stepCheck   = "check"
	stepScan    = "scan"
	stepUpload  = "upload"
	stepStage   = "stage"
	stepLaunch  = "launch"
	stepPromote = "promote"
)

var sentence = []string{stepBuild, stepRead, stepCheck, stepScan, stepUpload, stepStage, stepLaunch, stepPromote}

// book writes down what the steps did and found, for the report. Steps write to it and never read from it: what a
// step needs, it is given. Steps may run at the same time.
type book struct {
	mu     sync.Mutex
	report report.Report
	tasks  map[uint64]report.Timing
	skips  map[string]string // step -> why it is left out
}

func newBook(skips map[string]string) *book {
	b := &book{tasks: map[uint64]report.Timing{}, skips: skips}
	for _, name := range sentence {
		b.report.Steps = append(b.report.Steps, report.Step{Name: name, State: report.NotReached})
	}
	return b
}

// write changes the report under its lock.
func (b *book) write(change func(*report.Report)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.report)
}

// note adds a sentence that people should not miss.
func (b *book) note(text string) {
	b.write(func(r *report.Report) {
		if !slices.Contains(r.Notes, text) {
			r.Notes = append(r.Notes, text)
		}
	})
}

// outcome is what a step says of itself when it is through.
type outcome struct {
	detail  string // what it made, in a few words
	skipped string // why it need not be done; empty: it was done
}

func did(format string, args ...any) outcome { return outcome{detail: fmt.Sprintf(format, args...)} }

func skip(format string, args ...any) outcome { return outcome{skipped: fmt.Sprintf(format, args...)} }

// step does one step of the sentence: shown live, timed, and written down with its verdict.
func (b *book) step(ctx context.Context, name string, work func(context.Context) (outcome, error)) error {
	ctx, task := progress.Start(ctx, "%s", name)
	started := time.Now()
	if reason := b.skips[name]; reason != "" {
		work = func(context.Context) (outcome, error) { return skip("%s", reason), nil }
	}
	result, err := work(ctx)

	step := report.Step{Name: name, State: report.Done, Verdict: verdict.Pass, Started: started, Elapsed: time.Since(started), Detail: result.detail}
	switch {
	case err != nil:
		step.State, step.Verdict = report.Failed, verdict.OfError(err)
		shown := worded(ctx, err)
		step.Reason, step.Output = headed(shown)
		// A gate's remedies stand with its findings.
		if known := (*verdict.Error)(nil); errors.As(shown, &known) && !errors.As(shown, &stopped{}) {
			step.Remedy = known.Remedy
		}
		task.End(shown)
	case result.skipped != "":
		step.State, step.Reason = report.Skipped, result.skipped
		task.Skip("%s", result.skipped)
	default:
		task.End(nil)
	}
	b.write(func(r *report.Report) {
		i := slices.IndexFunc(r.Steps, func(s report.Step) bool { return s.Name == name })
		r.Steps[i] = step
	})
	return err
}

// errCutShort is how a step ends that is stopped from outside, by a person or by another step.
var errCutShort = errors.New("cut short")

// worded is an error as people read it below the name of its step: libraries have many words for being cut short, and
// the mark of a usage error is for the exit code.
func worded(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) || ctx.Err() != nil:
		return errCutShort
	}
	if text := verdict.Plain(err); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// headed splits the text of an error into its first line and those below it, the step's own source and last words; the
// remedy that may stand at their end is told by itself.
func headed(err error) (head, below string) {
	head, below, _ = strings.Cut(err.Error(), "\n")
	if known := (*verdict.Error)(nil); below != "" && errors.As(err, &known) {
		below = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(below, ".\n"), known.Remedy), "\n")
	}
	return head, below
}

// Event takes the times of tasks below the steps, for the report's timeline.
func (b *book) Event(event progress.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event.Kind {
	case progress.Started:
		if event.Parent != 0 {
			b.tasks[event.Task] = report.Timing{Step: event.Step, Name: event.Name, Started: event.Time}
		}
	case progress.Ended:
		timing, known := b.tasks[event.Task]
		if !known || len(b.report.Timings) >= maxTimings {
			return
		}
		delete(b.tasks, event.Task)
		timing.Elapsed, timing.Cached, timing.Error = event.Elapsed, event.Cached, event.Err
		b.report.Timings = append(b.report.Timings, timing)
	}
}

// maxTimings bounds the timeline: beyond it nobody looks.
const maxTimings = 500
