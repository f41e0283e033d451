package display

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Mode is a way of showing.
type Mode string

const (
	Auto  Mode = "auto"
	TTY   Mode = "tty"
	Plain Mode = "plain"
	JSON  Mode = "json"
	Quiet Mode = "quiet"
)

// Modes lists them, for help texts.
var Modes = []Mode{Auto, TTY, Plain, JSON, Quiet}

// Choose fills in the options for out: the live board where a person watches a terminal that can show it, plain lines
// elsewhere. env is the environment, as os.Getenv gives it. A mode that was asked for is taken, or refused.
func Choose(asked Mode, out *os.File, env func(string) string) (Options, error) {
	return choose(asked, Terminal(out), named(env), func() (int, int) { //nolint:gosec // descriptors are small
		width, height, err := term.GetSize(int(out.Fd())) //nolint:gosec // as above
		if err != nil {
			return 80, 24
		}
		return width, height
	})
}

// Terminal says whether a file is a terminal that obeys sequences.
func Terminal(file *os.File) bool {
	return term.IsTerminal(int(file.Fd())) && obeys(file) //nolint:gosec // descriptors are small
}

func choose(asked Mode, terminal bool, env func(string) string, size func() (int, int)) (Options, error) {
	if asked == "" {
		asked = Auto
	}
	if !slices.Contains(Modes, asked) {
		return Options{}, fmt.Errorf("%w: there is no display %q. Choose one of auto, tty, plain, json, quiet", verdict.ErrUsage, asked)
	}
	able := terminal && env("TERM") != "dumb" && env("TERM") != ""
	ci := env("CI") != "" && !strings.EqualFold(env("CI"), "false")
	o := Options{Mode: asked, Size: size}
	switch {
	case asked == TTY && !able:
		return Options{}, fmt.Errorf("%w: the display tty needs a terminal. Choose plain, or auto", verdict.ErrUsage)
	case asked == Auto && able && !ci:
		o.Mode = TTY
	case asked == Auto:
		o.Mode = Plain
	}
	o.Colour = able && !ci && env("NO_COLOR") == ""
	return o, nil
}
