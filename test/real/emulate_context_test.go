//go:build real

package real

import (
	"context"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

// executionContext is one, with the language that its commands are in.
type executionContext struct {
	w           *workspace
	cluster, id string
	language    compute.Language
}

func (c executionContext) run(t *testing.T, code string) (*compute.Results, error) {
	t.Helper()
	wait, err := c.w.commands.Execute(t.Context(), compute.Command{ClusterId: c.cluster, ContextId: c.id, Language: c.language, Command: code})
	if err != nil {
		return nil, err
	}
	done, err := wait.Get()
	if err != nil {
		return nil, err
	}
	return done.Results, nil
}

func (c executionContext) destroy(t *testing.T) error {
	t.Helper()
	return c.w.commands.Destroy(t.Context(), compute.DestroyContext{ClusterId: c.cluster, ContextId: c.id})
}

// cancel puts a command that would go on for long, and cancels it once it runs.
func (c executionContext) cancel(t *testing.T, code string) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	put, err := c.w.commands.Execute(ctx, compute.Command{ClusterId: c.cluster, ContextId: c.id, Language: c.language, Command: code})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // it is to be under way, its jobs too
	if _, err := c.w.commands.Cancel(ctx, compute.CancelCommand{ClusterId: c.cluster, ContextId: c.id, CommandId: put.CommandId}); err != nil {
		t.Fatal(err)
	}
	for {
		got, err := c.w.commands.CommandStatus(ctx, compute.CommandStatusRequest{ClusterId: c.cluster, ContextId: c.id, CommandId: put.CommandId})
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		if got.Status == compute.CommandStatusCancelled {
			t.Logf("%-7s %5.1fs until it was cancelled: %s", c.language, time.Since(began).Seconds(), code)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
