package databricks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/reasons"
)

// mostEvents bounds what is kept of a cluster's events; the last ones say most, and are asked for first.
const mostEvents = 500

// listen reads the cluster's events.
func (c *cluster) listen(ctx context.Context) error {
	var told []compute.ClusterEvent
	err := c.space.call(ctx, "reading the events of the cluster "+c.known(), harmless, func(ctx context.Context) error {
		told = nil
		all := c.space.clusters.Events(ctx, compute.GetEvents{ClusterId: c.known(), Order: compute.GetEventsOrderDesc})
		for len(told) < mostEvents && all.HasNext(ctx) {
			next, err := all.Next(ctx)
			if err != nil {
				return err
			}
			told = append(told, next)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(told)
	slices.SortStableFunc(told, func(a, b compute.ClusterEvent) int { return int(a.Timestamp - b.Timestamp) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.scripts = told, c.scriptResults(told)
	return nil
}

// ended is what package reasons judges by.
func ended(now *compute.ClusterDetails, told []compute.ClusterEvent) reasons.Ended {
	var end reasons.Ended
	why := now.TerminationReason
	if why == nil || why.Code == "" { // the reason stands in the event, too
		for _, event := range told {
			if event.Type == compute.EventTypeTerminating && event.Details != nil && event.Details.Reason != nil {
				why = event.Details.Reason
			}
		}
	}
	if why != nil {
		end.Code, end.Type, end.Parameters = string(why.Code), string(why.Type), why.Parameters
	}
	for _, event := range told {
		end.Events = append(end.Events, reasons.Event{At: time.UnixMilli(event.Timestamp), Type: string(event.Type), Text: eventText(event, true)})
	}
	return end
}

// eventText is what an event says. Its attributes are left out: they repeat the request, credentials included.
func eventText(event compute.ClusterEvent, machine bool) string {
	d := event.Details
	if d == nil {
		return ""
	}
	if d.InitScripts != nil && machine {
		if body, err := json.Marshal(d.InitScripts); err == nil {
			return string(body)
		}
	}
	var parts []string
	if d.InitScripts != nil {
		for _, s := range slices.Concat(d.InitScripts.Global, d.InitScripts.Cluster) {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s after %d s %s", destination(s), s.Status, s.ExecutionDurationSeconds, s.ErrorMessage)))
		}
	}
	if d.DriverStateMessage != "" {
		parts = append(parts, d.DriverStateMessage)
	}
	if d.Reason != nil && machine { // the code is that of the end as a rule, and told by itself
		for _, key := range slices.Sorted(maps.Keys(d.Reason.Parameters)) {
			if strings.HasSuffix(key, "_message") {
				parts = append(parts, d.Reason.Parameters[key])
			}
		}
	} else if d.Reason != nil {
		text := fmt.Sprintf("%s (%s)", d.Reason.Code, d.Reason.Type)
		for _, key := range slices.Sorted(maps.Keys(d.Reason.Parameters)) {
			text += " " + key + "=" + d.Reason.Parameters[key]
		}
		parts = append(parts, text)
	}
	if d.Cause != "" {
		parts = append(parts, "cause "+string(d.Cause))
	}
	if d.User != "" {
		parts = append(parts, "by "+d.User)
	}
	return strings.Join(parts, "; ")
}

func toldEvents(told []compute.ClusterEvent) []launch.Event {
	events := make([]launch.Event, len(told))
	for i, event := range told {
		text := string(event.Type)
		if more := eventText(event, false); more != "" {
			text += ": " + more
		}
		events[i] = launch.Event{At: time.UnixMilli(event.Timestamp), Text: foreign.Short(text, 600)}
	}
	return events
}

var exitStatus = regexp.MustCompile(`(?i)exit(?:ed)?(?: with)?(?: non-zero)?(?: status| code)?(?: is non-zero)?[^0-9]{0,5}(\d{1,3})`)

// scriptResults are the init scripts that have run on the driver, with the digests found before.
func (c *cluster) scriptResults(told []compute.ClusterEvent) []launch.ScriptResult {
	var results []launch.ScriptResult
	for _, event := range told {
		if event.Type != compute.EventTypeInitScriptsFinished || event.Details == nil || event.Details.InitScripts == nil {
			continue
		}
		results = nil // of the last start
		global := len(event.Details.InitScripts.Global)
		for i, s := range slices.Concat(event.Details.InitScripts.Global, event.Details.InitScripts.Cluster) {
			digest, note := c.plan.which(s, i < global)
			r := launch.ScriptResult{
				Name: destination(s), Digest: digest, Note: note, Elapsed: time.Duration(s.ExecutionDurationSeconds) * time.Second,
				Output: foreign.Short(strings.TrimSpace(s.ErrorMessage+" "+s.Stderr), 4096),
			}
			if s.Status != compute.InitScriptExecutionDetailsInitScriptExecutionStatusSucceeded && s.Status != compute.InitScriptExecutionDetailsInitScriptExecutionStatusSkipped {
				r.ExitCode = 1 // unless the message says more
				if match := exitStatus.FindStringSubmatch(s.ErrorMessage); match != nil {
					if code, _ := strconv.Atoi(match[1]); code > 0 {
						r.ExitCode = code
					}
				}
			}
			results = append(results, r)
		}
	}
	return results
}

// explain asks package reasons, and whether a fresh cluster may do.
func explain(end reasons.Ended) (*launch.Error, bool) {
	return reasons.Explain(end), reasons.Judge(end).Retry
}
