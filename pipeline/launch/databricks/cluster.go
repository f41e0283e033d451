package databricks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of what is done at the end, which has a context of its own: a cancelled run still cleans up.
const (
	deleteWithin  = 90 * time.Second
	deleteRound   = 20 * time.Second // of it, for one request with its repetitions
	deletePause   = 10 * time.Second // between them
	deleteRounds  = 9
	destroyWithin = 5 * time.Second
	lookWithin    = 10 * time.Second
	eventsWithin  = 20 * time.Second
)

// cluster is one cluster of the workspace.
type cluster struct {
	target *Target
	space  *workspace
	plan   *plan
	spec   launch.Spec
	url    imageURL
	book   *launch.Logbook

	over   <-chan struct{} // closed when the launch has no time any more, or was interrupted
	ending sync.Mutex      // one takes it down at a time

	mu       sync.Mutex
	id       string
	mode     string
	events   []launch.Event
	told     []compute.ClusterEvent // what the workspace has told of the cluster
	scripts  []launch.ScriptResult
	contexts map[compute.Language]string
	started  time.Time // the workspace's own times
	running  time.Time
	pulled   string // the image's digest as pulled; empty: unknown
	deleted  bool
	down     time.Time // when its deletion was asked for
}

func newCluster(ctx context.Context, t *Target, space *workspace, made *plan, spec launch.Spec, url imageURL) *cluster {
	c := &cluster{over: ctx.Done(), target: t, space: space, plan: made, spec: spec, url: url, book: launch.NewLogbook(), contexts: map[compute.Language]string{}}
	made.mu.Lock()
	defer made.mu.Unlock()
	c.events, made.before = made.before, nil
	return c
}

// ID is the cluster's id; before the workspace has given one, what is known of it.
func (c *cluster) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id == "" {
		return "of the run " + c.spec.RunID
	}
	return c.id
}

func (c *cluster) setID(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id = id
	c.target.learn(id)
}

func (c *cluster) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

func (c *cluster) event(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, launch.Event{At: time.Now(), Text: foreign.Short(fmt.Sprintf(format, args...), 500)})
}

func (c *cluster) downNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = time.Now()
}

func (c *cluster) takenEvents() []launch.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// up creates the cluster and waits until it runs.
func (c *cluster) up(ctx context.Context) error {
	for _, note := range c.plan.notes {
		c.event("%s", note)
	}
	if err := c.create(ctx); err != nil {
		return err
	}
	if err := c.await(ctx); err != nil {
		return err
	}
	return c.wasPulled(ctx)
}

// wasPulled finds out which digest the cluster got.
func (c *cluster) wasPulled(ctx context.Context) error {
	o := c.target.options
	if c.url.digest {
		if c.url.trial {
			remember(o.Memory, c.space.host, true)
		}
		c.got(c.spec.Subject.Digest)
		return nil
	}
	if len(c.plan.urls) > 1 { // the other form was refused, this one was not
		remember(o.Memory, c.space.host, false)
	}
	if o.TagDigest == nil {
		return nil
	}
	digest, err := o.TagDigest(ctx)
	if err != nil {
		return err
	}
	if digest != c.spec.Subject.Digest {
		return &fault{of: &launch.Error{
			Verdict: verdict.Inconclusive, Code: launch.CodePull, Reason: fmt.Sprintf("the staging tag %s was moved to %s while the cluster started: nobody knows what it pulled", o.Tag, digest),
			Remedy: "Run again, and find out who else writes staging tags",
		}}
	}
	c.got(digest) // before the launch and after it
	return nil
}

func (c *cluster) got(digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = digest
}

// formRefused says that a launch ended because of how the image's URL is written, as far as can be told. A registry that
// refuses and an end that may be another one next time say nothing of the form.
func formRefused(err error) bool {
	if refused(err) {
		return aboutForm(messageOf(err))
	}
	e := (*fault)(nil)
	if !errors.As(err, &e) || e.again {
		return false
	}
	switch e.of.Code {
	case launch.CodePull, launch.CodeStart, launch.CodeConfiguration:
		return aboutForm(e.of.Reason)
	}
	return false
}

// Logs is what the workspace tells of the cluster, and what commands have written.
func (c *cluster) Logs(ctx context.Context) (io.ReadCloser, error) {
	if c.known() != "" {
		if err := c.listen(ctx); err != nil {
			c.event("the cluster's events cannot be read: %v", reasonOf(err))
		}
	}
	out := c.book.Output("cluster", nil)
	for _, event := range c.State().Events {
		_, _ = fmt.Fprintf(out, "%s %s\n", event.At.UTC().Format(time.RFC3339), event.Text)
	}
	_ = out.Close()
	return c.book.Reader(), nil
}

