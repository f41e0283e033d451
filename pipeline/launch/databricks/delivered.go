package databricks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of what is read of the delivered logs. The platform delivers every five minutes and once more when a cluster has
// ended, which a launch that failed waits for.
const (
	deliveryPause  = 3 * time.Second
	deliveryRounds = 7                // pauses, at most
	deliveryWithin = 30 * time.Second // all of it
	atOnceWithin   = 5 * time.Second  // where nobody waits
	deliveredTail  = 256 << 10        // of each of the driver's files
	scriptTail     = 64 << 10         // of each of an init script's
	mostScriptLogs = 16
	clockSkew      = 5 * time.Second // between this machine, the platform and its storage
)

// driverLogs are the files of the driver, the one that tells most last: people are shown the end.
var driverLogs = []string{"stdout", "log4j-active.log", "stderr"}

// Delivered is the end of what the driver and the init scripts wrote, where the workspace was told to deliver it. A log
// that cannot be read is a line that says so.
func (c *cluster) Delivered(ctx context.Context, how verdict.Verdict) io.ReadCloser {
	id, to := c.known(), strings.TrimRight(c.target.options.LogDelivery, "/")
	if id == "" || to == "" {
		return nil
	}
	book := launch.NewLogbook()
	d := &delivery{cluster: c, place: to + "/" + id, book: book, says: book.Output("delivered", nil)}
	d.wait = how != verdict.Pass && c.mayHaveWritten(how)
	if !d.readable() {
		d.say("the driver's logs are delivered to %s, not readable from here", d.place)
		return book.Reader()
	}
	within := atOnceWithin
	if d.wait {
		within = deliveryWithin
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ctx, task := progress.Start(ctx, "read the logs delivered to %s", d.place)
	d.read(ctx)
	task.End(nil)
	return book.Reader()
}

// mayHaveWritten says that there may have been a container whose output is on its way.
func (c *cluster) mayHaveWritten(how verdict.Verdict) bool {
	c.ending.Lock()
	deleted := c.deleted
	c.ending.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	began := slices.ContainsFunc(c.told, func(e compute.ClusterEvent) bool {
		return e.Type == compute.EventTypeInitScriptsStarted || strings.HasPrefix(string(e.Type), "DRIVER_")
	})
	return deleted && (began || how == verdict.Fail || !c.running.IsZero())
}

// endedAt is since when the cluster is ending: the workspace's word, or when it was deleted.
func (c *cluster) endedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, event := range slices.Backward(c.told) {
		if event.Type == compute.EventTypeTerminating {
			return time.UnixMilli(event.Timestamp)
		}
	}
	return c.down
}

// delivery is one reading of what a cluster's logs were delivered to.
type delivery struct {
	cluster *cluster
	place   string
	wait    bool
	book    *launch.Logbook
	says    *launch.ProcessOutput
}

// stored is one file where logs are delivered to.
type stored struct {
	path   string
	folder bool
	size   int64
	at     time.Time
}

func (d *delivery) say(format string, args ...any) {
	_, _ = fmt.Fprintln(d.says, foreign.Short(fmt.Sprintf(format, args...), 500))
}

// readable says that the workspace's API hands out what lies there. What lies in a bucket, the cloud does.
func (d *delivery) readable() bool {
	return strings.HasPrefix(d.place, "dbfs:/") || strings.HasPrefix(d.place, "/Volumes/")
}

// read waits for the logs, where it is worth it, and puts the ends of them into the book.
func (d *delivery) read(ctx context.Context) {
	found, whole, err := d.settled(ctx)
	switch {
	case err != nil:
		d.say("the logs delivered to %s cannot be read: %s", d.place, reasonOf(err))
	case len(found) == 0 && d.wait:
		d.say("nothing was delivered to %s within %s of the cluster's end; look there later", d.place, deliveryRounds*deliveryPause)
	case len(found) == 0:
		d.say("nothing is delivered to %s yet, and the launch does not wait for it", d.place)
	case d.wait && !whole:
		d.say("the last of the logs was not delivered to %s within %s of the cluster's end: their end may be missing here", d.place, deliveryRounds*deliveryPause)
	}
	for _, file := range found {
		d.join(ctx, file)
	}
}

// settled are the files, and whether they were delivered after the cluster's end and have stopped growing.
func (d *delivery) settled(ctx context.Context) (found []stored, whole bool, err error) {
	over := d.cluster.endedAt().Add(-clockSkew)
	var before []stored
	for round := 0; ; round++ {
		now, err := d.look(ctx)
		if err != nil {
			return before, false, err
		}
		fresh := slices.ContainsFunc(now, func(f stored) bool { return f.at.After(over) })
		if fresh && slices.Equal(before, now) {
			return now, true, nil
		}
		if !d.wait || round == deliveryRounds || d.cluster.space.wait(ctx, deliveryPause) != nil {
			return now, false, nil
		}
		before = now
	}
}

// look lists what is there: the init scripts' logs and the driver's, in the order in which people should read them.
func (d *delivery) look(ctx context.Context) (found []stored, err error) {
	space := d.cluster.space
	nodes, err := space.folder(ctx, d.place+"/init_scripts")
	if err != nil {
		return nil, err
	}
	for _, node := range nodes[:min(len(nodes), mostScriptLogs)] {
		if !node.folder {
			continue
		}
		logs, err := space.folder(ctx, node.path)
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(logs, func(f stored) bool { return f.folder })...)
	}
	slices.SortFunc(found, func(a, b stored) int { return strings.Compare(a.path, b.path) }) // they begin with their time
	found = found[max(0, len(found)-mostScriptLogs):]
	logs, err := space.folder(ctx, d.place+"/driver")
	if err != nil {
		return nil, err
	}
	for _, name := range driverLogs { // those of hours ago have other names
		for _, log := range logs {
			if !log.folder && path.Base(log.path) == name {
				found = append(found, log)
			}
		}
	}
	return found, nil
}

// join puts the end of one file into the book.
func (d *delivery) join(ctx context.Context, file stored) {
	name, most := "driver/"+path.Base(file.path), int64(deliveredTail)
	if !slices.Contains(driverLogs, path.Base(file.path)) {
		name, most = "init_scripts/"+path.Base(file.path), scriptTail
	}
	name = foreign.Short(name, 120)
	from := max(0, file.size-most)
	text, err := d.cluster.space.from(ctx, file, from, most)
	if err != nil {
		d.say("%s cannot be read: %s", file.path, reasonOf(err))
		return
	}
	if from > 0 {
		_, text, _ = strings.Cut(text, "\n") // half a line may hold half a secret
		d.say("the first %d bytes of %s are left out", file.size-int64(len(text)), file.path)
	}
	if text == "" {
		return
	}
	out := d.book.Output(name, nil)
	for _, line := range foreign.Lines(secret.Redact(text)) {
		_, _ = fmt.Fprintln(out, line)
	}
}

// absent says that what was asked for is not there.
func absent(err error) bool {
	e := (*fault)(nil)
	return errors.As(err, &e) && gone(e.of.Cause)
}
