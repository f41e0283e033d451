// Package secret reads secrets by reference and keeps them out of everything that people see. It also says to which
// addresses they may be sent.
//
// A secret is never written in a configuration, a flag or an argument: what stands there is where it is,
// "env:NAME" or "file:PATH". ("keyvault:" joins them with the Azure room.)
package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// maxFile bounds what a file: reference may hold: keys and tokens are far smaller.
const maxFile = 1 << 20

// Ref says where a secret is. The zero Ref is no secret.
type Ref string

// Check says whether the reference is well formed, without reading the secret.
func (r Ref) Check() error {
	if r == "" {
		return nil
	}
	scheme, rest, found := strings.Cut(string(r), ":")
	switch {
	case found && scheme == "env" && rest != "" && !strings.ContainsAny(rest, "= \t"):
		return nil
	case found && scheme == "file" && rest != "":
		return nil
	case found && scheme == "keyvault":
		return fmt.Errorf("%w: keyvault: references are not supported yet; use env:NAME or file:PATH", verdict.ErrUsage)
	default:
		// The text itself may be the secret, written where its reference belongs: do not repeat it.
		return fmt.Errorf("%w: a secret must be given by reference: env:NAME or file:PATH", verdict.ErrUsage)
	}
}

// Read returns the secret that r points to and masks it from then on. A file's last line end is not part of it.
func (r Ref) Read() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(string(r), ":")
	var value []byte
	switch scheme {
	case "env":
		text, set := os.LookupEnv(rest)
		if !set {
			return nil, fmt.Errorf("%w: reading the secret %s: the environment variable is not set", verdict.ErrUsage, r)
		}
		value = []byte(text)
	case "file":
		var err error
		if value, err = readFile(rest); err != nil {
			return nil, fmt.Errorf("%w: reading the secret %s: %w", verdict.ErrUsage, r, err)
		}
	default:
		return nil, fmt.Errorf("%w: no secret is referenced here", verdict.ErrUsage)
	}
	value = []byte(strings.TrimRight(string(value), "\r\n"))
	Mask(string(value))
	return value, nil
}

// readFile reads a small file. It may be a pipe, whose size nobody knows before.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer file.Close()
	value, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, errors.Unwrap(err)
	case len(value) > maxFile:
		return nil, fmt.Errorf("the file holds more than %d bytes", maxFile)
	}
	return value, nil
}

var (
	mu     sync.RWMutex
	masked []string
	forms  []string          // and other ways to write them, the longest first: what holds another must go before it, or its rest would show
	hidden *strings.Replacer // finds all of them in one pass; nil: nothing is masked
	tell   func(line string)
)

// Announce has every masked line of a secret told: those known by now at once, later ones before anybody can use them.
// It is for a log that hides what it was told of, such as that of GitHub Actions; nil ends it. to must not call Redact.
func Announce(to func(line string)) {
	mu.Lock()
	defer mu.Unlock()
	tell = to
	for _, line := range masked {
		if tell != nil {
			tell(line)
		}
	}
}

// shortest is the length below which a value is not masked: hiding every "1" or "yes" would hide the log itself.
const shortest = 4

// Mask makes Redact replace value, and each line of it, from now on; also as addresses, JSON, HTML and base64 write it.
func Mask(value string) {
	mu.Lock()
	defer mu.Unlock()
	lines, known := strings.Split(value, "\n"), len(forms)
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(line) < shortest || slices.Contains(masked, line) {
			continue
		}
		masked = append(masked, line)
		look(line)
		if len(lines) <= mostLines {
			for _, form := range formsOf(line) {
				look(form)
			}
		}
		if tell != nil {
			tell(line)
		}
	}
	if len(forms) == known {
		return
	}
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, "***")
	}
	hidden = strings.NewReplacer(pairs...)
}

// look adds one text to look for; mu is held.
func look(text string) {
	if slices.Contains(forms, text) {
		return
	}
	at := slices.IndexFunc(forms, func(other string) bool { return len(other) < len(text) })
	if at < 0 {
		at = len(forms)
	}
	forms = slices.Insert(forms, at, text)
}

// Redact replaces every masked secret in text with "***".
func Redact(text string) string {
	mu.RLock()
	defer mu.RUnlock()
	if hidden == nil {
		return text
	}
	return hidden.Replace(text)
}
