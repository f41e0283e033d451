package sandbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// givenUp says why nothing became of a launch whose context ended before anything could be said of the image.
func givenUp(ctx context.Context, spec launch.Spec, what string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &launch.Error{Verdict: verdict.Inconclusive, Code: launch.CodeInterrupted, Reason: "the launch was interrupted", Remedy: "Run the same command again", Cause: ctx.Err()}
	}
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeTimeout, Reason: fmt.Sprintf("%s (%s)", what, spec.Timeout.Round(time.Second)),
		Remedy: "Give the launch a longer timeout, or look at the way to the registry", Cause: ctx.Err(),
	}
}

// pulling tells what an engine's error says about a pull, most telling first.
var pulling = []struct {
	words   []string
	verdict verdict.Verdict
	code    string
	reason  string
	remedy  string
}{
	{[]string{"no space left on device", "disk quota exceeded"}, verdict.Inconclusive, launch.CodeDisk, "the disk under the engine's folder is full", "Free disk space and run the same command again"},
	{[]string{"no match for platform"}, verdict.Fail, launch.CodePlatform, "the image has no manifest for this machine's platform", "Build it for this platform too, or launch it on a machine of its own kind"},
	{[]string{"401 unauthorized", "403 forbidden", "unauthorized:", "denied:", "access denied", "insufficient_scope", "authentication required"}, verdict.Inconclusive, launch.CodeDenied, "the registry refuses to hand out the image", "Check the credentials for pulling from it"},
	{[]string{"failed to extract", "archive/tar", "unexpected diffid", "wrong diff id", "apply layer", "invalid tar", "unknown compression", "failed to get reader from content store", "gzip: invalid"}, verdict.Fail, launch.CodeUnpack, "a layer of the image cannot be unpacked", "Build the image again"},
}

// blamePull explains why the image did not become a container.
func blamePull(spec launch.Spec, err error) error {
	if known := (*launch.Error)(nil); errors.As(err, &known) {
		return known
	}
	if known := (*verdict.Error)(nil); errors.As(err, &known) {
		return known
	}
	if err == nil {
		err = errors.New("the engine ended the call early")
	}
	text := strings.ToLower(err.Error())
	for _, known := range pulling {
		for _, word := range known.words {
			if strings.Contains(text, word) {
				return &launch.Error{Verdict: known.verdict, Code: known.code, Reason: known.reason + ": " + last(err), Remedy: known.remedy, Cause: err}
			}
		}
	}
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodePull, Reason: "pulling " + spec.Subject.String() + ": " + last(err),
		Remedy: "See that the registry can be reached, and run the same command again", Cause: err,
	}
}

// last is the innermost part of an error: what happened, without the calls that it happened in.
func last(err error) string {
	text := err.Error()
	for _, prefix := range []string{"failed to solve: ", "failed to do request: ", "failed to copy: ", "httpReadSeeker: ", "rpc error: "} {
		if _, after, found := strings.Cut(text, prefix); found {
			text = after
		}
	}
	return foreign.Short(text, 300)
}

func nothingToStart() error {
	return &launch.Error{
		Verdict: verdict.Fail, Code: launch.CodeStart, Reason: "the image names neither an entry point nor a command",
		Remedy: "Give its Dockerfile an ENTRYPOINT or a CMD",
	}
}

// cannotStart explains why a process could not even be begun.
func (c *cluster) cannotStart(name string, err error) error {
	if dead := c.alive(); dead != nil {
		return dead
	}
	if known := (*verdict.Error)(nil); errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeEngine, Reason: "the engine does not start the " + name + ": " + last(err),
		Remedy: "Run the same command again; the image is not at fault", Cause: err,
	}
}

// alive is nil while the container is there, else the reason why it is not.
func (c *cluster) alive() error {
	select {
	case <-c.over:
		return c.died()
	default:
	}
	if len(c.processes) == 0 {
		return nil
	}
	select {
	case <-c.processes[0].ended:
		return c.ended(c.processes[0], "")
	default:
		return nil
	}
}

// died explains why the engine ended the call that keeps the container.
func (c *cluster) died() error {
	if known := (*verdict.Error)(nil); errors.As(c.err, &known) {
		return known
	}
	cause := c.err
	if cause == nil {
		cause = errors.New("the container was taken down")
	}
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeEngine, Reason: "the engine lost the container: " + last(cause),
		Remedy: "Run the same command again; the image is not at fault", Cause: cause,
	}
}

// lost explains a helper that left no report: the container ended below it, or the limits did not let it live.
func (c *cluster) lost(p *process, err error) error {
	// The container's own end, which would explain it, may be told a moment later.
	select {
	case <-c.processes[0].ended:
	case <-c.over:
	case <-time.After(2 * time.Second):
	}
	if dead := c.alive(); dead != nil {
		return dead
	}
	if p.err != nil {
		err = p.err
	}
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeEngine, Reason: "the sandbox's helper did not come back: " + last(err),
		Remedy: "Run the same command again, with higher limits if it comes back", Cause: err,
	}
}