// Terminate deletes the cluster for good. Where a creation was never answered, and nothing is found that came of it, its
// error says how to look again: a cluster may appear later. After an error no fresh cluster is tried: there would be two.
func (c *cluster) Terminate(ctx context.Context) error {
	err := c.end(ctx)
	if err == nil && c.target.inDoubt() {
		err = &launch.Error{
			Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: "the creation of a cluster was never answered, and none is found that came of it: one may still appear",
			Remedy: "Run hallmark cleanup --run " + c.spec.RunID + " in a few minutes",
		}
	}
	if err != nil {
		c.target.mark(false)
	}
	return err
}

// end deletes the cluster for good. Where its creation was never answered, it looks for it by its tag.
func (c *cluster) end(ctx context.Context) error {
	c.ending.Lock()
	defer c.ending.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
	defer cancel()
	var lost error
	if c.target.inDoubt() {
		lost = c.abandon(ctx)
	}
	id := c.known()
	if id == "" || c.deleted {
		return lost
	}
	select {
	case <-c.over: // whoever interrupts may soon kill, and contexts go with their cluster
	default:
		c.destroyContexts(ctx)
	}
	c.downNow()
	if err := c.space.remove(ctx, id); err != nil {
		return c.notDeleted(&stays{id, err})
	}
	c.deleted = true
	c.event("the cluster %s was deleted for good", id)
	return lost
}

// permanently asks for a cluster's deletion. A workspace that wants to be left alone for longer than the round lasts is
// not obeyed: a cluster that stays costs money.
func (w *workspace) permanently(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, deleteRound)
	defer cancel()
	return w.call(ctx, "deleting the cluster "+id, harmless, func(ctx context.Context) error {
		return w.clusters.PermanentDelete(ctx, compute.PermanentDeleteCluster{ClusterId: id})
	})
}

// unheard says that a request was not carried out for a reason that passes.
func unheard(err error) bool {
	e := (*fault)(nil)
	switch {
	case err == nil:
		return false
	case !errors.As(err, &e):
		return errors.Is(err, context.DeadlineExceeded)
	}
	code := status(e.of.Cause)
	return code == 0 || code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
}

// remove deletes a cluster for good. One that is not there is no error.
func (w *workspace) remove(ctx context.Context, id string) error {
	err := w.permanently(ctx, id)
	for round := 1; round < deleteRounds && unheard(err) && ctx.Err() == nil; round++ {
		if w.wait(ctx, deletePause) != nil {
			break
		}
		err = w.permanently(ctx, id)
	}
	e := (*fault)(nil)
	switch {
	case err == nil, errors.As(err, &e) && gone(e.of.Cause):
		return nil
	case errors.As(err, &e) && refused(err): // a pinned one, or one that only its owner may delete for good
		ended := w.call(ctx, "ending the cluster "+id, harmless, func(ctx context.Context) error {
			_, err := w.clusters.Delete(ctx, compute.DeleteCluster{ClusterId: id})
			return err
		})
		if ended == nil {
			progress.From(ctx).Warnf("The cluster %s was ended, and stays in the workspace's list: %s", id, reasonOf(err))
		}
		return ended
	}
	return err
}

// State is what is known of the cluster.
func (c *cluster) State() launch.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := launch.State{Scripts: slices.Clone(c.scripts), Events: append(slices.Clone(c.events), toldEvents(c.told)...)}
	slices.SortStableFunc(s.Events, func(a, b launch.Event) int { return a.At.Compare(b.At) })
	s.Runtime = "Databricks Runtime " + c.plan.runtimeName + " on " + c.plan.nodeType
	s.Facts = []launch.Fact{
		{Name: "workspace", Value: c.space.name()},
		{Name: "runtime", Value: c.plan.sparkVersion},
		{Name: "node type", Value: c.plan.nodeType},
		{Name: "single node", Value: c.mode},
		{Name: "access mode", Value: c.target.options.AccessMode},
		{Name: "cluster", Value: c.id},
		{Name: "image", Value: c.url.text},
		{Name: "pulled digest", Value: c.pulled},
	}
	if !c.running.IsZero() {
		s.Facts = append(s.Facts, launch.Fact{Name: "running after", Value: c.running.Sub(c.started).Round(time.Second).String()})
	}
	if c.target.options.LogDelivery != "" && c.id != "" {
		s.Facts = append(s.Facts, launch.Fact{Name: "logs", Value: c.target.options.LogDelivery + "/" + c.id})
	}
	s.Facts = slices.DeleteFunc(s.Facts, func(f launch.Fact) bool { return f.Value == "" })
	return s
}
