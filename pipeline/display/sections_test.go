package display

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// headed writes sections as a CI system would fold them.
type headed struct{ w *bytes.Buffer }

func (h headed) Open(name, title string) { fmt.Fprintf(h.w, ">>> %s %s\n", name, title) }
func (h headed) Close()                  { fmt.Fprintln(h.w, "<<<") }

// TestSections: what each step says stands in its own section, once, although steps run at the same time.
func TestSections(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newLines(newSections(&out, headed{&out}, start))
	first, second := story()
	for _, e := range first {
		s.event(e)
	}
	s.tick(at(10))
	for _, e := range second {
		s.event(e)
	}
	s.close(at(60))
	goldentest.Compare(t, "testdata/sections.txt", out.String())

	var plain bytes.Buffer
	p := newLines(newPlain(&plain, start))
	for _, e := range first {
		p.event(e)
	}
	p.tick(at(10))
	for _, e := range second {
		p.event(e)
	}
	p.close(at(60))
	lines := map[string]int{}
	for line := range strings.Lines(plain.String()) {
		lines[line]++
	}
	open := ""
	for line := range strings.Lines(out.String()) {
		switch step, isOpen := strings.CutPrefix(line, ">>> "); {
		case isOpen && open != "":
			t.Errorf("%q opens in %q", line, open)
		case isOpen:
			open = strings.Fields(step)[0]
		case line == "<<<\n":
			open = ""
		default:
			lines[line]--
			if said := strings.Fields(line)[1]; open != "" && said != open && said != noStep {
				t.Errorf("%q stands in the section %s", line, open)
			}
		}
	}
	if open != "" {
		t.Errorf("the section %s is never closed", open)
	}
	for line, n := range lines {
		if n != 0 {
			t.Errorf("shown %d times less than without sections: %q", n, line)
		}
	}
}

// TestSectionsThroughNew: the option reaches the renderer.
func TestSectionsThroughNew(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d := New(&out, Options{Mode: Plain, Sections: headed{&out}, Now: func() time.Time { return start }})
	first, second := story()
	for _, e := range append(first, second...) {
		d.Event(e)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, ">>> build build\n") || strings.Count(got, ">>>") != strings.Count(got, "<<<") {
		t.Error(got)
	}
}
