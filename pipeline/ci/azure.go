package ci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// azurePipelines speaks in logging commands: https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands.
type azurePipelines struct {
	guard *Guard
	env   Env
	open  bool
	err   error
}

func newAzure(guard *Guard, env Env) *azurePipelines { return &azurePipelines{guard: guard, env: env} }

func (a *azurePipelines) Log() io.Writer { return a.guard }

// azureData escapes the message of a command, azureProperty the value of a property, as the agent undoes it. The percent sign
// is AZP25, which the agent reads since 2020; an older one shows it.
var (
	azureData     = strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A")
	azureProperty = strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D")
)

// azureMessage bounds a message; the page shows no more of it.
const azureMessage = 4 << 10

// say issues one command. Properties without a value are left out.
func (a *azurePipelines) say(command string, properties map[string]string, message string) {
	names := make([]string, 0, len(properties))
	for name, value := range properties {
		if value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("##vso[" + command)
	for i, name := range names {
		if i == 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=" + azureProperty.Replace(properties[name]) + ";")
	}
	b.WriteString("]" + azureData.Replace(message) + "\n")
	a.guard.command(b.String())
}

func (a *azurePipelines) Open(_, title string) {
	a.Close()
	a.open = true
	a.guard.command("##[group]" + oneLine(title, 200) + "\n")
}

func (a *azurePipelines) Close() {
	if a.open {
		a.guard.command("##[endgroup]\n")
	}
	a.open = false
}

func (a *azurePipelines) Annotate(n Annotation) {
	kind := "warning" // Azure Pipelines knows errors and warnings
	if n.Level == Error {
		kind = "error"
	}
	properties := map[string]string{"type": kind}
	if n.File != "" {
		properties["sourcepath"] = oneLine(n.File, azureMessage)
		for name, value := range map[string]int{"linenumber": n.Line, "columnnumber": n.Column} {
			if value > 0 {
				properties[name] = strconv.Itoa(value)
			}
		}
	}
	n = titled(n)
	message := severalLines(n.Title+": "+n.Message, azureMessage)
	a.say("task.logissue", properties, message)
}

func (a *azurePipelines) Mask(value string) {
	// The value itself is what shall be hidden: nothing may be put into it.
	a.guard.command("##vso[task.setsecret]" + azureData.Replace(value) + "\n")
}

func (a *azurePipelines) Output(name, value string) {
	a.say("task.setvariable", map[string]string{"variable": name, "isOutput": "true"}, oneLine(strings.Join(foreign.Lines(value), ","), azureMessage))
}

// Summary hands over a file, which must outlive the step: it lies in the agent's folder for such.
func (a *azurePipelines) Summary(markdown string) {
	folder := a.env("AGENT_TEMPDIRECTORY")
	if folder == "" {
		return
	}
	file, err := os.CreateTemp(folder, "hallmark-*.md")
	if err == nil {
		_, err = file.WriteString(secret.Redact(markdown))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		a.err = errors.Join(a.err, fmt.Errorf("writing the summary for the agent: %w", err))
		return
	}
	// The name of the file is what the page shows.
	named := filepath.Join(filepath.Dir(file.Name()), "Hallmark-"+strings.TrimPrefix(filepath.Base(file.Name()), "hallmark-"))
	if err := os.Rename(file.Name(), named); err != nil {
		named = file.Name()
	}
	_ = os.Chmod(named, 0o644) // the agent may be somebody else, where this ran with sudo
	a.say("task.uploadsummary", nil, named)
}

// Finish names the reason of a failure on the page of the run.
func (a *azurePipelines) Finish(ok bool, headline string) {
	a.Close()
	if !ok {
		a.say("task.complete", map[string]string{"result": "Failed"}, oneLine(headline, azureMessage))
	}
}

func (a *azurePipelines) Err() error { return errors.Join(a.guard.Flush(), a.err) }