// startFaults are what the runtime says of an entry point that cannot be executed.
var startFaults = []struct{ words, reason, remedy string }{
	{"exec format error", "%s cannot be executed: it is built for another processor, or is a script without a first line that names its interpreter", "Build it for this platform, or begin the script with #!"},
	{"permission denied", "%s cannot be executed: permission denied", "Make it executable (COPY --chmod=0755), for the image's user too"},
	{"no such file or directory", "%s is not in the image, or the interpreter that its first line names is not", "Put it into the image, or correct ENTRYPOINT and CMD"},
	{"executable file not found", "%s is not in the image's PATH", "Put it into the image, or correct ENTRYPOINT and CMD"},
	{"is a directory", "%s is a folder", "Correct ENTRYPOINT and CMD"},
	{"unable to find user", "the image's user is not in its /etc/passwd", "Correct USER, or add the user to the image"},
	{"no matching entries in passwd file", "the image's user is not in its /etc/passwd", "Correct USER, or add the user to the image"},
	{"chdir to cwd", "the working directory cannot be entered by the image's user", "Correct WORKDIR, or its rights"},
}

// ended explains a process that should have gone on.
func (c *cluster) ended(p *process, when string) error {
	if gone := c.engineGone(p); gone != nil {
		return gone
	}
	state, _, _ := c.seen()
	if state.OOMKilled {
		return &launch.Error{
			Verdict: verdict.Fail, Code: launch.CodeMemory,
			Reason: fmt.Sprintf("the memory limit of %s killed the %s", launch.Bytes(c.spec.Limits.Memory), p.name),
			Remedy: "Make the image need less memory, or raise launch.limits.memory",
		}
	}
	if fault := c.startFault(p); fault != nil {
		return fault
	}
	log := p.output.Tail()
	if p.report != nil {
		if report, err := inside.Parse(p.report.String()); err == nil && report.Error != "" {
			log += "\n" + report.Error
		}
	}
	why := launch.Explain(log)
	reason := fmt.Sprintf("the %s ended", p.name)
	if code, known := p.exitCode(); known {
		reason += fmt.Sprintf(" with exit code %d", code)
	}
	if when != "" {
		reason += " " + when
	}
	switch last := launch.LastLine(log); {
	case why.Reason != "":
		reason += ": " + why.Reason
	case last != "":
		reason += "; the last it wrote was " + last
	default:
		reason += " and wrote nothing"
	}
	remedy := why.Remedy
	if remedy == "" {
		remedy = "Read its output in the launch's log; the entry point must keep running what it is asked to run"
	}
	return &launch.Error{Verdict: verdict.Fail, Code: launch.CodeExited, Reason: reason, Remedy: remedy, Cause: p.err}
}

// neverRan is how the runtime begins the line that it leaves in place of the program's output.
var neverRan = regexp.MustCompile(`(?m)^(?:runc run failed: .*|exec /\S+: exec format error)$`)

// startFault says why the entry point was never executed, if it was not.
func (c *cluster) startFault(p *process) error {
	said := neverRan.FindString(p.output.Tail())
	if p.err == nil || p.report != nil {
		return nil
	}
	text := strings.ToLower(said + " " + p.err.Error())
	if said == "" && !strings.Contains(text, "passwd") && !strings.Contains(text, "unable to find user") {
		return nil
	}
	what := "the command"
	if len(c.image.config.Entrypoint) > 0 {
		what = "the entry point " + c.image.config.Entrypoint[0]
	} else if len(c.image.config.Cmd) > 0 {
		what = "the command " + c.image.config.Cmd[0]
	}
	for _, fault := range startFaults {
		if strings.Contains(text, fault.words) {
			reason := strings.ReplaceAll(fault.reason, "%s", what)
			return &launch.Error{Verdict: verdict.Fail, Code: launch.CodeStart, Reason: reason, Remedy: fault.remedy, Cause: p.err}
		}
	}
	return nil
}

// engineGone says whether the process ended because the engine did.
func (c *cluster) engineGone(p *process) error {
	if known := (*verdict.Error)(nil); errors.As(c.engine.Blame(p.err), &known) {
		return known
	}
	if p.err == nil || grpcerrors.Code(p.err) != codes.Unavailable && grpcerrors.Code(p.err) != codes.Canceled {
		return nil
	}
	if _, known := p.exitCode(); known {
		return nil
	}
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeEngine, Reason: "the engine lost the container: " + last(p.err),
		Remedy: "Run the same command again; the image is not at fault", Cause: p.err,
	}
}

// notReady explains a page that never was as it should be.
func (c *cluster) notReady(p *process, page launch.Page, report inside.Report) error {
	said := "the last it wrote was " + launch.LastLine(p.output.Tail())
	if launch.LastLine(p.output.Tail()) == "" {
		said = "it has written nothing"
	}
	got := "nothing answers there"
	switch {
	case report.Status != 0 && report.Status != 200:
		got = fmt.Sprintf("it answers with status %d", report.Status)
	case report.Status != 0:
		got = fmt.Sprintf("it answers without %q", page.Contains)
	case report.Error != "":
		got += " (" + foreign.Short(report.Error, 100) + ")"
	}
	why := launch.Explain(p.output.Tail())
	if why.Reason != "" {
		said = why.Reason
	}
	remedy := why.Remedy
	if remedy == "" {
		remedy = "See in the launch's log what the entry point waits for; it must run what it is given. On a slow machine give the launch a longer timeout"
	}
	return &launch.Error{
		Verdict: verdict.Fail, Code: launch.CodeNotReady,
		Reason: fmt.Sprintf("%s (%s) was not there when the launch's %s were over: %s; the %s is still running, and %s", page.Name, page.URL(), c.spec.Timeout.Round(time.Second), got, p.name, said),
		Remedy: remedy,
	}
}
