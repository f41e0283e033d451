package databricks

import (
	"context"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

// Probe puts one question through command execution.
func (c *cluster) Probe(ctx context.Context, probe launch.Probe) (launch.Output, error) {
	out, err := c.ask(ctx, probe)
	book := c.book.Output(probe.Name, nil)
	_, _ = book.Write([]byte(out.Text))
	_ = book.Close()
	if missing := (*noContext)(nil); errors.As(err, &missing) {
		return launch.Output{Fault: noLanguage(missing.language)}, nil
	}
	return out, c.target.surely(err)
}

func (c *cluster) ask(ctx context.Context, probe launch.Probe) (launch.Output, error) {
	switch probe.Kind {
	case launch.Python:
		return c.code(ctx, compute.LanguagePython, probe.Code)
	case launch.Scala:
		return c.code(ctx, compute.LanguageScala, probe.Code)
	case launch.SQL:
		return c.code(ctx, compute.LanguageSql, probe.Code)
	case launch.R:
		return c.code(ctx, compute.LanguageR, probe.Code)
	case launch.Pip:
		return c.pip(ctx, probe)
	case launch.Fuse:
		return c.code(ctx, compute.LanguagePython, fuseCode(probe.Path, probe.Write))
	case launch.GPU:
		return c.code(ctx, compute.LanguagePython, gpuCode)
	case launch.Command:
		return c.command(ctx, probe.Args)
	}
	return launch.Output{}, fmt.Errorf("the target databricks has no probe %s", probe.Kind)
}

// code runs code and takes what it says.
func (c *cluster) code(ctx context.Context, language compute.Language, code string) (launch.Output, error) {
	results, err := c.run(ctx, language, code)
	if err != nil {
		return launch.Output{}, err
	}
	return output(results), nil
}

// command runs a program: through Python, or through Scala where the image has no Python.
func (c *cluster) command(ctx context.Context, args []string) (launch.Output, error) {
	out, err := c.code(ctx, compute.LanguagePython, commandCode(args))
	if errors.As(err, new(*noContext)) {
		out, err = c.code(ctx, compute.LanguageScala, commandScala(args))
	}
	if err != nil || out.ExitCode != 0 {
		return out, err
	}
	return ofCommand(out), nil
}

// pip installs as a notebook does, and runs code with what was installed.
func (c *cluster) pip(ctx context.Context, probe launch.Probe) (launch.Output, error) {
	out, err := c.code(ctx, compute.LanguagePython, pipLine(probe.From, probe.Args))
	if err != nil {
		return out, err
	}
	if out.ExitCode != 0 || pipFailed.MatchString(out.Text) {
		out.Fault = launch.NotInstalled(probe, out.Text)
		return out, nil
	}
	if probe.Code == "" {
		return out, nil
	}
	return c.code(ctx, compute.LanguagePython, probe.Code)
}

// noLanguage is the fault of an image in which a language does not run.
func noLanguage(language compute.Language) *launch.Error {
	remedy := map[compute.Language]string{
		compute.LanguagePython: "Install Python in /databricks/python3 with the packages that the runtime asks for, and let PYSPARK_PYTHON name it",
		compute.LanguageR:      "Install R with the packages Rserve and hwriterPlus",
	}[language]
	if remedy == "" {
		remedy = "Read the driver's log in the workspace, and compare the image with what the runtime asks for (hallmark check --pack databricks)"
	}
	return launch.Faulty("the cluster runs, and no "+string(language)+" code does in it", remedy)
}

var (
	tag    = regexp.MustCompile(`<[^>]*>`)
	escape = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
	out    = regexp.MustCompile(`(?m)^Out\[\d+\]: `)
	exited = regexp.MustCompile(`(?m)^SystemExit: (-?\d+)`)
	markup = regexp.MustCompile(`<(?:div|span|pre|html|p|a)\b`)
)

// mostText bounds what is kept of an answer: its end.
const mostText = 1 << 20

// plainText is what a notebook would show, without colours and markup.
func plainText(text string) string {
	text = escape.ReplaceAllString(text, "")
	if markup.MatchString(text) {
		text = html.UnescapeString(tag.ReplaceAllString(text, ""))
	}
	return text
}

// output is a command's result as an answer to a probe.
func output(r *compute.Results) launch.Output {
	var answer launch.Output
	switch r.ResultType {
	case compute.ResultTypeError:
		// The cause holds the summary as a rule, at its end.
		summary, cause := strings.TrimSpace(plainText(r.Summary)), strings.TrimSpace(plainText(r.Cause))
		answer.Text, answer.ExitCode = cause, 1
		if !strings.Contains(cause, summary) {
			answer.Text = strings.TrimSpace(cause + "\n" + summary)
		}
		if match := exited.FindStringSubmatch(answer.Text); match != nil {
			if code, err := strconv.Atoi(match[1]); err == nil {
				answer.ExitCode = code & 0xff
			}
		}
	case compute.ResultTypeTable:
		answer.Text = table(r)
	case compute.ResultTypeImage, compute.ResultTypeImages:
		answer.Text = "(an image)"
	default:
		if text, isText := r.Data.(string); isText {
			answer.Text = out.ReplaceAllString(plainText(text), "")
		} else if r.Data != nil {
			answer.Text = fmt.Sprint(r.Data)
		}
	}
	if len(answer.Text) > mostText {
		answer.Text = answer.Text[len(answer.Text)-mostText:]
	}
	return answer
}

// table is a result of rows: a line of names, then a line for each row, with tabs between the values, as the sandbox
// prints them.
func table(r *compute.Results) string {
	var b strings.Builder
	for i, column := range r.Schema {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(strings.Trim(fmt.Sprint(column["name"]), `"`))
	}
	b.WriteByte('\n')
	rows, _ := r.Data.([]any)
	for _, row := range rows {
		values, _ := row.([]any)
		for i, value := range values {
			if i > 0 {
				b.WriteByte('\t')
			}
			switch value := value.(type) {
			case nil:
				b.WriteString("null")
			case float64: // JSON has no whole numbers
				b.WriteString(strconv.FormatFloat(value, 'f', -1, 64))
			default:
				fmt.Fprint(&b, value)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
