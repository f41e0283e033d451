package emulator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"
)

// running is a cluster that runs, with an execution context.
func (b *bench) running(language compute.Language) (id string, in *compute.ContextStatusResponse) {
	b.t.Helper()
	id = b.create(one())
	b.reach(id, "RUNNING")
	wait, err := b.commands.Create(b.t.Context(), compute.CreateContext{ClusterId: id, Language: language})
	if err != nil {
		b.t.Fatal(err)
	}
	in, err = wait.Get()
	if err != nil {
		b.t.Fatal(err)
	}
	return id, in
}

// run runs a command to its end.
func (b *bench) run(id, in string, language compute.Language, code string) *compute.CommandStatusResponse {
	b.t.Helper()
	wait, err := b.commands.Execute(b.t.Context(), compute.Command{ClusterId: id, ContextId: in, Language: language, Command: code})
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := wait.Get()
	if err != nil {
		b.t.Fatalf("%s: %v", code, err)
	}
	return got
}

func TestCommandsKeepTheirState(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id, in := b.running(compute.LanguagePython)
	if got := b.run(id, in.Id, compute.LanguagePython, "set x 42"); got.Status != compute.CommandStatusFinished || got.Results.ResultType != compute.ResultTypeText {
		t.Errorf("got %+v", got.Results)
	}
	if got := b.run(id, in.Id, compute.LanguageScala, "get x"); got.Results.Data != "42 in scala" {
		t.Errorf("got %+v", got.Results)
	}
	got := b.run(id, in.Id, compute.LanguageSql, "table").Results
	if rows, _ := got.Data.([]any); got.ResultType != compute.ResultTypeTable || len(rows) != 1 || !got.IsJsonSchema || got.Schema[0]["name"] != "total" || got.Schema[0]["type"] != `"long"` {
		t.Errorf("a table: %+v", got)
	}
	if got := b.run(id, in.Id, compute.LanguagePython, "fail ZeroDivisionError").Results; !got.Failed() || got.Error() != "ZeroDivisionError" || !strings.Contains(got.Cause, "Traceback") {
		t.Errorf("an error: %+v", got)
	}
	if got := b.run(id, in.Id, compute.LanguagePython, "unknown").Results; !got.Failed() || !strings.Contains(got.Summary, "cannot be started") {
		t.Errorf("a machine that fails: %+v", got)
	}
	other, err := b.commands.Create(t.Context(), compute.CreateContext{ClusterId: id, Language: compute.LanguagePython})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.run(id, other.ContextId, compute.LanguagePython, "get x"); got.Results.Data != " in python" {
		t.Errorf("another context knows it: %+v", got.Results)
	}
	if err := b.commands.Destroy(t.Context(), compute.DestroyContext{ClusterId: id, ContextId: in.Id}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.commands.Execute(t.Context(), compute.Command{ClusterId: id, ContextId: in.Id, Language: compute.LanguagePython, Command: "get x"}); err == nil || !strings.Contains(err.Error(), "ContextNotFound") {
		t.Errorf("in a context that is gone: %v", err)
	}
	for range 100 {
		if _, _, closed := b.machine.counts(); closed == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the session was not closed")
}

// A context for a language that the image does not have comes to the status Error, as whoever waits for it sees.
func TestContextWithoutItsLanguage(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id, _ := b.running(compute.LanguagePython)
	made, err := b.commands.Create(t.Context(), compute.CreateContext{ClusterId: id, Language: compute.LanguageR})
	if err != nil {
		t.Fatal(err)
	}
	var seen []compute.ContextStatus
	for range 2 {
		got, err := b.commands.ContextStatus(t.Context(), compute.ContextStatusRequest{ClusterId: id, ContextId: made.Response.Id})
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, got.Status)
	}
	if fmt.Sprint(seen) != "[Pending Error]" {
		t.Errorf("statuses %v", seen)
	}
}

func TestCommandsWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id, in := b.running(compute.LanguagePython)
	slow, err := b.commands.Execute(t.Context(), compute.Command{ClusterId: id, ContextId: in.Id, Language: compute.LanguagePython, Command: "sleep"})
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for _, code := range []string{"set a 1", "set a 2", "set a 3", "get a"} {
		wait, err := b.commands.Execute(t.Context(), compute.Command{ClusterId: id, ContextId: in.Id, Language: compute.LanguagePython, Command: code})
		if err != nil {
			t.Fatal(err)
		}
		last = wait.CommandId
	}
	status := func(command string) *compute.CommandStatusResponse {
		got, err := b.commands.CommandStatus(t.Context(), compute.CommandStatusRequest{ClusterId: id, ContextId: in.Id, CommandId: command})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := status(last).Status; got != compute.CommandStatusQueued {
		t.Errorf("the last one is %s", got)
	}
	cancelled, err := b.commands.Cancel(t.Context(), compute.CancelCommand{ClusterId: id, ContextId: in.Id, CommandId: slow.CommandId})
	if err == nil {
		_, err = cancelled.Get()
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if got := status(last); got.Status == compute.CommandStatusFinished {
			if got.Results.Data != "3 in python" {
				t.Errorf("got %+v", got.Results)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the last one does not end")
}

func TestCommandsOfALostDriver(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id, in := b.running(compute.LanguagePython)
	wait, err := b.commands.Execute(t.Context(), compute.Command{ClusterId: id, ContextId: in.Id, Language: compute.LanguagePython, Command: "sleep"})
	if err != nil {
		t.Fatal(err)
	}
	b.machine.mu.Lock()
	close(b.machine.nodes[0].gone)
	b.machine.mu.Unlock()
	got, err := wait.Get()
	if err == nil && (got.Status != compute.CommandStatusError || !strings.Contains(got.Results.Summary, "context is gone")) {
		t.Errorf("got %+v", got)
	}
	c := b.reach(id, "TERMINATED")
	if c.TerminationReason.Code != compute.TerminationReasonCodeDriverUnreachable || !strings.Contains(c.TerminationReason.Parameters[messageParameter], "memory limit") {
		t.Errorf("ended as %+v", c.TerminationReason)
	}
	if types := strings.Join(b.types(id), " "); !strings.HasSuffix(types, "DRIVER_NOT_RESPONDING TERMINATING") {
		t.Errorf("events %s", types)
	}
	_, err = b.commands.Create(t.Context(), compute.CreateContext{ClusterId: id, Language: compute.LanguagePython})
	if err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("a context on it: %v", err)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id, in := b.running(compute.LanguagePython)
	b.Next(Next{Hang: true})
	pending := b.create(one())
	for _, test := range []struct {
		path, method string
		body         any
		status       int
		want         string
	}{
		{"contexts/create", "POST", call{ClusterID: "none", Language: "python"}, 404, "ClusterNotFound"},
		{"contexts/create", "POST", call{ClusterID: pending, Language: "python"}, 400, "ClusterNotReadyException"},
		{"contexts/create", "POST", call{ClusterID: id, Language: "ruby"}, 400, "Unknown language"},
		{"contexts/create", "POST", `{"clusterId": 3}`, 400, "Could not parse"},
		{"contexts/create", "POST", `{"cluster_id": "x"}`, 400, "unknown field"},
		{"contexts/status?clusterId=" + id + "&contextId=9", "GET", "", 404, "ContextNotFound"},
		{"commands/execute", "POST", call{ClusterID: id, ContextID: in.Id, Language: "ruby"}, 400, "Unknown language"},
		{"commands/execute", "POST", call{ClusterID: id, ContextID: "9", Language: "r"}, 404, "ContextNotFound"},
		{"commands/status?clusterId=" + id + "&contextId=" + in.Id + "&commandId=9", "GET", "", 404, "CommandNotFound"},
		{"commands/cancel", "POST", call{ClusterID: id, ContextID: in.Id, CommandID: "9"}, 404, "CommandNotFound"},
		{"contexts/destroy", "POST", call{ClusterID: id, ContextID: "9"}, 404, "ContextNotFound"},
	} {
		status, answer := b.send(test.method, "/api/1.2/"+test.path, test.body)
		if text, _ := answer["error"].(string); status != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s %v: %d %v", test.path, test.body, status, answer)
		}
	}
}

func TestCommandsWithoutAMachine(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	b.Next(Next{NoMachine: true})
	id, in := b.running(compute.LanguagePython)
	if got := b.run(id, in.Id, compute.LanguagePython, "print(1)"); !got.Results.Failed() || !strings.Contains(got.Results.Summary, "has no machine") {
		t.Errorf("got %+v", got.Results)
	}
	if len(b.machine.launches) != 0 {
		t.Error("something was launched")
	}
}

func TestCancelledContextsAreNoErrorsOfTheServer(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id, in := b.running(compute.LanguagePython)
	wait, err := b.commands.Execute(t.Context(), compute.Command{ClusterId: id, ContextId: in.Id, Language: compute.LanguagePython, Command: "sleep"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.commands.CommandStatus(ctx, compute.CommandStatusRequest{ClusterId: id, ContextId: in.Id, CommandId: wait.CommandId}); err != nil && !errors.Is(err, apierr.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	status, answer := b.send("GET", "/api/1.2/commands/status?clusterId="+id+"&contextId="+in.Id+"&commandId="+wait.CommandId, "")
	if status != 200 || answer["status"] != "Error" {
		t.Errorf("%d %v", status, answer)
	}
}
