package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/aquasecurity/trivy/pkg/fanal/secret"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"

	"github.com/hallmark-ci/hallmark/pipeline/image"
)

const (
	// minSecretFile is the size below which no rule's secret fits.
	minSecretFile = 10
	// maxSecretFile is the size above which a text file is not searched: such files are data, and the report says
	// how many there were.
	maxSecretFile = 32 << 20
	// binaryHead is how many bytes decide whether a file is text.
	binaryHead = 300
	// maxSecretFindings bounds what one file may report; a dump of keys needs no thousand findings to fail.
	maxSecretFindings = 100
)

// secretRecord is what the secret analyzer keeps of one file.
type secretRecord struct {
	Findings []ftypes.SecretFinding `json:"findings,omitempty"`
	// TooLarge is the size of a text file that was not searched.
	TooLarge int64 `json:"too_large,omitempty"`
}

// secretEngine is trivy's scanner with its built-in rules, behind a filter.
type secretEngine struct {
	scanner secret.Scanner
	filter  *prefilter
}

// The engine is made once: a hundred expressions take 15 ms, and making them is not safe for concurrent use.
var engine = sync.OnceValue(func() *secretEngine {
	scanner := secret.NewScanner(nil)
	return &secretEngine{scanner: scanner, filter: newPrefilter(scanner.Rules)}
})

// scan looks for secrets in text; file is the path with a leading slash, by which rules allow and select.
func (e *secretEngine) scan(file string, text []byte, binary bool) []ftypes.SecretFinding {
	rules := e.filter.candidates(text)
	if len(rules) == 0 {
		return nil
	}
	scanner, global := e.scanner, *e.scanner.Global
	global.Rules = rules
	scanner.Global = &global
	findings := scanner.Scan(secret.ScanArgs{FilePath: file, Content: bytes.NewReader(text), Binary: binary}).Findings
	if len(findings) > maxSecretFindings {
		findings = findings[:maxSecretFindings]
	}
	for i := range findings {
		// The lines around a match may hold what no rule knows: they are not kept.
		findings[i].Code = ftypes.Code{}
		if !binary {
			findings[i].Match = shownMatch(findings[i].Match)
		}
	}
	return findings
}

var assigned = regexp.MustCompile(`([=:]\s*["']?)[^\s"'*]+`)

// shownMatch is what people see of the line that a secret stands in: what leads to it, without any other value,
// and nothing of what follows.
func shownMatch(line string) string {
	first := strings.IndexByte(line, '*')
	if first < 0 {
		return ""
	}
	length := len(line[first:]) - len(strings.TrimLeft(line[first:], "*"))
	lead := strings.TrimLeft(line[:first], " \t")
	if len(lead) > 48 {
		lead = strings.ToValidUTF8(lead[len(lead)-48:], "")
	}
	return strings.TrimSpace(assigned.ReplaceAllString(lead, "${1}***") + strings.Repeat("*", min(length, 8)))
}

// censor replaces every secret that a rule finds in text by asterisks.
func (e *secretEngine) censor(text string) string {
	content := []byte(text)
	var masked []byte
	for _, rule := range e.filter.candidates(content) {
		for _, at := range e.scanner.FindLocations(rule, content) {
			if masked == nil {
				masked = bytes.Clone(content)
			}
			for i := at.Start; i < at.End; i++ {
				masked[i] = '*'
			}
		}
	}
	if masked == nil {
		return text
	}
	return string(masked)
}

type secretAnalyzer struct{ engine *secretEngine }

func newSecretAnalyzer() secretAnalyzer { return secretAnalyzer{engine()} }

func (secretAnalyzer) Key() string { return secretsKey }

// neverText are formats that cannot be text, so that large files of them need not even be opened.
var neverText = map[string]bool{
	".jar": true, ".war": true, ".ear": true, ".class": true, ".so": true, ".a": true, ".o": true, ".whl": true,
	".egg": true, ".xz": true, ".bz2": true, ".zst": true, ".tgz": true, ".parquet": true, ".orc": true, ".avro": true,
	".jpeg": true, ".ico": true, ".webp": true, ".woff": true, ".woff2": true, ".ttf": true, ".mo": true, ".dll": true,
}

func (a secretAnalyzer) Wants(file string, info fs.FileInfo) bool {
	if info.Size() < minSecretFile || neverText[path.Ext(file)] {
		return false
	}
	return !a.engine.scanner.IsSkipped(file) && !a.engine.scanner.AllowPath(file) &&
		!a.engine.scanner.AllowPath("/"+file)
}

func (a secretAnalyzer) Analyze(_ context.Context, file image.File) (json.RawMessage, error) {
	head := make([]byte, min(binaryHead, file.Size))
	if _, err := file.ReaderAt.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	binary := isBinary(head)
	compiled := path.Ext(file.Path) == ".pyc" // Python keeps the strings of a source in clear
	if binary && !compiled {
		return nil, nil
	}
	if file.Size > maxSecretFile {
		return json.Marshal(secretRecord{TooLarge: file.Size})
	}
	text := file.Bytes
	if text == nil {
		var err error
		if text, err = io.ReadAll(file.Reader()); err != nil {
			return nil, err
		}
	}
	if binary {
		text = printable(text)
	}
	findings := a.engine.scan("/"+file.Path, text, binary)
	if len(findings) == 0 {
		return nil, nil
	}
	return json.Marshal(secretRecord{Findings: findings})
}

// isBinary says whether the first bytes of a file hold control characters that no text has.
func isBinary(head []byte) bool {
	return slices.ContainsFunc(head, func(b byte) bool {
		return b < 7 || b == 11 || 13 < b && b < 27 || 27 < b && b < 0x20 || b == 0x7f
	})
}

var printableByte = func() (table [256]bool) {
	for b := range table {
		table[b] = unicode.IsPrint(rune(b))
	}
	return table
}()

// printable keeps the runs of at least five printable bytes, one a line.
func printable(body []byte) []byte {
	var text []byte
	for i := 0; i < len(body); {
		end := i
		for end < len(body) && printableByte[body[end]] {
			end++
		}
		if end-i > 4 {
			text = append(append(text, body[i:end]...), '\n')
		}
		i = end + 1
	}
	return text
}

// configSecret is a secret in the image's configuration.
type configSecret struct {
	place     string // "env NAME", "label key", "history 3"
	createdBy string // masked; history only
	found     ftypes.SecretFinding
}

// scanConfig looks through what anyone who pulls the image can read of it without opening a layer.
func (e *secretEngine) scanConfig(contents *image.Contents) []configSecret {
	if contents.Config == nil {
		return nil
	}
	var all []configSecret
	look := func(place, createdBy, text string) {
		for _, found := range e.scan("config.json", []byte(text), false) {
			all = append(all, configSecret{place: place, createdBy: createdBy, found: found})
		}
	}
	for _, variable := range contents.Config.Config.Env {
		name, _, _ := strings.Cut(variable, "=")
		look("env "+name, "", variable)
	}
	labels := contents.Config.Config.Labels
	for _, key := range sortedKeys(labels) {
		look("label "+key, "", key+"="+labels[key])
	}
	for _, words := range [][]string{contents.Config.Config.Entrypoint, contents.Config.Config.Cmd} {
		look("command", "", strings.Join(words, " "))
	}
	for i, entry := range contents.Config.History {
		look(fmt.Sprintf("history %d", i+1), e.censor(entry.CreatedBy), entry.CreatedBy)
		look(fmt.Sprintf("history %d", i+1), "", entry.Comment)
	}
	return all
}
