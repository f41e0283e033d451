package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference is docs/configuration.md: every field with its meaning, made from the same description as the decoder.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	fmt.Fprintf(&b, "```yaml\n%s```\n", strings.TrimPrefix(referenceExample, "\n"))
	b.WriteString("\n## Fields\n\nA field that is not written has its default. Types are explained at the end.\n")
	defaults := reflect.ValueOf(Defaults())
	fmt.Fprintf(&b, "\n### image\n\n%s\n\n- Default: %s\n- Environment: `%s`\n", root().field("image").doc, root().field("image").fallback, EnvName("image"))
	for _, f := range root().fields {
		if f.key != "image" {
			section(&b, f.key, f, defaults.FieldByIndex(f.index), 3)
		}
	}
	b.WriteString(referenceTail)
	return b.String()
}

// section writes the table of an object's fields, and then the sections of what is inside it.
func section(b *strings.Builder, path string, f *field, defaults reflect.Value, level int) {
	s, at := f.shape, path
	for s.elem != nil {
		if s.kind == list {
			at += "[]"
		} else {
			at += ".NAME"
		}
		s, defaults = s.elem, reflect.Value{}
	}
	if part, known := partDefaults[s.typ]; known {
		defaults = reflect.ValueOf(part)
	}
	fmt.Fprintf(b, "\n%s %s\n\n%s\n", strings.Repeat("#", level), at, f.doc)
	if s.short != nil {
		fmt.Fprintf(b, "\nWritten without fields, the value is `%s`.\n", s.short.key)
	}
	if s.one {
		b.WriteString("\nExactly one of these:\n")
	}
	b.WriteString("\n| field | type | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, inner := range s.fields {
		value := reflect.Value{}
		if defaults.IsValid() && !s.one {
			value = defaults.FieldByIndex(inner.index)
		}
		fallback := inner.defaultText(value)
		if inner.required {
			fallback = "*required*"
		}
		doc := inner.doc
		if inner.example != "" {
			doc += " Example: `" + inner.example + "`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", inner.key, inner.shape.typeText(), fallback, strings.ReplaceAll(doc, "|", "\\|"))
	}
	for _, inner := range s.fields {
		if inner.shape.deepest().kind == object {
			section(b, join(at, inner.key), inner, valueAt(defaults, inner, s.one), min(level+1, 5))
		}
	}
}

func valueAt(defaults reflect.Value, f *field, one bool) reflect.Value {
	if !defaults.IsValid() || one {
		return reflect.Value{}
	}
	return defaults.FieldByIndex(f.index)
}

// deepest is what stands at the bottom of lists and mappings.
func (s *shape) deepest() *shape {
	for s.elem != nil {
		s = s.elem
	}
	return s
}

// typeText names the type for people.
func (s *shape) typeText() string {
	switch s.kind {
	case object:
		return "fields below"
	case dict:
		return "mapping of " + s.elem.plural()
	case list:
		return "list of " + s.elem.plural()
	case boolean:
		return "true or false"
	case integer:
		return "whole number"
	case number:
		return "number"
	case text:
		if s.words != nil {
			return "`" + strings.Join(s.words, "`, `") + "`"
		}
		if n, known := notations[s.typ]; known {
			return n.name
		}
		return "text"
	default:
		return "anything"
	}
}

func (s *shape) plural() string {
	switch {
	case s.kind == object:
		return "fields below"
	case s.kind == dict:
		return "mappings"
	case s.kind == free:
		return "anything"
	case s.words != nil:
		return s.typeText()
	default:
		return s.typeText() + "s"
	}
}

const referenceHead = `# Configuration

<!-- Made by "go test ./pipeline/config -update" from the code in pipeline/config. Edit it there. -->

Hallmark reads ` + "`hallmark.yaml`" + ` in the current folder, or the file or folder that ` + "`--config`" + ` names. Without a file it builds
the Dockerfile in that folder with the defaults below. Relative paths are meant from the folder of the file.

What Hallmark does not understand it refuses: unknown fields, wrong types, fields that stand there twice, combinations
that cannot work. It says where, shows the line, and tells all mistakes at once; the exit code is 2.
` + "`hallmark schema`" + ` prints a JSON Schema for editors.

## Order

Later ones win:

1. the defaults below;
2. ` + "`hallmark.yaml`" + `;
3. the environment: ` + "`HALLMARK_SCAN_FAIL_ON=critical`" + ` sets ` + "`scan.fail_on`" + `. The name is the field's path in capitals, with
   ` + "`_`" + ` between the parts. Lists are written ` + "`a,b`" + ` or as YAML, mappings as YAML (` + "`{A: b}`" + `). An empty variable says
   nothing. ` + "`SOURCE_DATE_EPOCH`" + ` sets ` + "`build.source_date_epoch`" + ` where neither the file nor a HALLMARK_ variable does;
4. flags: ` + "`--set scan.fail_on=critical`" + `, and the flags of the verbs that stand for a field. ` + "`--set`" + ` reaches every field:
   ` + "`--set launch[0].timeout=15m`" + `, ` + "`--set build.args.SPARK_VERSION=4.0.1`" + `,
   ` + "`--set 'registry.auth[\"registry.example.com\"].username=ci'`" + `. Lists can be lengthened by their next index. With
   ` + "`hallmark check`" + `, a name that is no field is a parameter of the packs: ` + "`--set runtime=16.4`" + ` for all that have it,
   ` + "`--set databricks.runtime=16.4`" + ` for one. Packs that a flag names take the place of the file's, and parameters that the file has
   for other packs do not count then.

A list or mapping that is written replaces the default as a whole.

## Secrets

A secret never stands in the file, the environment variable of a field, or a flag. What stands there says where it is:
` + "`env:NAME`" + ` is an environment variable, ` + "`file:PATH`" + ` a file. Anything else is refused, and is not repeated in the message.

## Example

`

const referenceExample = `
image: registry.example.com/platform/spark
build:
  args: {SPARK_VERSION: 4.0.1}
check:
  packs: [base, spark]
  waivers:
    - rule: base.setuid
      reason: sudo is part of the contract
      owner: platform-team
      until: 2027-01-31
scan:
  fail_on: high
sign:
  key: file:hallmark.key
  password: env:HALLMARK_KEY_PASSWORD
launch:
  - target: sandbox
    profile: spark
    limits: {memory: 3Gi, cpus: 2, pids: 1024}
    probes:
      - spark-pi: 20
      - run: [bin/spark-submit, --version]
promote:
  tags: [golden]
`

const referenceTail = `
## Types

| type | written |
| --- | --- |
| text | as it is: ` + "`3.10`" + ` and ` + "`true`" + ` are texts where texts are wanted |
| duration | ` + "`90s`" + `, ` + "`10m`" + `, ` + "`48h`" + `, ` + "`7d`" + `, ` + "`2w`" + `, or several: ` + "`1h30m`" + `; ` + "`0`" + ` |
| size | ` + "`3Gi`" + ` (Ki, Mi, Gi, Ti count in 1024s), ` + "`512MB`" + ` (k, M, G, T in thousands), or bytes |
| date | ` + "`2027-01-31`" + `; the day ends at midnight UTC |
| time | seconds since 1970, ` + "`2027-01-31`" + `, or ` + "`2027-01-31T00:00:00Z`" + ` |
| secret reference | ` + "`env:NAME`" + ` or ` + "`file:PATH`" + ` |

## Limits

The file may hold 1 MiB, 20 000 values (an alias counts each time it is used) and 32 levels. Merge keys (` + "`<<`" + `), custom
tags and a second document are refused.
`
