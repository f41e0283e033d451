package check

import (
	"fmt"
	"strings"
	"time"
)

// Reference describes packs in Markdown: their parameters, and for each rule what it is for and what to do when it speaks.
func Reference(packs []*Pack) string {
	var b strings.Builder
	for _, p := range packs {
		fmt.Fprintf(&b, "## Pack `%s` %s: %s\n\n%s\n\n", p.Name, p.Version, strings.ToLower(p.Title[:1])+p.Title[1:], p.Description)
		if len(p.Params) > 0 {
			b.WriteString("| parameter | type | default | |\n| --- | --- | --- | --- |\n")
			for _, param := range append(p.Params[:len(p.Params):len(p.Params)], failOnParam) {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", param.Name, param.Type, param.fallback(), cell(param.Doc))
			}
			b.WriteString("\n")
		}
		b.WriteString("| rule | severity | |\n| --- | --- | --- |\n")
		for _, r := range p.Rules {
			fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", r.ID, anchor(r.ID), r.Severity, cell(r.Title))
		}
		b.WriteString("\n")
		for _, r := range p.Rules {
			r.describe(&b)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (r RuleMeta) describe(b *strings.Builder) {
	fmt.Fprintf(b, "### `%s`\n\n%s.", r.ID, strings.TrimSuffix(r.Title, "."))
	if r.Description != "" {
		b.WriteString(" " + strings.Join(strings.Fields(r.Description), " "))
	}
	fmt.Fprintf(b, "\n\n- Severity: %s, in effect from %s\n- Remedy: %s\n- Source: %s\n\n", r.Severity, r.Effective.Format(time.DateOnly), r.Remedy, r.Source)
}

// anchor is the name that Markdown renderers give to the heading `id`: lower case, punctuation dropped.
func anchor(id string) string { return strings.ReplaceAll(id, ".", "") }

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// fallback is what counts where a parameter is not given, in words.
func (p Param) fallback() string {
	text := defaultText(p.Default)
	if p.Name == failOn {
		text = "`check.fail_on`" // the program always has one
	}
	if p.Required {
		text = "must be given, such as " + defaultText(p.Example)
	}
	if p.From != "" {
		return "that of `" + p.From + "`; else " + text
	}
	return text
}

func defaultText(v any) string {
	list, isList := v.([]any)
	if v == "" {
		return "none"
	}
	if !isList {
		return fmt.Sprintf("`%v`", v)
	}
	items := make([]string, 0, len(list))
	for _, item := range list {
		items = append(items, fmt.Sprintf("`%v`", item))
	}
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}
