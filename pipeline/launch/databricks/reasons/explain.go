package reasons

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Ended is what a workspace says of a cluster that ended. All of it is foreign text.
type Ended struct {
	Code       string            // of the termination reason
	Type       string            // of the termination reason: CLIENT_ERROR, CLOUD_FAILURE, SERVICE_FAULT, SUCCESS
	Parameters map[string]string // of the termination reason
	Events     []Event           // of the cluster, in any order
}

// Event is one event of a cluster.
type Event struct {
	At   time.Time
	Type string // as the platform calls it: DRIVER_NOT_RESPONDING
	// Text is what its details say: the driver's state message, say. Of INIT_SCRIPTS_STARTED and INIT_SCRIPTS_FINISHED
	// it may be details.init_scripts as the platform sends it, in JSON: then each script is named with how it ended.
	Text string
}

// What a message is cut to, in characters.
const (
	longestName  = 120 // an identifier, a path, a user
	longestQuote = 400 // a message
	mostQuotes   = 6   // messages in one reason
	mostNames    = 6   // other parameters in one reason
	mostEvents   = 50  // the last ones are kept
)

// telling are the events that say why something failed. Others come and go with every cluster.
var telling = []string{
	"SPARK_EXCEPTION", "DRIVER_NOT_RESPONDING", "DRIVER_UNAVAILABLE", "ADD_NODES_FAILED", "DBFS_DOWN", "METASTORE_DOWN",
	"UC_VOLUME_MISCONFIGURED", "NODES_LOST", "NODE_BLACKLISTED", "NODE_EXCLUDED_DECOMMISSIONED", "FAILED_TO_EXPAND_DISK",
	"DID_NOT_EXPAND_DISK", "AUTOSCALING_FAILED", "DEFERRED_POLICY_ENFORCEMENT_FAILED",
}

// Judge is why a cluster ended: what the table says of its code, with its parameters filled in, and refined where the
// platform's own words say more than the code. What an init script wrote decides nothing: the image's own words must not
// move the blame.
func Judge(e Ended) Reason {
	r, _ := judge(e)
	return r
}

func judge(e Ended) (Reason, string) {
	known, ok := table()[e.Code]
	if !ok {
		r := Unknown(e.Code, e.Type)
		return r, classCodes[r.Class]
	}
	said := words(e)
	for _, w := range known.When {
		if w.pattern.MatchString(said) {
			known = known.refined(w)
			break
		}
	}
	r := known.reason(e.Code)
	r.Sentence = fill(known.Sentence, e.Parameters)
	return r, known.errorCode()
}

// words are what the platform itself says, for refinements to look at, of bounded length.
func words(e Ended) string {
	var b strings.Builder
	add := func(text string) { b.WriteString(foreign.Bound(text, 4<<10) + "\n") }
	for _, name := range sorted(e.Parameters) {
		add(e.Parameters[name])
	}
	for _, event := range last(e.Events) {
		if scripts, ok := Scripts(event); ok {
			for _, s := range scripts {
				add(s.Scope + " " + s.Path + " " + s.Status + " " + s.Message)
			}
		} else if slices.Contains(telling, event.Type) {
			add(event.Text)
		}
	}
	return b.String()
}

// Explain is Judge as the error of a launch. Its reason quotes the parameters, each init script that did not succeed, and
// the events that tell something; all of them end up in its events.
func Explain(e Ended) *launch.Error {
	r, code := judge(e)
	err := &launch.Error{Verdict: verdict.Inconclusive, Code: code, Remedy: r.Remedy}
	switch r.Class {
	case ClassImage:
		err.Verdict = verdict.Fail
	case ClassConfiguration:
		err.Cause = misconfigured(r.Code)
	}
	quotes := append(scriptQuotes(e.Events), e.messages()...)
	quotes = distinct(append(quotes, eventQuotes(e.Events)...))
	if left := len(quotes) - mostQuotes; left > 0 {
		quotes = append(quotes[:mostQuotes], fmt.Sprintf("and %d more in the cluster's event log", left))
	}
	err.Reason = r.Sentence
	if len(quotes) > 0 {
		err.Reason += ": " + strings.Join(quotes, "; ")
	}
	err.Reason += " (" + strings.Join(append([]string{r.Code}, e.names(r.Sentence)...), ", ") + ")"
	for _, event := range last(e.Events) {
		err.Events = append(err.Events, launch.Event{At: event.At, Text: event.line()})
	}
	return err
}

