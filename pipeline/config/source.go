package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// source is where values were written: the file, and what the overrides put in its place.
type source struct {
	name  string // the file as it was given
	lines []string
	// overrides are the nodes that came from the environment or from flags, with their origin.
	overrides map[*yaml.Node]string
}

// origin says in words where a node was written.
func (s *source) origin(n *yaml.Node) string {
	if from, ok := s.overrides[n]; ok {
		return from
	}
	return fmt.Sprintf("%s:%d", s.name, n.Line)
}

// problem keeps one thing that is wrong with n.
func (d *decoder) problem(n *yaml.Node, field, message, hint string) {
	if len(d.problems) >= maxKept {
		d.more++
		return
	}
	p := Problem{Source: d.source.name, Field: short(field), Message: short(message), Hint: short(hint), Width: 1}
	if from, ok := d.source.overrides[n]; ok {
		p.Source = from
	} else if n != nil && n.Line > 0 {
		p.Line, p.Column = n.Line, n.Column
		if n.Line <= len(d.source.lines) {
			p.Text = d.source.lines[n.Line-1]
		}
		if n.Kind == yaml.ScalarNode && !strings.ContainsAny(n.Value, "\n") {
			p.Width = utf8.RuneCountInString(n.Value)
			if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
				p.Width += 2
			}
			if slices.Contains(d.secrets, n.Value) {
				p.Width = len(hidden)
			}
		}
	}
	d.problems = append(d.problems, p)
}

// err is everything that is wrong, or nil. Secrets that were written as literals are hidden in it.
func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Field, b.Field))
	})
	if extra := len(d.problems) - maxProblems; extra > 0 {
		d.problems, d.more = d.problems[:maxProblems], d.more+extra
	}
	for i := range d.problems {
		p := &d.problems[i]
		before := string([]rune(p.Text)[:min(max(p.Column-1, 0), utf8.RuneCountInString(p.Text))])
		p.Column += utf8.RuneCountInString(withoutSecrets(before, d.secrets)) - utf8.RuneCountInString(before)
		p.Text = withoutSecrets(p.Text, d.secrets)
		p.Message, p.Hint, p.Source = d.hide(p.Message), d.hide(p.Hint), d.hide(p.Source)
		if p.Width > 1 {
			p.Width = min(p.Width, utf8.RuneCountInString(p.Text))
		}
	}
	return &Problems{List: d.problems, More: d.more}
}

// hide takes literal secrets out of a message.
func (d *decoder) hide(message string) string {
	for _, value := range d.secrets {
		if len(value) > 3 { // shorter ones would take the message apart; none of ours repeats them
			message = strings.ReplaceAll(message, value, hidden)
		}
	}
	return message
}

// short bounds what a message repeats of foreign text, and neutralises it.
func short(s string) string { return foreign.Cut(foreign.Columns(s), 300) }
