package emulator

import (
	"context"
	"time"
)

// Machine is what clusters run on. A nil Machine makes clusters that reach RUNNING without anything behind them.
type Machine interface {
	// Start pulls the image and goes through the platform's steps until a driver is up. It tells progress of each step as
	// it is reached. An *Ended error says how the cluster terminates; any other error terminates it as an internal
	// error of the emulator's. What was begun before an error is taken down by Start itself.
	Start(ctx context.Context, launch Launch, progress func(Progress)) (Node, error)
}

// Launch is what a cluster asks of its machine. Secret references are resolved in it.
type Launch struct {
	ClusterID, ClusterName string
	SparkVersion           string
	Image                  string // as docker_image.url has it; empty: none was asked for
	Username, Password     string // empty: anonymous
	Scripts                []Script
	Env                    map[string]string
	Conf                   map[string]string
}

// Script is an init script.
type Script struct {
	// Name is the destination as it was written.
	Name string
	// Inside is the path in the image of a file: script; empty: Body is the script.
	Inside string
	Body   []byte
}

// Stage is a step of a launch that people see among the cluster's events.
type Stage string

const (
	// Pulled says that the image was downloaded and the container made.
	Pulled Stage = "pulled"
	// Scripting says that the init scripts are about to run.
	Scripting Stage = "scripting"
	// Driving says that the init scripts are through and the driver is about to start.
	Driving Stage = "driving"
)

// Progress is a stage that was reached.
type Progress struct {
	Stage   Stage
	Scripts []ScriptResult // with Driving
}

// ScriptResult is how one init script ended.
type ScriptResult struct {
	Name     string
	ExitCode int
	Stderr   string // bounded
	Elapsed  time.Duration
}

// Ended says how a cluster terminated.
type Ended struct {
	Code       string            // of the platform's termination codes
	Type       string            // CLIENT_ERROR, CLOUD_FAILURE, SERVICE_FAULT, SUCCESS
	Parameters map[string]string // what helps stands in databricks_error_message
	Scripts    []ScriptResult    // that were run, the failed one last
	// Logs is what a driver wrote that did not come up.
	Logs Logs
	// Driver says that the driver did not come up, or went, and is not to blame on the container.
	Driver bool

	events []Happening
}

// Error is the message and the code.
func (e *Ended) Error() string { return e.Code + ": " + e.Parameters[messageParameter] }

// messageParameter is where the platform puts the text that helps.
const messageParameter = "databricks_error_message"

// Node is a driver that is up.
type Node interface {
	// Session makes an execution context. It returns at once: what it needs starts with its first command.
	Session(language string) Session
	// Put writes a file where programs on the driver find it: what is uploaded while the cluster runs.
	Put(ctx context.Context, path string, body []byte) error
	// Gone is closed when the driver is lost; Why then says how.
	Gone() <-chan struct{}
	Why() string
	// Logs is what the driver has written.
	Logs() Logs
	// Stop takes everything down. It may be called again.
	Stop(ctx context.Context) error
}

// Logs is what a driver has written, bounded, in the files that the platform keeps it in.
type Logs struct{ Stdout, Stderr, Log4j string }

// Session keeps the state of one execution context between its commands, which come one after the other.
type Session interface {
	// Able says why no command of the language can ever be run; nil: it can be tried.
	Able(language string) error
	// Run runs one command in a language. An error is for a command that could not be run at all, and is shown as the
	// command's own error. When ctx ends the command is interrupted.
	Run(ctx context.Context, language, code string) (Answer, error)
	Close(ctx context.Context) error
}

// Answer is what a command came to.
type Answer struct {
	Kind    string // text, table, error, image
	Text    string // of text; of error the whole cause
	Summary string // of error: its last line
	// Of table.
	Rows      [][]any
	Schema    []Column
	Truncated bool
}

// Column is one of a table.
type Column struct {
	Name string
	Type string // as Spark's JSON has it: "long", with the quotes
}
