package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// run puts one command to the cluster and returns what came of it. The error is for a command that could not be put, or
// under which the cluster died; a deadline of ctx is returned as such.
func (c *cluster) run(ctx context.Context, language compute.Language, code string) (*compute.Results, error) {
	shell, err := c.context(ctx, language)
	if errors.As(err, new(*noContext)) {
		if dead := c.dead(ctx, c.driverSays(ctx)); dead != nil { // no language would do
			return nil, c.unaccepted(ctx, dead)
		}
		return nil, err
	}
	if err != nil {
		return nil, c.unaccepted(ctx, c.orDead(ctx, err))
	}
	var command string
	err = c.space.call(ctx, "putting a command to the cluster", once, func(ctx context.Context) error {
		begun, err := c.space.commands.Execute(ctx, compute.Command{ClusterId: c.known(), ContextId: shell, Language: language, Command: code})
		if err == nil {
			command = begun.CommandId
		}
		return err
	})
	if err != nil {
		return nil, c.unaccepted(ctx, c.orDead(ctx, err))
	}
	done, err := c.finished(ctx, shell, command)
	if ctx.Err() != nil {
		c.stop(ctx, language, shell, command)
		return nil, c.outOfTime(ctx)
	}
	if err != nil {
		return nil, c.orDead(ctx, err)
	}
	if lost := c.driverLost(ctx, done.Results); lost != nil {
		return nil, lost
	}
	if done.Results == nil {
		done.Results = &compute.Results{ResultType: compute.ResultTypeText, Data: ""}
	}
	if done.Status == compute.CommandStatusCancelled {
		return nil, &fault{of: &launch.Error{
			Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: "a command was cancelled, and not by this launch", Remedy: "Find out who uses the cluster " + c.known() + ", and run the same command again",
		}, again: true}
	}
	return done.Results, nil
}

// outOfTime is the error of a command whose time is over: the cluster's death where it has died, the workspace's silence
// where that does not answer any more, else the deadline, for which the command answers.
func (c *cluster) outOfTime(ctx context.Context) error {
	err := context.Cause(ctx)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
	defer cancel()
	now, unseen := c.look(looking)
	switch {
	case looking.Err() != nil:
		return c.silent()
	case unseen != nil:
		return unseen
	case now.State == compute.StateTerminated, now.State == compute.StateError, now.State == compute.StateTerminating:
		return c.why(ctx, now)
	}
	return err
}

// silent is the error of a workspace that does not answer any more.
func (c *cluster) silent() error {
	return noAnswer(true, "%s stopped answering while a command ran", c.space.name())
}

// unaccepted is the error of a command that the workspace never took. When its time is over, nothing of the image has
// run in that time: the deadline says nothing of it.
func (c *cluster) unaccepted(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.As(err, new(*fault)) {
		return err
	}
	if err = c.outOfTime(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &fault{of: &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: fmt.Sprintf("%s took no command in the probe's time, while the cluster ran", c.space.name()),
		Remedy: "Run the same command again; if it stays so, give the probe a longer timeout",
	}, again: true}
}

// finished waits for a command.
func (c *cluster) finished(ctx context.Context, shell, command string) (*compute.CommandStatusResponse, error) {
	for pause := commandFirst; ; pause = min(pause*3/2, commandMost) {
		var now *compute.CommandStatusResponse
		err := c.space.call(ctx, "asking how a command is", harmless, func(ctx context.Context) (err error) {
			now, err = c.space.commands.CommandStatus(ctx, compute.CommandStatusRequest{ClusterId: c.known(), ContextId: shell, CommandId: command})
			return err
		})
		if err != nil {
			return nil, err
		}
		switch now.Status {
		case compute.CommandStatusFinished, compute.CommandStatusError, compute.CommandStatusCancelled:
			return now, nil
		}
		if err := c.space.wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// context is where commands of a language run. It is made when it is first needed, and lives as long as the cluster.
func (c *cluster) context(ctx context.Context, language compute.Language) (string, error) {
	c.mu.Lock()
	id := c.contexts[language]
	c.mu.Unlock()
	if id != "" {
		return id, nil
	}
	err := c.space.call(ctx, "making a context for "+string(language), harmless, func(ctx context.Context) error {
		made, err := c.space.commands.Create(ctx, compute.CreateContext{ClusterId: c.known(), Language: language})
		if err == nil {
			id = made.ContextId
		}
		return err
	})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.contexts[language] = id
	c.mu.Unlock()
	for pause := commandFirst; ; pause = min(pause*3/2, commandMost) {
		var now *compute.ContextStatusResponse
		err := c.space.call(ctx, "asking how the context is", harmless, func(ctx context.Context) (err error) {
			now, err = c.space.commands.ContextStatus(ctx, compute.ContextStatusRequest{ClusterId: c.known(), ContextId: id})
			return err
		})
		switch {
		case err != nil:
			c.forget(language)
			return "", err
		case now.Status == compute.ContextStatusRunning:
			return id, nil
		case now.Status == compute.ContextStatusError:
			c.forget(language)
			return "", &noContext{language}
		}
		if err := c.space.wait(ctx, pause); err != nil {
			c.forget(language)
			return "", err
		}
	}
}

// noContext says that the cluster runs, and cannot run code of the language: something is missing in the image.
type noContext struct{ language compute.Language }

func (n *noContext) Error() string { return "the cluster has no context for " + string(n.language) }

func (c *cluster) forget(language compute.Language) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.contexts, language)
}

