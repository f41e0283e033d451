package scan

import (
	"bytes"
	"regexp/syntax"
	"strings"

	"github.com/aquasecurity/trivy/pkg/fanal/secret"
)

// prefilter tells in one pass over a text which secret rules can match it at all. Running some hundred regular
// expressions over every text file is most of a scan's cost, and nearly none of them can match a given file.
//
// It is safe because it asks only for what a match must contain: literals and long runs of letters and digits that
// are mandatory in the rule's own expression, and the rule's own keywords.
type prefilter struct {
	rules []secret.Rule
	needs []need // per rule
	words automaton
}

// need is what a text must have before a rule can match: of each clause one word, and the runs.
type need struct {
	clauses [][]int // word numbers
	hex     int     // hexadecimal digits in a row
	token   int     // token characters in a row
}

func newPrefilter(rules []secret.Rule) *prefilter {
	p := &prefilter{rules: rules, needs: make([]need, len(rules))}
	numbers := map[string]int{}
	var words []string
	number := func(word string) int {
		n, known := numbers[word]
		if !known {
			n = len(words)
			numbers[word] = n
			words = append(words, word)
		}
		return n
	}
	for i, rule := range rules {
		demand := demand{}
		if rule.Regex != nil {
			if tree, err := syntax.Parse(rule.Regex.String(), syntax.Perl); err == nil {
				demand = demanded(tree)
			}
		}
		if len(rule.Keywords) > 0 {
			demand.clauses = append(demand.clauses, rule.Keywords)
		}
		p.needs[i].hex, p.needs[i].token = demand.hex, demand.token
		for _, clause := range demand.clauses {
			var alternatives []int
			for _, word := range clause {
				alternatives = append(alternatives, number(strings.ToLower(word)))
			}
			p.needs[i].clauses = append(p.needs[i].clauses, alternatives)
		}
	}
	p.words = newAutomaton(words)
	return p
}

// Letters whose lower or upper case is ASCII though they are not: the long s and the Kelvin sign. Case-insensitive
// expressions match them; the automaton does not.
var oddLetters = [][]byte{[]byte("\u017f"), []byte("\u212a")}

// candidates returns the rules that text may match.
func (p *prefilter) candidates(text []byte) []secret.Rule {
	for _, odd := range oddLetters {
		if bytes.Contains(text, odd) {
			return p.rules
		}
	}
	found, hex, token := p.words.find(text)
	var rules []secret.Rule
	for i := range p.needs {
		if p.needs[i].met(found, hex, token) {
			rules = append(rules, p.rules[i])
		}
	}
	return rules
}

func (n need) met(found []bool, hex, token int) bool {
	if hex < n.hex || token < n.token {
		return false
	}
	for _, clause := range n.clauses {
		any := false
		for _, word := range clause {
			any = any || found[word]
		}
		if !any {
			return false
		}
	}
	return true
}

// demand is what every match of an expression contains. Clauses hold words in any case.
type demand struct {
	clauses    [][]string
	hex, token int
}

func demanded(tree *syntax.Regexp) demand {
	switch tree.Op {
	case syntax.OpLiteral:
		return literal(string(tree.Rune))
	case syntax.OpCapture:
		return demanded(tree.Sub[0])
	case syntax.OpPlus:
		return demanded(tree.Sub[0])
	case syntax.OpRepeat:
		return repeated(tree)
	case syntax.OpConcat:
		var all demand
		for _, sub := range tree.Sub {
			part := demanded(sub)
			all.clauses = append(all.clauses, part.clauses...)
			all.hex, all.token = max(all.hex, part.hex), max(all.token, part.token)
		}
		return all
	case syntax.OpAlternate:
		return alternated(tree)
	default:
		return demand{}
	}
}

func literal(text string) demand {
	for _, r := range text {
		if r >= 0x80 {
			return demand{}
		}
	}
	if len(text) < 2 { // single letters are everywhere
		return demand{}
	}
	return demand{clauses: [][]string{{text}}}
}

