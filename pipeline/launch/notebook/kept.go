package notebook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept of one command.
const (
	mostText   = 1 << 20
	mostAnswer = 32 << 20
)

// kept is a program that goes on, with what it has written for the command that runs.
//
// A program ends each command with a line that begins with a sign that nobody types, and the mark: what follows is the
// answer. Spark's shell begins one so, too; what it says before is its own.
type kept struct {
	name, mark string
	program    Program
	answers    chan string
	turn       chan struct{} // holds something while a command runs
	borrowed   bool          // by another session; the driver's lock is for it
	patience   time.Duration // after an interrupt

	mu      sync.Mutex
	text    []byte
	lost    bool
	pending []byte
}

// sign begins a line that is no output.
const sign = '\x1e'

const begins = "begins"

// Write takes what the program writes.
func (k *kept) Write(data []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = append(k.pending, data...)
	for {
		at := bytes.IndexByte(k.pending, sign)
		if at < 0 {
			k.keep(k.pending)
			k.pending = k.pending[:0]
			return len(data), nil
		}
		k.keep(k.pending[:at])
		k.pending = append(k.pending[:0], k.pending[at:]...)
		end := bytes.IndexByte(k.pending, '\n')
		if end < 0 && len(k.pending) < mostAnswer {
			return len(data), nil
		}
		if end < 0 {
			end = len(k.pending) - 1
		}
		line := string(k.pending[1:end])
		rest, ours := strings.CutPrefix(line, k.mark+" ")
		switch {
		case !ours:
			k.keep(k.pending[:end+1])
		case rest == begins:
			k.text, k.lost = nil, false
		default:
			select {
			case k.answers <- rest:
			default: // nobody asked: the command before was given up
			}
		}
		k.pending = append(k.pending[:0], k.pending[end+1:]...)
	}
}

func (k *kept) keep(text []byte) {
	room := mostText - len(k.text)
	k.lost = k.lost || len(text) > room
	k.text = append(k.text, text[:min(len(text), room)]...)
}

// take waits for the program's turn.
func (k *kept) take(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *kept) release() { <-k.turn }

// clear forgets what was written before the next command.
func (k *kept) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text, k.lost = nil, false
	select {
	case <-k.answers:
	default:
	}
}

func (k *kept) said() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.ToValidUTF8(string(k.text), "\uFFFD")
}

func (k *kept) cut() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost
}

func (k *kept) hasEnded() bool {
	select {
	case <-k.program.Ended():
		return true
	default:
		return false
	}
}

// literal is how much of a text stands in one literal of Scala, which holds 65535 bytes at most.
const literal = 60_000

// line is a command as the program reads it.
func (k *kept) line(language, code string) (string, error) {
	if k.name != inShell {
		text, err := json.Marshal(map[string]string{"language": language, "code": code})
		if k.name == inR { // base R reads no JSON
			text = []byte(base64.StdEncoding.EncodeToString([]byte(code)))
		}
		return string(text) + "\n", err
	}
	text := base64.StdEncoding.EncodeToString([]byte(code))
	var parts []string
	for len(text) > 0 {
		part := text[:min(literal, len(text))]
		parts, text = append(parts, `"`+part+`"`), text[len(part):]
	}
	return fmt.Sprintf("HallmarkKept.run(%q, %s)\n", language, strings.Join(append(parts, `""`), ", ")), nil
}