// stop ends a command whose time is over, and gives its context up: whatever hangs in it would keep the next one waiting.
// At the end of the launch there is no next one: what costs money goes first.
func (c *cluster) stop(ctx context.Context, language compute.Language, shell, command string) {
	select {
	case <-c.over:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyWithin)
	defer cancel()
	_, _ = c.space.commands.Cancel(ctx, compute.CancelCommand{ClusterId: c.known(), ContextId: shell, CommandId: command})
	_ = c.space.commands.Destroy(ctx, compute.DestroyContext{ClusterId: c.known(), ContextId: shell})
	c.forget(language)
}

// destroyContexts gives all contexts up. That it fails does not matter: the cluster goes, and they with it.
func (c *cluster) destroyContexts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, destroyWithin)
	defer cancel()
	c.mu.Lock()
	all := c.contexts
	c.contexts = map[compute.Language]string{}
	c.mu.Unlock()
	for _, id := range all {
		_ = c.space.commands.Destroy(ctx, compute.DestroyContext{ClusterId: c.known(), ContextId: id})
	}
}

// lostDriver is what command execution says when the driver went away.
var lostDriver = regexp.MustCompile(`(?i)driver (?:has )?(?:stopped|died|is restarting|was restarted|was lost|is not (?:responding|available|up))|lost connection to the (?:driver|cluster)|context(?:[ _]?id)? (?:is )?(?:not found|not valid|invalid)|no longer (?:attached|running)|cluster .{0,60}(?:terminated|is not running|unusable)`)

// driverLost is the error of a command that did not fail by itself: the driver, or the cluster, went away under it.
func (c *cluster) driverLost(ctx context.Context, results *compute.Results) error {
	if results == nil || results.ResultType != compute.ResultTypeError {
		return nil
	}
	text := plainText(results.Summary) + "\n" + plainText(results.Cause)
	if !lostDriver.MatchString(text[:min(len(text), 2000)]) {
		return c.dead(ctx, "") // the cluster may have ended under a command that says only that its own program has
	}
	return c.dead(ctx, strings.TrimSpace(plainText(results.Summary)))
}

// driverSays is what the events last say of the driver, when that is nothing good.
func (c *cluster) driverSays(ctx context.Context) string {
	if c.listen(ctx) != nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	said := ""
	for _, event := range c.told {
		switch event.Type {
		case compute.EventTypeDriverHealthy, compute.EventTypeRunning:
			said = ""
		case compute.EventTypeDriverNotResponding, compute.EventTypeDriverUnavailable:
			said = cmp.Or(eventText(event, true), string(event.Type))
		}
	}
	return said
}

// orDead prefers the cluster's death to what a request says of it.
func (c *cluster) orDead(ctx context.Context, err error) error {
	e := (*fault)(nil)
	if ctx.Err() != nil || errors.As(err, new(*noContext)) || !errors.As(err, &e) || status(e.of.Cause) == http.StatusUnauthorized || status(e.of.Cause) == http.StatusForbidden {
		return err
	}
	if dead := c.dead(ctx, ""); dead != nil {
		return dead
	}
	return err
}

// How long, and how often, a cluster is looked at whose driver went away: the workspace needs a while to notice.
const (
	graceLooks = 10
	gracePause = time.Second
)

// dead is the error of a cluster that has ended, or whose driver has, as a command said; nil: it is alive.
func (c *cluster) dead(ctx context.Context, said string) error {
	for range graceLooks {
		now, err := c.look(ctx)
		switch {
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.As(err, new(*fault)):
			return c.silent() // a bare deadline would be the command's, and the image's fault
		case err != nil:
			return err
		}
		switch now.State {
		case compute.StateTerminated, compute.StateError:
			return c.why(ctx, now)
		case compute.StateTerminating:
			if now.TerminationReason != nil && now.TerminationReason.Code != "" {
				return c.why(ctx, now)
			}
		case compute.StateRunning, compute.StateResizing:
			if said == "" {
				return nil
			}
		}
		if c.space.wait(ctx, gracePause) != nil {
			break // what is known by now has to do
		}
	}
	if said == "" {
		return nil
	}
	// The cluster goes on without its driver, as if that had not been reachable.
	_ = c.listen(ctx)
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	end := ended(&compute.ClusterDetails{TerminationReason: &compute.TerminationReason{
		Code: compute.TerminationReasonCodeDriverUnreachable, Type: compute.TerminationReasonTypeServiceFault, Parameters: map[string]string{"databricks_error_message": said},
	}}, told)
	known, again := explain(end)
	known.Events = nil
	return &fault{of: known, again: again}
}
