package ci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// buildKite folds its log at headings, and does the rest through the agent, where that is at hand: annotations, meta-data,
// and a redactor that learns secrets without their being written to the log.
type buildKite struct {
	plain
	agent func(input string, args ...string) error
	err   error
}

func newBuildkite(guard *Guard) *buildKite {
	return &buildKite{plain: plain{guard: guard}, agent: buildkiteAgent}
}

// Buildkite's limit of an annotation is 1 MiB; agentWait bounds one call of the agent.
const (
	buildkiteAnnotation = 1<<20 - 4
	agentWait           = 30 * time.Second
)

// buildkiteAgent runs the agent's program. What it is given may be secret or long: it goes through standard input.
func buildkiteAgent(input string, args ...string) error {
	path, err := exec.LookPath("buildkite-agent")
	if err != nil {
		return nil //nolint:nilerr // in containers there often is none: the report files say the same
	}
	ctx, cancel := context.WithTimeout(context.Background(), agentWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(input)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("buildkite-agent %s: %w: %s", args[0], err, foreign.Short(string(said), 200))
	}
	return nil
}

func (b *buildKite) call(input string, args ...string) {
	if err := b.agent(input, args...); err != nil {
		b.err = errors.Join(b.err, err)
	}
}

func (b *buildKite) Log() io.Writer { return b.guard }

func (b *buildKite) Open(_, title string) {
	b.guard.command("--- " + oneLine(title, 200) + "\n")
}

// Mask tells the agent, and nobody else.
func (b *buildKite) Mask(value string) { b.call(value, "redactor", "add") }

func (b *buildKite) Output(name, value string) {
	if text := strings.Join(foreign.Lines(value), ","); text != "" {
		b.call(text, "meta-data", "set", "hallmark-"+name)
	}
}

// Summary is an annotation on the build's page; its style says how the run ended, which the Markdown does too.
func (b *buildKite) Summary(markdown string) {
	style := "success"
	if !strings.HasPrefix(markdown, "## ✅") {
		style = "error"
	}
	b.call(foreign.Bound(secret.Redact(markdown), buildkiteAnnotation), "annotate", "--style", style, "--context", "hallmark")
}

func (b *buildKite) Err() error { return errors.Join(b.guard.Flush(), b.err) }
