package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// spans are stretches of time that may overlap.
type spans [][2]time.Time

func (s *spans) add(from, to time.Time) { *s = append(*s, [2]time.Time{from, to}) }

// covered is how long at least one of them lasted.
func (s spans) covered() time.Duration {
	slices.SortFunc(s, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	var total time.Duration
	var until time.Time
	for _, span := range s {
		from := span[0]
		if from.Before(until) {
			from = until
		}
		if span[1].After(from) {
			total += span[1].Sub(from)
			until = span[1]
		}
	}
	return total
}

func eachLine(path string, do func([]byte)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		do(lines.Bytes())
	}
	return lines.Err()
}

// tail is the end of what a program said, for errors.
func tail(said []byte) []byte {
	return bytes.TrimSpace(said[max(0, len(said)-1500):])
}

func stepsText(steps []step) string {
	var parts []string
	for _, s := range steps {
		if s.took >= 5*time.Millisecond {
			parts = append(parts, fmt.Sprintf("%s %.2f", s.name, s.took.Seconds()))
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
