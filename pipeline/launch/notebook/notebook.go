// Package notebook keeps programs running between commands, as a notebook's execution context does: what one command
// names, the next one finds. There is a Python, Spark's own Scala shell, and an R, each begun with the first command for it.
//
// It must not know where the programs run: a target starts them.
package notebook

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// Program is a started program that is talked to.
type Program interface {
	io.Writer // its standard input
	// Interrupt is what Ctrl-C would be.
	Interrupt(ctx context.Context) error
	// End ends it, with all that it started.
	End(ctx context.Context) error
	// Ended is closed when it has ended.
	Ended() <-chan struct{}
}

// Options say how programs are started.
type Options struct {
	// Start starts a program of the image; output gets what it writes, to either stream, as it comes.
	Start func(ctx context.Context, name string, args []string, output io.Writer) (Program, error)
	// Python is the path, or the name, of the image's Python; empty: there is none.
	Python string
	// R is the path of Rscript; empty: there is none.
	R string
	// Home is the folder of Spark, as the programs see it.
	Home string
	// Patience is how long an interrupted program has to become ready again before it is ended, and what it knew is lost;
	// 0: usualPatience, and shellPatience for Spark's shell, which hears of an interrupt once it has compiled the command.
	Patience time.Duration
	// Driver is what all sessions on one machine have in common; nil: this session is alone.
	Driver *Driver
}

// Driver knows the Spark shells of all sessions on one machine: a statement of SQL need not start another one. Each
// session has views and settings of its own in a shell that it shares.
type Driver struct {
	mu     sync.Mutex
	shells []*kept
}

// lend is a shell that runs and has nothing to do, taken for one command; nil: there is none.
func (d *Driver) lend() *kept {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shells = slices.DeleteFunc(d.shells, (*kept).hasEnded)
	for _, k := range d.shells {
		select {
		case k.turn <- struct{}{}:
			k.borrowed = true
			return k
		default:
		}
	}
	return nil
}

func (d *Driver) add(k *kept) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shells = append(d.shells, k)
}

// Session is one execution context. Its commands are to come one after the other.
type Session struct {
	id      string
	options Options
	kept    map[string]*kept // by program
	shared  *kept            // another session's shell, once it was borrowed
}

// New returns a session in which nothing runs yet.
func New(options Options) *Session {
	if options.Driver == nil {
		options.Driver = &Driver{}
	}
	return &Session{id: rand.Text(), options: options, kept: map[string]*kept{}}
}

// Answer is what a command came to.
type Answer struct {
	Kind      string   `json:"kind"` // text, table or error
	Text      string   `json:"text"` // of an error, the whole cause
	Summary   string   `json:"summary"`
	Rows      [][]any  `json:"rows"`
	Schema    []Column `json:"schema"`
	Truncated bool     `json:"truncated"`
}

// Column is one of a table.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // as Spark's JSON has it
}

// programs are what the languages run in. SQL goes to the program that runs already.
const (
	inPython = "python"
	inShell  = "spark-shell"
	inR      = "r"
)

// Run runs a command. What is wrong with the code, or with the image for it, is an answer of the kind error; the error is
// for programs that could not be started or talked to, and for a context that ended: then the command was interrupted.
func (s *Session) Run(ctx context.Context, language, code string) (Answer, error) {
	language, code = magic(language, code)
	program, err := s.programFor(language)
	if err != nil {
		return failure(err.Error(), ""), nil
	}
	k := s.kept[program]
	if language == "sql" && program == inShell && (k == nil || k.hasEnded()) {
		if shared, err := s.borrow(ctx); err != nil || shared != nil {
			if err != nil {
				return Answer{}, err
			}
			defer shared.release()
			return shared.ask(ctx, "sql:"+s.id, code)
		}
	}
	if k == nil || k.hasEnded() {
		if k, err = s.begin(ctx, program); err != nil {
			return Answer{}, err
		}
		s.kept[program] = k
		if program == inShell {
			s.options.Driver.add(k)
		}
	}
	if err := k.take(ctx); err != nil {
		return Answer{}, err
	}
	defer k.release()
	return k.ask(ctx, language, code)
}

// borrow is the shell of another session, taken for one command: the one that was borrowed before, for it knows this
// session's views, else one that has nothing to do; nil: there is none.
func (s *Session) borrow(ctx context.Context) (*kept, error) {
	if s.shared != nil && !s.shared.hasEnded() {
		return s.shared, s.shared.take(ctx)
	}
	s.shared = s.options.Driver.lend()
	return s.shared, nil
}

// Close ends the programs, but for a shell that another session has borrowed: that one goes with the machine.
func (s *Session) Close(ctx context.Context) error {
	var errs []error
	for _, k := range s.kept {
		s.options.Driver.mu.Lock()
		lent := k.borrowed
		s.options.Driver.mu.Unlock()
		if !lent {
			errs = append(errs, k.program.End(ctx))
		}
	}
	s.kept = map[string]*kept{}
	return errors.Join(errs...)
}

