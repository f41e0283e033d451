package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// workspace asks a Databricks workspace what a launch there would ask before it creates anything.
func (d *doctor) workspace(ctx context.Context, slot string, l config.Launch) {
	if d.embedded() {
		if err := withinReach(d.cfg, os.Getenv); err != nil {
			d.failed("launch", err)
			return
		}
	}
	answer, err := databricks.Ask(ctx, databricks.Options{Settings: workspaceSettings(*l.Databricks), Tag: d.repository + ":staging"})
	if err != nil {
		d.unlaunchable(slot, answer, err)
		return
	}
	text := fmt.Sprintf("%s, as %s in %s (%s", slot, answer.User, answer.Workspace, answer.LoggedIn)
	if !answer.Expires.IsZero() {
		text += ", a token until " + answer.Expires.UTC().Format(time.RFC3339) + " that is renewed"
	}
	text += "); " + answer.Runtime
	if answer.NodeType != "" {
		text += " on " + answer.NodeType
	}
	if len(answer.Notes) > 0 {
		d.care("launch", "Ask an administrator of the workspace, or see what the first launch says", "%s. %s", text, strings.Join(answer.Notes, " "))
		return
	}
	d.well("launch", "%s", text)
}

// unlaunchable writes down why a workspace would not launch: what somebody must change is ill, what nobody answered is
// unknown.
func (d *doctor) unlaunchable(slot string, answer databricks.Answer, err error) {
	known := (*launch.Error)(nil)
	if !errors.As(err, &known) {
		d.failed("launch", fmt.Errorf("%s: %w", slot, err))
		return
	}
	s := report.Symptom{What: "launch", Health: report.Unknown, Detail: slot + ": " + known.Reason, Remedy: known.Remedy}
	if known.Code == launch.CodeConfiguration || known.Code == launch.CodeDenied {
		s.Health = report.Ill
	}
	if answer.LoggedIn != "" && !strings.Contains(known.Reason, "logged in with") {
		s.Detail += " (logged in with " + answer.LoggedIn + ")"
	}
	d.found.Add(s)
}
