package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// RuleMeta is what a rule says of itself in the METADATA comment above it.
type RuleMeta struct {
	// ID is "<pack>.<name>", from `deny.<name> contains …` in the package hallmark.<pack>.
	ID          string
	Title       string
	Description string
	Severity    verdict.Severity
	Remedy      string    // one sentence that starts with a verb
	Source      string    // where the rule comes from: a URL or a document
	Effective   time.Time // before this day, UTC, findings warn but do not block
	File        string    // the file in the pack, for people
	Line        int
}

// Name is the id without the pack.
func (r RuleMeta) Name() string {
	_, name, _ := strings.Cut(r.ID, ".")
	return name
}

const (
	packagePrefix = "hallmark"
	denyName      = "deny"
	testSuffix    = "_test"
)

const exampleRule = `Write the rule as: deny.<name> contains "<what was found>" if { … }`

// ruleMetas gathers the pack's rules from its modules and refuses every one that does not say enough of itself.
func (s *source) ruleMetas(pack string, modules map[string]*ast.Module) ([]RuleMeta, error) {
	var found []RuleMeta
	var wrong []*Problem
	refused := map[string]bool{} // one problem a rule is enough, however many bodies it has
	for _, file := range s.names(isRule) {
		module := modules[file]
		for _, rule := range module.Rules {
			ref := rule.Head.Ref()
			if !isDeny(ref) {
				continue
			}
			loc := rule.Loc()
			name, message := denied(rule)
			if message != "" {
				p := s.at(file, loc.Row, loc.Col, "%s", message)
				p.Suggestion = exampleRule
				wrong = append(wrong, p)
				continue
			}
			meta, p := s.ruleMeta(file, pack+"."+name, rule)
			i := slices.IndexFunc(found, func(r RuleMeta) bool { return r.ID == pack+"."+name })
			switch {
			case i >= 0 && meta == nil:
				// A second way to break a rule that was described above it.
			case i >= 0 && !sameRule(found[i], *meta):
				wrong = append(wrong, s.at(file, loc.Row, loc.Col, "%s is described twice, here and at %s:%d: describe a rule once", meta.ID, found[i].File, found[i].Line))
			case i >= 0 || refused[name]:
			case p != nil:
				refused[name] = true
				wrong = append(wrong, p)
			default:
				found = append(found, *meta)
			}
		}
	}
	if len(wrong) > 0 {
		return nil, problems(wrong)
	}
	if len(found) == 0 {
		return nil, &Problem{File: s.shown, Message: "the pack has no rules", Suggestion: exampleRule}
	}
	slices.SortFunc(found, func(a, b RuleMeta) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}

func sameRule(a, b RuleMeta) bool {
	a.File, a.Line, b.File, b.Line = "", 0, "", 0
	return a == b
}

func isDeny(ref ast.Ref) bool {
	head, ok := ref[0].Value.(ast.Var)
	return ok && string(head) == denyName
}

// denied returns the rule's name, or what is wrong with its head.
func denied(rule *ast.Rule) (name, message string) {
	ref := rule.Head.Ref()
	switch {
	case rule.Default:
		return "", "a deny rule needs no default"
	case rule.Head.RuleKind() != ast.MultiValue || len(ref) == 1:
		return "", "a deny rule must be a set with a name"
	case len(ref) > 2:
		return "", "a deny rule has one name: deny.<name>"
	}
	text, ok := ref[1].Value.(ast.String)
	if !ok || !ruleName.MatchString(string(text)) {
		return "", "a rule's name must be lower-case letters, digits and _, beginning with a letter"
	}
	return string(text), ""
}

// ruleMeta reads the annotations of one rule; nil and a problem when they do not say enough.
func (s *source) ruleMeta(file, id string, rule *ast.Rule) (*RuleMeta, *Problem) {
	loc := rule.Loc()
	if len(rule.Annotations) == 0 {
		p := s.at(file, loc.Row, loc.Col, "the rule %s has no METADATA comment above it", id)
		p.Suggestion = "Say title, and under custom: severity, remedy, source and effective; see docs/policies.md."
		return nil, p
	}
	note := rule.Annotations[len(rule.Annotations)-1]
	m := &RuleMeta{ID: id, Title: strings.TrimSpace(note.Title), Description: strings.TrimSpace(note.Description), File: file, Line: rule.Loc().Row}
	key := ""
	bad := func(format string, args ...any) *Problem {
		row, column := s.metadataKey(file, note, rule, key)
		return s.at(file, row, column, "the rule %s: %s", id, fmt.Sprintf(format, args...))
	}
	if m.Title == "" {
		return nil, bad("title is missing in its METADATA")
	}
	if note.Schemas != nil {
		return nil, bad("schemas in METADATA are not supported: input is checked against the facts' own schema")
	}
	texts := map[string]string{}
	for _, key = range slices.Sorted(maps.Keys(note.Custom)) {
		if !slices.Contains(customKeys, key) {
			p := bad("its METADATA has no key custom.%s", foreign.Spelled(key))
			p.Suggestion = didYouMean(key, slices.Clone(customKeys))
			return nil, p
		}
		switch v := note.Custom[key].(type) {
		case string:
			texts[key] = strings.TrimSpace(v)
		case time.Time: // what YAML makes of a bare date
			texts[key] = v.Format(time.DateOnly)
		default:
			return nil, bad("custom.%s in its METADATA must be a text", key)
		}
	}
	for _, key = range customKeys {
		if texts[key] == "" {
			return nil, bad("custom.%s is missing in its METADATA", key)
		}
	}
	key = "severity"
	severity, err := verdict.ParseSeverity(texts["severity"])
	if err != nil || severity == verdict.Unknown {
		return nil, bad("custom.severity must be low, medium, high or critical, not %q", texts["severity"])
	}
	key = "effective"
	effective, err := time.Parse(time.DateOnly, texts["effective"])
	if err != nil {
		return nil, bad("custom.effective must be a date, YYYY-MM-DD, not %q", texts["effective"])
	}
	m.Severity, m.Remedy, m.Source, m.Effective = severity, texts["remedy"], texts["source"], effective
	return m, nil
}

// metadataKey finds the line of a METADATA comment that says key; the comment's first where none does.
func (s *source) metadataKey(file string, note *ast.Annotations, rule *ast.Rule, key string) (row, column int) {
	first := rule.Loc()
	if note.Location != nil {
		first = note.Location
	}
	for row := first.Row; key != "" && row < rule.Loc().Row; row++ {
		text := lineOf(s.files[file], row)
		if inner := strings.TrimLeft(text, "# \t"); strings.HasPrefix(inner, key+":") {
			return row, len(text) - len(inner) + 1
		}
	}
	return first.Row, first.Col
}

var customKeys = []string{"effective", "remedy", "severity", "source"}
