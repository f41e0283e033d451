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
)

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
