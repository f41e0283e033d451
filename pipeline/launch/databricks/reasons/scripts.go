package reasons

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// Script is how one init script ended on the node that the platform reports of.
type Script struct {
	Scope    string // cluster or global: global ones are the workspace's, not the launch's
	Path     string // where it was fetched from
	Status   string // SUCCEEDED, FAILED_EXECUTION, FAILED_FETCH, FUSE_MOUNT_FAILED, NOT_EXECUTED, SKIPPED, UNKNOWN
	ExitCode string // where a message names it; the platform has no field for it
	Message  string // the platform's words
	Stderr   string // the script's own words; only where the workspace keeps them
	Seconds  int
}

// scriptDetails is details.init_scripts of an event.
type scriptDetails struct {
	Cluster []scriptDetail `json:"cluster"`
	Global  []scriptDetail `json:"global"`
}

type destination struct {
	Destination string `json:"destination"`
}

type scriptDetail struct {
	ABFSS     *destination `json:"abfss"`
	DBFS      *destination `json:"dbfs"`
	File      *destination `json:"file"`
	GCS       *destination `json:"gcs"`
	S3        *destination `json:"s3"`
	Volumes   *destination `json:"volumes"`
	Workspace *destination `json:"workspace"`

	Status  string `json:"status"`
	Message string `json:"error_message"`
	Stderr  string `json:"stderr"`
	Seconds int    `json:"execution_duration_seconds"`
}

const (
	largestDetails = 256 << 10 // bytes of JSON that are looked at
	mostScripts    = 64
)

// Scripts are the init scripts that an event names, in the order in which they run: those of the workspace, then those of
// the cluster. It is false for an event whose text is not details.init_scripts in JSON.
func Scripts(e Event) ([]Script, bool) {
	if e.Type != "INIT_SCRIPTS_FINISHED" && e.Type != "INIT_SCRIPTS_STARTED" || len(e.Text) > largestDetails || !strings.HasPrefix(strings.TrimSpace(e.Text), "{") {
		return nil, false
	}
	var details scriptDetails
	if err := json.Unmarshal([]byte(e.Text), &details); err != nil {
		return nil, false
	}
	var all []Script
	for _, scope := range []struct {
		name    string
		scripts []scriptDetail
	}{{"global", details.Global}, {"cluster", details.Cluster}} {
		for _, d := range scope.scripts {
			if len(all) == mostScripts {
				return all, true
			}
			all = append(all, d.script(scope.name))
		}
	}
	return all, true
}

var exitCode = regexp.MustCompile(`(?i)exit(?:ed)?(?: with)?(?: non-zero)?(?: (?:code|status))(?: is non-zero)?[ :(=]*(\d{1,3})\b`)

func (d scriptDetail) script(scope string) Script {
	s := Script{Scope: scope, Status: shown(d.Status, longestName), Message: shown(d.Message, longestQuote), Seconds: d.Seconds}
	s.Stderr = tail(d.Stderr)
	for _, at := range []*destination{d.Workspace, d.Volumes, d.File, d.DBFS, d.ABFSS, d.S3, d.GCS} {
		if at != nil {
			s.Path = shown(at.Destination, longestName)
			break
		}
	}
	if m := exitCode.FindStringSubmatch(d.Message); m != nil {
		s.ExitCode = m[1]
	}
	return s
}

// tail is the end of what a script wrote: that is where a shell says what failed.
func tail(text string) string {
	text = strings.TrimSpace(secret.Redact(text)) // before it is cut, or half of a secret would pass
	if len(text) > 4*longestQuote {
		text = text[len(text)-4*longestQuote:]
	}
	line := []rune(shown(text, 4*longestQuote))
	if len(line) >= longestQuote {
		return foreign.Ellipsis + string(line[len(line)-longestQuote+1:])
	}
	return string(line)
}

// Failed says whether the script itself did not succeed. Those after it are not executed, and are not to blame.
func (s Script) Failed() bool {
	switch s.Status {
	case "SUCCEEDED", "SKIPPED", "NOT_EXECUTED", "":
		return false
	}
	return true
}

// String is one line: what script, how it ended, what was said.
func (s Script) String() string {
	var b strings.Builder
	if s.Scope == "global" {
		b.WriteString("the workspace's ")
	}
	b.WriteString("init script " + orUnnamed(s.Path) + " " + ending(s.Status))
	if s.ExitCode != "" {
		b.WriteString(" with exit code " + s.ExitCode)
	}
	if s.Seconds > 0 {
		fmt.Fprintf(&b, " after %d s", s.Seconds)
	}
	if said := firstOf(s.Stderr, s.Message); said != "" {
		b.WriteString(": " + quoted(said))
	}
	return b.String()
}

// ending is a status in words.
func ending(status string) string {
	switch status {
	case "SUCCEEDED":
		return "succeeded"
	case "FAILED_EXECUTION":
		return "failed"
	case "FAILED_FETCH":
		return "could not be fetched"
	case "FUSE_MOUNT_FAILED":
		return "could not be read, because mounting the workspace's files failed"
	case "NOT_EXECUTED":
		return "was not run"
	case "SKIPPED":
		return "was skipped"
	case "", "UNKNOWN":
		return "ended nobody knows how"
	default:
		return "ended as " + status
	}
}

// scriptQuotes are the scripts that failed, and how many did not get their turn.
func scriptQuotes(events []Event) []string {
	var all []string
	waiting := 0
	for _, event := range last(events) {
		if event.Type != "INIT_SCRIPTS_FINISHED" {
			continue
		}
		scripts, ok := Scripts(event)
		if text := quoted(event.Text); !ok && text != "" {
			all = append(all, "event INIT_SCRIPTS_FINISHED says "+text)
		}
		waiting = 0 // a later event replaces what an earlier one said of those that wait
		for _, s := range scripts {
			if s.Failed() {
				all = append(all, s.String())
			} else if s.Status == "NOT_EXECUTED" {
				waiting++
			}
		}
	}
	if waiting > 0 && len(all) > 0 {
		all = append(all, fmt.Sprintf("%d after it did not run", waiting))
	}
	return all
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func orUnnamed(path string) string {
	if path == "" {
		return "without a name"
	}
	return path
}