// misconfigured marks an error as one that the same command meets again until a setting is changed.
type misconfigured string

func (m misconfigured) Error() string { return "a setting must be changed first: " + string(m) }

func (m misconfigured) Is(target error) bool { return target == verdict.ErrUsage }

// shown is foreign text as part of one line.
//
// Secrets are masked before anything is cut: half of one would not be known any more.
func shown(text string, most int) string {
	return foreign.Short(foreign.Bound(secret.Redact(text), 16<<10), most)
}

func quoted(text string) string {
	if text = shown(text, longestQuote); text == "" {
		return ""
	}
	return `"` + strings.ReplaceAll(strings.TrimRight(text, ". "), `"`, "'") + `"`
}

// isMessage says whether a parameter is a sentence rather than a name: databricks_error_message, azure_error_message.
func isMessage(name string) bool {
	return strings.HasSuffix(name, "_message") || name == "message"
}

// messages are the parameters that are sentences, with who says so.
func (e Ended) messages() []string {
	var all []string
	for _, name := range sorted(e.Parameters) {
		text := quoted(e.Parameters[name])
		if !isMessage(name) || text == "" {
			continue
		}
		all = append(all, speaker(name)+" says "+text)
	}
	return all
}

func speaker(parameter string) string {
	for prefix, name := range map[string]string{"aws_": "AWS", "azure_": "Azure", "gcp_": "Google Cloud"} {
		if strings.HasPrefix(parameter, prefix) {
			return name
		}
	}
	return "the workspace"
}

// names are the other parameters, but those that the sentence shows already.
func (e Ended) names(sentence string) []string {
	var all []string
	for _, name := range sorted(e.Parameters) {
		value := shown(e.Parameters[name], longestName)
		if isMessage(name) || value == "" || strings.Contains(sentence, value) {
			continue
		}
		if len(all) == mostNames {
			return append(all, foreign.Ellipsis)
		}
		all = append(all, strings.ReplaceAll(shown(name, longestName), "_", " ")+" "+value)
	}
	return all
}

// eventQuotes are the telling events, the last ones first.
func eventQuotes(events []Event) []string {
	var all []string
	kept := last(events)
	slices.Reverse(kept)
	for _, event := range kept {
		if text := quoted(event.Text); slices.Contains(telling, event.Type) {
			if text == "" {
				all = append(all, "event "+event.Type)
			} else {
				all = append(all, "event "+event.Type+" says "+text)
			}
		}
	}
	return all
}

// line is an event as one line.
func (e Event) line() string {
	name := shown(e.Type, longestName)
	if scripts, ok := Scripts(e); ok {
		lines := make([]string, len(scripts))
		for i, s := range scripts {
			lines[i] = s.String()
		}
		return foreign.Cut(strings.TrimRight(name+": "+strings.Join(lines, "; "), ": "), 4*longestQuote)
	}
	return strings.TrimRight(name+": "+shown(e.Text, longestQuote), ": ")
}

// last are the last events by time, in order. It copies.
func last(events []Event) []Event {
	kept := slices.Clone(events)
	slices.SortStableFunc(kept, func(a, b Event) int { return a.At.Compare(b.At) })
	return kept[max(len(kept)-mostEvents, 0):]
}

// distinct drops what is said a second time, by whomever.
func distinct(quotes []string) []string {
	var kept []string
	for _, q := range quotes {
		_, text, found := strings.Cut(q, ` says "`)
		if found && slices.ContainsFunc(kept, func(k string) bool { return strings.Contains(k, strings.TrimSuffix(text, `"`)) }) {
			continue
		}
		if !slices.Contains(kept, q) {
			kept = append(kept, q)
		}
	}
	return kept
}

// sorted are the parameters' names; the platform's own message says most, and comes first.
func sorted(parameters map[string]string) []string {
	names := slices.Sorted(maps.Keys(parameters))
	const message = "databricks_error_message"
	if at := slices.Index(names, message); at > 0 {
		names = slices.Insert(slices.Delete(names, at, at+1), 0, message)
	}
	return names
}
