// Package inside is the part of the sandbox that runs in the launched container: the program's own static binary,
// shown there read-only, called with the hidden verb.
//
// It is needed for some things. A page can be fetched from inside the container's own network without any tool in the
// image. A command's exit code comes back as data: the gateway that runs containers takes the whole container down when
// one process in it ends badly. A command that hangs is ended together with its children.
// And a container whose image is to start nothing by itself is held open, and gets its files, without any tool of the image's.
//
// What the command writes goes to standard output as it comes; the report follows on standard error, as one line of JSON.
package inside

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
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

// Main is what the hidden verb calls, with the arguments after it. It returns the exit code: 0 whenever there is a
// report, whatever the report says.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	report, err := answer(ctx, args, os.Stdout)
	if err != nil {
		report = Report{Error: err.Error()}
	}
	if err := json.NewEncoder(os.Stderr).Encode(report); err != nil {
		return 1
	}
	return 0
}

func answer(ctx context.Context, args []string, out io.Writer) (Report, error) {
	if len(args) == 0 {
		return Report{}, errors.New("say run, get, copy, put, sum or hold")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	within := flags.Duration("within", 0, "give up after so long; 0: never")
	switch args[0] {
	case "run":
		leaves := flags.Bool("leaves", false, "what the command leaves running may keep its output open")
		talks := flags.Bool("talks", false, "the command reads standard input, and is interrupted by SIGUSR1")
		if err := flags.Parse(args[1:]); err != nil {
			return Report{}, err
		}
		if *leaves {
			out = struct{ io.Writer }{out} // no file, so that it is copied, and the copying can end
		}
		if *talks {
			return talk(ctx, flags.Args(), out)
		}
		return run(ctx, flags.Args(), *within, out)
	case "get":
		page := page{}
		flags.IntVar(&page.status, "status", 200, "wanted status")
		flags.StringVar(&page.contains, "contains", "", "text that the page must contain")
		flags.StringVar(&page.matches, "matches", "", "pattern that the page must match")
		if err := flags.Parse(args[1:]); err != nil {
			return Report{}, err
		}
		if flags.NArg() != 1 {
			return Report{}, errors.New("get wants one address")
		}
		page.url = flags.Arg(0)
		return get(ctx, page, *within)
	case "copy":
		if err := flags.Parse(args[1:]); err != nil {
			return Report{}, err
		}
		if flags.NArg() < 2 {
			return Report{}, errors.New("copy wants a folder and places")
		}
		return copyTo(ctx, flags.Arg(0), flags.Args()[1:])
	case "sum":
		if err := flags.Parse(args[1:]); err != nil {
			return Report{}, err
		}
		if flags.NArg() != 1 {
			return Report{}, errors.New("sum wants one file")
		}
		return sum(flags.Arg(0))
	case "put":
		if err := flags.Parse(args[1:]); err != nil {
			return Report{}, err
		}
		if flags.NArg() != 1 {
			return Report{}, errors.New("put wants one path")
		}
		return put(flags.Arg(0), os.Stdin)
	case "hold":
		hold()
		return Report{}, errors.New("nothing is to be held any more")
	default:
		return Report{}, fmt.Errorf("%q is none of run, get, copy, put, sum and hold", args[0])
	}
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
