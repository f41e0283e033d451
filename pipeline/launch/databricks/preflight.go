package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// plan is what the workspace was found to offer for a launch.
type plan struct {
	user         string
	sparkVersion string
	runtimeName  string // "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"
	nodeType     string // that the cluster gets, also from a pool
	urls         []imageURL
	username     string // for the registry; empty: none is sent
	password     string
	digests      map[string]string // of init scripts, by kind and path
	notes        []string          // what could not be known

	mu     sync.Mutex
	before []launch.Event // of clusters that came before the one that counts
}

// findings collects what the checks have to say, in their order.
type findings struct {
	mu       sync.Mutex
	problems map[int]problem
	notes    map[int]string
}

type problem struct {
	reason, remedy string
	err            error // of a request: nothing is wrong with the settings
}

func (f *findings) problem(check int, reason, remedy string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems[check] = problem{reason: reason, remedy: remedy}
}

func (f *findings) note(check int, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes[check] = fmt.Sprintf(format, args...)
}

// preflight asks everything at once: a launch that cannot work ends here, before anything costs money.
func (w *workspace) preflight(ctx context.Context, o Options, spec launch.Spec) (_ *plan, err error) {
	ctx, task := progress.Start(ctx, "ask %s whether it can be done", w.name())
	defer func() { task.End(err) }()
	made := &plan{digests: map[string]string{}}
	found := &findings{problems: map[int]problem{}, notes: map[int]string{}}
	checks := []func(context.Context, int) error{
		func(ctx context.Context, n int) error { return w.checkUser(ctx, o, made, found, n) },
		func(ctx context.Context, n int) error { return w.checkRuntime(ctx, o, made, found, n) },
		func(ctx context.Context, n int) error { return w.checkNode(ctx, o, made, found, n) },
		func(ctx context.Context, n int) error { return w.checkContainers(ctx, found, n) },
		func(ctx context.Context, n int) error { return w.checkPolicy(ctx, o, found, n) },
		func(ctx context.Context, n int) error { return w.checkImage(ctx, o, spec, made, found, n) },
	}
	if o.DriverPool != "" && o.DriverPool != o.Pool {
		checks = append(checks, func(ctx context.Context, n int) error {
			_, err := w.checkPool(ctx, o.Pool, found, n) // the driver's is looked at for its node type
			return err
		})
	}
	for _, script := range o.Scripts {
		checks = append(checks, func(ctx context.Context, n int) error { return w.checkScript(ctx, o, script, made, found, n) })
	}
	var all errgroup.Group
	for n, check := range checks {
		all.Go(func() error {
			err := check(ctx, n)
			if err == nil || ctx.Err() != nil && !errors.As(err, new(*fault)) {
				return err
			}
			found.mu.Lock()
			defer found.mu.Unlock()
			found.problems[n] = problem{err: err}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	if err := found.err(w, len(checks)); err != nil {
		return nil, err
	}
	for n := range checks {
		if note := found.notes[n]; note != "" {
			made.notes = append(made.notes, note)
			task.Notef("%s", note)
		}
	}
	return made, nil
}

// err is all problems as one error, told together; a host that does not answer or does not know the caller is one problem.
func (f *findings) err(w *workspace, checks int) error {
	var reasons, remedies []string
	var elsewhere error // not of the workspace, and nothing that a setting would mend
	for n := range checks {
		p, exists := f.problems[n]
		if !exists {
			continue
		}
		if e := (*fault)(nil); errors.As(p.err, &e) {
			if code := status(e.of.Cause); code == http.StatusUnauthorized || badToken.MatchString(answered(e.of.Cause)) || code == 0 || code >= 500 || code == http.StatusTooManyRequests {
				return e // all others would say the same
			}
			p.reason, p.remedy = e.of.Reason, e.of.Remedy
		} else if p.err != nil {
			elsewhere, p.reason = p.err, short(p.err)
			if known := (*verdict.Error)(nil); errors.As(p.err, &known) && known.Remedy != "" {
				p.reason, p.remedy = strings.TrimRight(strings.TrimSuffix(p.reason, strings.TrimRight(known.Remedy, ".")), ". "), known.Remedy
			}
		}
		reasons = append(reasons, p.reason)
		if p.remedy != "" && !slices.Contains(remedies, p.remedy) {
			remedies = append(remedies, p.remedy)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	if len(reasons) == 1 && elsewhere != nil {
		return elsewhere
	}
	text := reasons[0]
	if len(reasons) > 1 {
		text = fmt.Sprintf("%d things speak against it: %s", len(reasons), numbered(reasons))
	}
	return &fault{of: &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeConfiguration, Reason: secret.Redact("the launch on " + w.name() + " cannot work: " + text),
		Remedy: strings.Join(remedies, ". "),
	}}
}

func numbered(all []string) string {
	parts := make([]string, len(all))
	for i, text := range all {
		parts[i] = fmt.Sprintf("(%d) %s", i+1, text)
	}
	return strings.Join(parts, "; ")
}

// me is the part of the SCIM answer that counts.
type me struct {
	UserName     string `json:"userName"`
	DisplayName  string `json:"displayName"`
	Active       *bool  `json:"active"`
	Entitlements []struct {
		Value string `json:"value"`
	} `json:"entitlements"`
	Groups []struct {
		Display string `json:"display"`
	} `json:"groups"`
}

// checkUser finds out who asks, and whether that one may create clusters.
func (w *workspace) checkUser(ctx context.Context, o Options, made *plan, found *findings, n int) error {
	var who me
	err := w.call(ctx, "asking who this is", harmless, func(ctx context.Context) error {
		who = me{}
		return w.client.Do(ctx, http.MethodGet, "/api/2.0/preview/scim/v2/Me", w.headers(), nil, nil, &who)
	})
	if err != nil {
		return err
	}
	made.user = who.UserName
	var groups []string // any of them may have inherited the right, those that hold everybody, too
	for _, group := range who.Groups {
		if group.Display == "admins" {
			return nil
		}
		groups = append(groups, cmp.Or(group.Display, "one without a name"))
	}
	entitled := slices.ContainsFunc(who.Entitlements, func(e struct {
		Value string `json:"value"`
	},
	) bool {
		return e.Value == "allow-cluster-create"
	})
	switch {
	case entitled, o.Policy != "": // the policy's own check says whether it may be used
	case len(groups) > 0:
		found.note(n, "It cannot be known whether %s may create clusters: a group may have the right (%s).", who.UserName, strings.Join(groups, ", "))
	default:
		found.problem(n, fmt.Sprintf("%s may not create clusters: it has neither the entitlement allow-cluster-create nor a policy", who.UserName),
			"Ask an administrator for the entitlement, or for a policy, and name that in launch.databricks.policy_id")
	}
	return nil
}

// checkContainers finds out whether the workspace takes images at all. Only administrators are told.
func (w *workspace) checkContainers(ctx context.Context, found *findings, n int) error {
	var conf map[string]any
	err := w.call(ctx, "asking whether container services are enabled", harmless, func(ctx context.Context) error {
		conf = nil
		return w.client.Do(ctx, http.MethodGet, "/api/2.0/workspace-conf", w.headers(), map[string]any{"keys": "enableDcs"}, nil, &conf)
	})
	if e := (*fault)(nil); errors.As(err, &e) && status(e.of.Cause) == http.StatusForbidden {
		found.note(n, "It cannot be known whether container services are enabled: only administrators are told.")
		return nil
	}
	if err != nil {
		return err
	}
	if fmt.Sprint(conf["enableDcs"]) != "true" {
		found.problem(n, "container services are not enabled in the workspace",
			"Ask an administrator to enable them: databricks workspace-conf set-status --json '{\"enableDcs\": \"true\"}'")
	}
	return nil
}

// checkPolicy finds out whether the policy is there for the caller.
func (w *workspace) checkPolicy(ctx context.Context, o Options, found *findings, n int) error {
	if o.Policy == "" {
		return nil
	}
	var policy *compute.Policy
	err := w.call(ctx, "looking up the policy "+o.Policy, harmless, func(ctx context.Context) (err error) {
		policy, err = w.policies.Get(ctx, compute.GetClusterPolicyRequest{PolicyId: o.Policy})
		return err
	})
	if e := (*fault)(nil); errors.As(err, &e) && (gone(e.of.Cause) || status(e.of.Cause) == http.StatusForbidden || status(e.of.Cause) == http.StatusBadRequest) {
		found.problem(n, fmt.Sprintf("there is no policy %s that may be used here", o.Policy), "Correct launch.databricks.policy_id: it is the id, not the name")
		return nil
	}
	if err == nil {
		checkPolicyRules(policy.Name, policy.Definition, o, found, n)
	}
	return err
}

// checkImage finds out what the cluster is to pull, and with which credentials.
func (w *workspace) checkImage(ctx context.Context, o Options, spec launch.Spec, made *plan, found *findings, n int) error {
	made.urls = imageURLs(o, spec, w.host)
	if host, _, _ := strings.Cut(o.Tag, "/"); secret.Loopback(host) && !secret.Loopback(hostname(w.host)) {
		found.problem(n, fmt.Sprintf("the registry %s is one of this machine, which no cluster reaches", host), "Push the image to a registry that the workspace reaches: set image in hallmark.yaml")
		return nil
	}
	if o.TagDigest != nil {
		digest, err := o.TagDigest(ctx)
		if err != nil {
			return err
		}
		if digest != spec.Subject.Digest {
			found.problem(n, fmt.Sprintf("the staging tag %s points to %s, not to %s", o.Tag, digest, spec.Subject.Digest), "Run again, and find out who else writes staging tags")
			return nil
		}
	}
	private, known := !o.Credentials.IsZero(), false
	if o.Private != nil {
		asked, err := o.Private(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			found.note(n, "It cannot be known whether the registry wants credentials: %s.", short(err))
		default:
			private, known = asked, true
		}
	}
	switch {
	case private && o.Credentials.IsZero():
		found.problem(n, "the registry wants credentials for "+spec.Subject.Repository+", and the launch has none for the cluster",
			"Give launch.databricks.credentials: for Azure's registry the id and the password of a service principal that may pull")
		return nil
	case !private && known && !o.Credentials.IsZero():
		found.note(n, "The registry gives the image to everybody: the credentials are left out, as the platform asks for public images.")
		return nil
	case o.Credentials.IsZero():
		return nil
	}
	var err error
	made.username, made.password, err = o.Credentials.read()
	if err != nil {
		found.problem(n, "the registry's credentials cannot be read: "+short(errors.New(verdict.Plain(err))), "Correct launch.databricks.credentials")
	}
	return nil
}

// OnThisMachine says whether the address of a workspace is one of this machine.
func OnThisMachine(address string) bool { return secret.Loopback(hostname(address)) }

func hostname(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}

// headers are those of requests that the SDK has no method for.
func (w *workspace) headers() map[string]string {
	headers := map[string]string{"Accept": "application/json", "Content-Type": "application/json"}
	if id := w.client.Config.WorkspaceID; id != "" {
		headers["X-Databricks-Workspace-Id"] = id
	}
	return headers
}