// magic reads a first line that names another language, as a notebook's cell may.
func magic(language, code string) (string, string) {
	first, rest, _ := strings.Cut(strings.TrimLeft(code, " \t\n"), "\n")
	word, more, _ := strings.Cut(strings.TrimSpace(first), " ")
	switch word {
	case "%python", "%scala", "%sql", "%r":
		return word[1:], more + "\n" + rest
	case "%sh", "%pip":
		return "python", code
	}
	return language, code
}

// Able says why no command of the language can ever be run, with what the image has; nil: it can be tried.
func (s *Session) Able(language string) error {
	switch {
	case language == inPython && s.options.Python == "":
		return errors.New("there is no Python in the image, so no Python command can be run")
	case language == inR && s.options.R == "":
		return errors.New("there is no R in the image (no Rscript on its PATH), so no R command can be run")
	}
	return nil
}

func (s *Session) programFor(language string) (string, error) {
	if err := s.Able(language); err != nil {
		return "", err
	}
	switch language {
	case inPython, inR:
		return language, nil
	case "sql":
		if k := s.kept[inPython]; k != nil && !k.hasEnded() {
			return inPython, nil
		}
		return inShell, nil
	case "scala":
		return inShell, nil
	}
	return "", fmt.Errorf("the language %q is none of python, scala, sql and r", language)
}

func (s *Session) begin(ctx context.Context, program string) (*kept, error) {
	mark := rand.Text()
	k := &kept{name: program, mark: mark, answers: make(chan string, 1), turn: make(chan struct{}, 1), patience: cmp.Or(s.options.Patience, usualPatience)}
	var args []string
	switch program {
	case inPython:
		args = []string{s.options.Python, "-u", "-c", pythonHarness, s.options.Home, mark}
	case inR:
		args = []string{s.options.R, "--vanilla", "-e", rHarness, mark}
	default:
		k.patience = cmp.Or(s.options.Patience, shellPatience)
		args = []string{s.options.Home + "/bin/spark-shell", "--master", "local[*]", "--conf", "spark.ui.enabled=false", "--conf", "spark.ui.showConsoleProgress=false", "--conf", "spark.log.level=ERROR"}
	}
	started, err := s.options.Start(ctx, program, args, k)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	k.program = started
	if program == inShell {
		if _, err := io.WriteString(started, scalaPreamble(mark)); err != nil {
			return nil, fmt.Errorf("talking to %s: %w", program, err)
		}
	}
	return k, nil
}

// How long programs have after an interrupt, and to end.
const (
	usualPatience = 10 * time.Second
	shellPatience = 30 * time.Second
	endWithin     = 10 * time.Second
)

// ask puts one command, and waits for its answer.
func (k *kept) ask(ctx context.Context, language, code string) (Answer, error) {
	k.clear()
	line, err := k.line(language, code)
	if err != nil {
		return Answer{}, err
	}
	if _, err := io.WriteString(k.program, line); err != nil && !k.hasEnded() {
		return Answer{}, fmt.Errorf("talking to %s: %w", k.name, err)
	}
	select {
	case text := <-k.answers:
		return k.answer(text)
	case <-k.program.Ended():
		select {
		case text := <-k.answers: // the last thing it wrote
			return k.answer(text)
		default:
		}
		return failure(k.name+" has ended; what the context knew is lost, and the next command begins anew", k.said()), nil
	case <-ctx.Done():
	}
	return Answer{}, k.interrupt(ctx)
}

// interrupt stops the command. A program that does not come back from it is ended, and what it knew is lost.
func (k *kept) interrupt(ctx context.Context) error {
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.patience)
	defer cancel()
	if err := k.program.Interrupt(stopping); err == nil {
		select {
		case <-k.answers:
			return ctx.Err()
		case <-k.program.Ended():
			return ctx.Err()
		case <-stopping.Done():
		}
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	return errors.Join(ctx.Err(), k.program.End(ending))
}

// answer puts what was printed and what was said of it together.
func (k *kept) answer(text string) (Answer, error) {
	var a Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return Answer{}, fmt.Errorf("reading the answer of %s: %w", k.name, err)
	}
	printed := k.said()
	switch a.Kind {
	case "error":
		a.Text = printed + a.Text
		if a.Summary == "" {
			a.Summary = summary(a.Text)
		}
	case "text":
		a.Text = printed + a.Text
	}
	a.Truncated = a.Truncated || k.cut()
	return a, nil
}

func failure(why, printed string) Answer {
	return Answer{Kind: "error", Text: printed + why, Summary: why}
}

// summary is the line of an error that says most: the first that names an error or an exception, else the first.
func summary(text string) string {
	first := ""
	for _, line := range foreign.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "error:") || strings.Contains(line, "Exception") || strings.Contains(line, "Error:") {
			return foreign.Short(line, 400)
		}
		first = cmp.Or(first, line)
	}
	return foreign.Short(first, 400)
}