func repeated(tree *syntax.Regexp) demand {
	if tree.Min == 0 {
		return demand{}
	}
	inner := demanded(tree.Sub[0])
	if tree.Sub[0].Op == syntax.OpCharClass {
		if within(tree.Sub[0].Rune, isHex) {
			inner.hex = tree.Min
		}
		if within(tree.Sub[0].Rune, isToken) {
			inner.token = tree.Min
		}
	}
	return inner
}

// alternated demands one word of each alternative, where each has one, and the shortest of their runs.
func alternated(tree *syntax.Regexp) demand {
	var either []string
	result := demand{hex: -1, token: -1}
	worded := true
	for _, sub := range tree.Sub {
		part := demanded(sub)
		best := []string(nil)
		for _, clause := range part.clauses {
			if best == nil || len(clause[0]) > len(best[0]) {
				best = clause
			}
		}
		worded = worded && best != nil
		either = append(either, best...)
		if result.hex < 0 || part.hex < result.hex {
			result.hex = part.hex
		}
		if result.token < 0 || part.token < result.token {
			result.token = part.token
		}
	}
	if worded {
		result.clauses = [][]string{either}
	}
	return result
}

// within says whether a class (pairs of first and last rune) has only characters that are is. Case folding adds the
// odd letters above to a class; texts that hold those do not come here.
func within(class []rune, is func(byte) bool) bool {
	for i := 0; i+1 < len(class); i += 2 {
		for r := class[i]; r <= class[i+1]; r++ {
			if r == '\u017f' || r == '\u212a' {
				continue
			}
			if r >= 0x80 || !is(byte(r)) {
				return false
			}
		}
	}
	return len(class) > 0
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

func isToken(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' || strings.IndexByte("-_=./+~%", b) >= 0
}

// automaton finds which of many words a text contains, in any ASCII case, in one pass (Aho and Corasick, 1975).
type automaton struct {
	words int
	next  [][256]uint16
	ends  [][]int // per state, the words that end there
	class [256]uint8
}

const (
	classHex = 1 << iota
	classToken
)

func newAutomaton(words []string) automaton {
	a := automaton{words: len(words), next: make([][256]uint16, 1), ends: make([][]int, 1)}
	for n, word := range words {
		state := uint16(0)
		for i := range len(word) {
			to := a.next[state][word[i]]
			if to == 0 {
				a.next = append(a.next, [256]uint16{})
				a.ends = append(a.ends, nil)
				to = uint16(len(a.next) - 1)
				a.next[state][word[i]] = to
			}
			state = to
		}
		a.ends[state] = append(a.ends[state], n)
	}
	a.link()
	for b := range 256 {
		if isHex(byte(b)) {
			a.class[b] |= classHex
		}
		if isToken(byte(b)) {
			a.class[b] |= classToken
		}
	}
	return a
}

// link turns the tree of words into an automaton that never steps back, and makes upper case follow lower case.
func (a *automaton) link() {
	fallback := make([]uint16, len(a.next))
	var queue []uint16
	for b := range 256 {
		if to := a.next[0][b]; to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		a.ends[state] = append(a.ends[state], a.ends[fallback[state]]...)
		for b := range 256 {
			if to := a.next[state][b]; to != 0 {
				fallback[to] = a.next[fallback[state]][b]
				queue = append(queue, to)
			} else {
				a.next[state][b] = a.next[fallback[state]][b]
			}
		}
	}
	for state := range a.next {
		for b := 'A'; b <= 'Z'; b++ {
			a.next[state][b] = a.next[state][b|0x20]
		}
	}
}

// find says which words text contains, and how long its longest runs of hexadecimal digits and of token characters are.
func (a *automaton) find(text []byte) (found []bool, hex, token int) {
	found = make([]bool, a.words)
	state := uint16(0)
	hexRun, tokenRun := 0, 0
	for _, b := range text {
		state = a.next[state][b]
		for _, word := range a.ends[state] {
			found[word] = true
		}
		class := a.class[b]
		if class&classToken == 0 {
			token, tokenRun = max(token, tokenRun), 0
			hex, hexRun = max(hex, hexRun), 0
			continue
		}
		tokenRun++
		if class&classHex == 0 {
			hex, hexRun = max(hex, hexRun), 0
			continue
		}
		hexRun++
	}
	return found, max(hex, hexRun), max(token, tokenRun)
}
