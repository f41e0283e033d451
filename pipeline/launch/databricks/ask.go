package databricks

import (
	"context"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

// Answer is what a workspace says of launches that are only planned.
type Answer struct {
	Workspace string    // its host
	User      string    // who asks, as the workspace knows them
	LoggedIn  string    // the way, in words of Databricks' own tools: pat, oauth-m2m, azure-cli, …
	Expires   time.Time // of the token, where the way renews it by itself; zero: it is not told
	Runtime   string    // in words of the workspace
	NodeType  string
	Notes     []string // what could not be known
}

// Ask asks the workspace all that a launch asks before it creates anything, and creates nothing: who this is, whether they
// may create clusters, whether runtime, node type, pools, policy and init scripts are there and images are taken. Of the
// options, Tag is only looked at for its registry. The error tells everything that speaks against the launch at once.
func Ask(ctx context.Context, options Options) (Answer, error) {
	if err := options.check(); err != nil {
		return Answer{}, err
	}
	if options.wait == nil {
		options.wait = pause.For
	}
	space, err := connect(ctx, options)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Workspace: space.name(), LoggedIn: space.client.Config.AuthType, Expires: space.expires(ctx)}
	made, err := space.preflight(ctx, options, launch.Spec{Profile: launch.Databricks})
	if err != nil {
		return answer, err
	}
	answer.User, answer.Runtime, answer.NodeType, answer.Notes = made.user, made.runtimeName, made.nodeType, made.notes
	return answer, nil
}

// expires is when the token ends that a login by OAuth gave, and that is renewed by itself; zero: personal access tokens
// and passwords do not say.
func (w *workspace) expires(ctx context.Context) time.Time {
	if w.client.Config.AuthType == "pat" || w.client.Config.AuthType == "basic" {
		return time.Time{}
	}
	var at time.Time
	err := outlived(ctx, func() error {
		token, err := w.client.Config.GetTokenSource().Token(ctx)
		if err == nil {
			at = token.Expiry
		}
		return err
	})
	if err != nil {
		return time.Time{}
	}
	return at
}
