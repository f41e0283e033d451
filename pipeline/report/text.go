package report

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Elapsed is a span of time as people read it: 0.4s, 41.2s, 1m42s, 1h02m.
func Elapsed(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 99950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// Bytes is a size as people read it: 512 B, 4.1 kB, 212 MB, 1.02 GB.
func Bytes(n int64) string {
	value, unit := float64(n), 0
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	switch {
	case unit == 0:
		return strconv.FormatInt(n, 10) + " B"
	case value < 9.995 && unit > 2:
		return fmt.Sprintf("%.2f %s", value, units[unit])
	case value < 99.5:
		return fmt.Sprintf("%.1f %s", value, units[unit])
	default:
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
}

// age is how long ago something was, roughly.
func age(d time.Duration) string {
	for _, unit := range []struct {
		name string
		span time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= 2*unit.span || unit.name == "minute" {
			return verdict.Plural(int(d/unit.span), unit.name)
		}
	}
	return ""
}

// when is a moment as people read it, in UTC, so that the same data gives the same bytes everywhere.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// cells is how many columns of a terminal the text takes.
func cells(text string) int { return runewidth.StringWidth(text) }

// Fit cuts text to width columns, and says with … that it did.
func Fit(text string, width int) string {
	if cells(text) <= width {
		return text
	}
	return runewidth.Truncate(text, max(width, 1), "…")
}

// pad fills text with spaces to width columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-cells(text)))
}

// Wrap breaks text between words into lines of width columns. A word that is longer, such as a reference or a path,
// keeps its own line unbroken, so that it can be copied.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case cells(line)+1+cells(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// tail is the last lines of text, at most so many and so many bytes.
func tail(text string, lines, bytes int) string {
	if len(text) > bytes {
		text = text[len(text)-bytes:]
		if _, after, found := strings.Cut(text, "\n"); found {
			text = after // not half a line
		}
		text = strings.ToValidUTF8(text, "�")
	}
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// redacted is a copy of v in which every text has gone through secret.Redact.
func redacted[T any](v T) T {
	return redactedValue(reflect.ValueOf(v)).Interface().(T)
}

func redactedValue(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		made := reflect.New(v.Type()).Elem()
		made.SetString(secret.Redact(v.String()))
		return made
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		made := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			made.Index(i).Set(redactedValue(v.Index(i)))
		}
		return made
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		made := reflect.New(v.Type().Elem())
		made.Elem().Set(redactedValue(v.Elem()))
		return made
	case reflect.Struct:
		made := reflect.New(v.Type()).Elem()
		made.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				made.Field(i).Set(redactedValue(v.Field(i)))
			}
		}
		return made
	default:
		return v
	}
}
