// Package inside is the part of the sandbox that runs in the launched container: the program's own static binary,
// shown there read-only, called with the hidden verb.
//
// It is needed for some things. A page can be fetched from inside the container's own network without any tool in the
// image. A command's exit code comes back as data: the gateway that runs containers takes the whole container down when
// one process in it ends badly. A command that hangs is ended together with its children.
// And a container whose image is to start nothing by itself is held open, and gets its files, without any tool of the image's.
//
// The helper runs on Linux, as the containers do; other systems know only how to ask it.
//
// What the command writes goes to standard output as it comes; the report follows on standard error, as one line of JSON.
package inside

import (
	"encoding/json"
	"fmt"
	"time"
)

// Verb is the hidden verb of the program that calls Main.
const Verb = "__probe"

// Report is what comes back.
type Report struct {
	// Of a command.
	ExitCode  int  `json:"exit_code,omitempty"` // 128 and more: ended by a signal, as shells say it
	NoCommand bool `json:"no_command,omitempty"`
	// Of a page.
	Status int    `json:"status,omitempty"` // 0: nothing answered
	Body   string `json:"body,omitempty"`   // its beginning
	// Of a copy, whose place is in Body.
	Files int `json:"files,omitempty"`

	TimedOut bool   `json:"timed_out,omitempty"`
	Error    string `json:"error,omitempty"` // why there is nothing else to tell
}

// RunArgs are the arguments, verb included, that run a command for at most so long; 0: without end.
func RunArgs(within time.Duration, command []string) []string {
	return append([]string{Verb, "run", "-within", within.String(), "--"}, command...)
}

// GetArgs are the arguments, verb included, that ask for a page until it is as it should be.
func GetArgs(within time.Duration, url string, status int, contains, matches string) []string {
	return []string{Verb, "get", "-within", within.String(), "-status", fmt.Sprint(status), "-contains", contains, "-matches", matches, "--", url}
}

// Parse reads the report at the end of what the helper wrote to standard error.
func Parse(text string) (Report, error) {
	var report Report
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return Report{}, fmt.Errorf("the helper in the container left no report: %w", err)
	}
	return report, nil
}

// HoldArgs are the arguments, verb included, of a process that goes on until the container ends.
func HoldArgs() []string { return []string{Verb, "hold"} }

// CopyArgs are the arguments, verb included, that copy a folder to the first of the places that is not there. The report's
// body is that place.
func CopyArgs(from string, places ...string) []string {
	return append([]string{Verb, "copy", "--", from}, places...)
}

// SumArgs are the arguments, verb included, that ask for the SHA-256 of a file; it is the report's body.
func SumArgs(path string) []string { return []string{Verb, "sum", "--", path} }

// ScriptArgs are those of RunArgs for a command that may leave programs behind: they live on, and do not hold it up.
func ScriptArgs(within time.Duration, command ...string) []string {
	return append([]string{Verb, "run", "-leaves", "-within", within.String(), "--"}, command...)
}

// TalkArgs are the arguments, verb included, of a command that goes on, reads standard input, and can be interrupted.
func TalkArgs(command []string) []string {
	return append([]string{Verb, "run", "-talks", "--"}, command...)
}

// PutArgs are the arguments, verb included, that write standard input to a file.
func PutArgs(path string) []string { return []string{Verb, "put", "--", path} }
