package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of what doctor finds fault with.
const (
	questionWait = 30 * time.Second // for each thing that is asked
	busyWait     = time.Second      // for an engine that somebody else uses
	skewCare     = 30 * time.Second // a clock that is off by more makes tokens and evidence look odd
	skewIll      = 5 * time.Minute  // by more, and registries and clouds refuse what is signed with it
	expiryCare   = time.Hour        // a credential that ends within a long run
	roomCare     = 10 << 30         // bytes that a build of a few gigabytes takes, with its layers
	roomIll      = 1 << 30
)

// doctor asks one thing after the other.
type doctor struct {
	*surroundings
	found  report.Checkup
	silent bool // the registry does not answer: it is not asked again
}

// Doctor says whether everything is there that a run of cfg needs: it asks, and changes nothing. What is wrong is in the
// result; the error is for what keeps it from asking at all.
func Doctor(ctx context.Context, cfg *config.Config, options Options) (*report.Checkup, error) {
	s, err := open(ctx, cfg, options)
	if err != nil {
		return nil, err
	}
	defer s.close()
	d := &doctor{surroundings: s, found: report.Checkup{Version: report.Version, Image: cfg.Image}}
	questions := []func(context.Context){
		d.configured, d.where, d.folder, d.engine, d.credential, d.pushes, d.unlessSilent(d.referrers), d.unlessSilent(d.golden),
		d.unlessSilent(d.clock), d.key, d.vulnerabilities, d.launches,
	}
	for _, question := range questions {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		asking, done := context.WithTimeout(ctx, questionWait)
		question(asking)
		done()
	}
	return &d.found, nil
}

func (d *doctor) well(what, format string, args ...any) {
	d.found.Add(report.Symptom{What: what, Health: report.Well, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) care(what, remedy, format string, args ...any) {
	d.found.Add(report.Symptom{What: what, Health: report.Care, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (d *doctor) ill(what, remedy, format string, args ...any) {
	d.found.Add(report.Symptom{What: what, Health: report.Ill, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

// failed writes down an error.
func (d *doctor) failed(what string, err error) { d.found.Add(symptom(what, err)) }

// symptom is an error: something to mend where it is about what people wrote or may do, unknown where nobody answered.
func symptom(what string, err error) report.Symptom {
	s := report.Symptom{What: what, Health: report.Unknown, Detail: verdict.Plain(err)}
	if errors.Is(err, verdict.ErrUsage) || verdict.OfError(err) == verdict.Fail {
		s.Health = report.Ill
	}
	if known := (*verdict.Error)(nil); errors.As(err, &known) && known.Remedy != "" {
		s.Remedy = known.Remedy
		s.Detail = strings.TrimSuffix(strings.TrimSuffix(s.Detail, known.Remedy), ". ")
	}
	if s.Remedy == "" {
		s.Remedy = cmp.Or(remedies[what], "Mend that, then ask again with hallmark doctor")
	}
	return s
}

// remedies are for errors that bring none of their own.
var remedies = map[string]string{
	"settings":   "Correct hallmark.yaml; hallmark config shows what it means",
	"engine":     "Make that possible, or name another engine in engine.use",
	"credential": "Set the variable or write the file that registry.auth names, or leave it out and docker login",
	"key":        "Set the variables or write the files that sign.key and sign.password name; hallmark key new makes a key",
	"database":   "Name a database that is there in scan.database, or leave it out for the default",
}

func (d *doctor) embedded() bool { return d.local != nil }

func (d *doctor) configured(ctx context.Context) {
	file := d.cfg.File
	if file == "" {
		file = "no hallmark.yaml: the defaults"
	}
	if err := Acceptable(ctx, d.cfg); err != nil {
		d.failed("settings", err)
		return
	}
	if _, err := os.Stat(dockerfileOf(d.cfg)); err != nil {
		d.ill("settings", "Name it in build.dockerfile, or run in the folder that holds it", "%s; there is no Dockerfile at %s", file, dockerfileOf(d.cfg))
		return
	}
	d.well("settings", "%s; %s", file, dockerfileOf(d.cfg))
}

func dockerfileOf(cfg *config.Config) string {
	if filepath.IsAbs(cfg.Build.Dockerfile) {
		return cfg.Build.Dockerfile
	}
	return filepath.Join(cfg.Build.Context, cfg.Build.Dockerfile)
}

func (d *doctor) where(context.Context) {
	text := d.ci.System.Name()
	if d.ci.Run != "" {
		text += ", " + d.ci.Run
	}
	if reason := d.ci.MayNotWrite(); reason != "" {
		d.care("place", "Nothing: such a run builds, checks and scans", "%s; a run here neither signs nor pushes: %s", text, reason)
		return
	}
	d.well("place", "%s", text)
}

func (d *doctor) folder(context.Context) {
	home := string(d.home)
	if err := os.MkdirAll(home, 0o755); err != nil {
		d.ill("folder", "Set HALLMARK_HOME to a folder of yours", "%v", err)
		return
	}
	probe, err := os.CreateTemp(home, ".doctor-*")
	if err != nil {
		d.ill("folder", "Set HALLMARK_HOME to a folder of yours", "%v", err)
		return
	}
	_ = errors.Join(probe.Close(), os.Remove(probe.Name()))
	free, err := roomIn(home)
	if err != nil {
		d.failed("folder", fmt.Errorf("asking for the room in %s: %w", home, err))
		return
	}
	switch text := fmt.Sprintf("%s, %s free", home, report.Bytes(free)); {
	case free < roomIll:
		d.ill("folder", "Make room, or set HALLMARK_HOME to a larger disk", "%s", text)
	case free < roomCare:
		d.care("folder", "Builds of large images may fill it: make room, or set HALLMARK_HOME to a larger disk", "%s", text)
	default:
		d.well("folder", "%s", text)
	}
}

func (d *doctor) engine(ctx context.Context) {
	options := d.engineOptions()
	options.LockWait = busyWait
	opened, err := engine.Choose(ctx, engine.Choice{Address: engineAddress(d.cfg.Engine), Embedded: options})
	if known := (*verdict.Error)(nil); errors.As(err, &known) && known.Code == "engine.busy" {
		d.well("engine", "the embedded engine, which another run uses now; runs wait for each other")
		return
	}
	if err != nil {
		d.failed("engine", err)
		return
	}
	reason := opened.Reason()
	if err := opened.Close(); err != nil {
		d.failed("engine", err)
		return
	}
	d.well("engine", "%s", reason)
}

func (d *doctor) host() string {
	host, _, _ := strings.Cut(d.repository, "/")
	return host
}

func (d *doctor) credential(ctx context.Context) {
	if d.embedded() {
		d.well("credential", "none is needed: the image goes to the registry inside Hallmark, in %s", d.registryRoot())
		return
	}
	shown, err := d.registry.Shows(ctx, d.host())
	switch left := time.Until(shown.Expires); {
	case err != nil:
		d.failed("credential", err)
	case shown.Lacks != "":
		d.care("credential", "Give the job what it lacks, or docker login "+d.host(), "none for %s: %s", d.host(), shown.Lacks)
	case shown.From == "":
		d.care("credential", fmt.Sprintf("docker login %s, or set HALLMARK_REGISTRY_HOST, _USERNAME and _PASSWORD", d.host()), "none for %s", d.host())
	case shown.Renewed && !shown.Expires.IsZero():
		d.well("credential", "%s, until %s, and renewed before", shown.From, shown.Expires.UTC().Format(time.RFC3339))
	case !shown.Expires.IsZero() && left <= 0:
		d.ill("credential", "Log in again", "%s, which has ended on %s", shown.From, shown.Expires.UTC().Format(time.RFC3339))
	case !shown.Expires.IsZero() && left < expiryCare:
		d.care("credential", "Log in again before a long run", "%s, for %s more", shown.From, report.Elapsed(left))
	case !shown.Expires.IsZero():
		d.well("credential", "%s, until %s", shown.From, shown.Expires.UTC().Format(time.RFC3339))
	default:
		d.well("credential", "%s", shown.From)
	}
}

// unlessSilent asks the registry only if it answers at all: one line says that it does not.
func (d *doctor) unlessSilent(ask func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		if !d.silent {
			ask(ctx)
		}
	}
}

func (d *doctor) pushes(ctx context.Context) {
	if err := d.registry.MayPush(ctx, d.repository); err != nil {
		d.failed("push", err)
		known := (*verdict.Error)(nil)
		d.silent = ctx.Err() != nil || errors.As(err, &known) && known.Code == registry.CodeUnreachable
		return
	}
	d.well("push", "%s takes uploads", d.repository)
}

func (d *doctor) referrers(ctx context.Context) {
	served, known, err := d.registry.ServesReferrers(ctx, d.repository)
	switch {
	case err != nil:
		d.failed("referrers", err)
	case !known:
		d.well("referrers", "%s says so once the repository exists; where it does not list them, Hallmark keeps the list in a tag", d.host())
	case served:
		d.well("referrers", "%s lists what refers to an image", d.host())
	default:
		d.well("referrers", "%s does not list what refers to an image; Hallmark keeps the list in a tag, as the specification has it", d.host())
	}
}

// golden says where the golden tags are. Whether they may move is what push said: registries tell no more before the move
// itself, unless they protect single tags.
func (d *doctor) golden(ctx context.Context) {
	for _, tag := range d.cfg.Promote.Tags {
		digest, found, err := d.registry.Head(ctx, d.repository, tag)
		switch {
		case err != nil:
			d.failed("golden", err)
		case found:
			d.well("golden", "%s points to %s", tag, digest)
		default:
			d.well("golden", "%s does not exist yet; the first run makes it", tag)
		}
	}
	if len(d.cfg.Promote.Tags) == 0 {
		d.well("golden", "no tag is to move")
	}
}

func (d *doctor) clock(ctx context.Context) {
	if d.embedded() {
		return // it has the same clock
	}
	ahead, known, err := d.registry.Clock(ctx, d.repository)
	off := ahead.Abs()
	text := fmt.Sprintf("%s behind that of %s", report.Elapsed(off), d.host())
	if ahead > 0 {
		text = fmt.Sprintf("%s ahead of that of %s", report.Elapsed(off), d.host())
	}
	switch {
	case err != nil:
		d.failed("clock", err)
	case !known:
		d.care("clock", "Compare it by hand", "%s does not say what time it is", d.host())
	case off >= skewIll:
		d.ill("clock", "Set this machine's clock: timedatectl set-ntp true", "%s", text)
	case off >= skewCare:
		d.care("clock", "Set this machine's clock: timedatectl set-ntp true", "%s", text)
	default:
		d.well("clock", "as that of %s, to the second or so", d.host())
	}
}

func (d *doctor) launches(ctx context.Context) {
	if err := launchable(d.cfg.Launch); err != nil {
		d.failed("launch", err)
		return
	}
	for _, l := range d.cfg.Launch {
		slot := slotOf(l)
		if l.Target == workspaceTarget {
			d.workspace(ctx, slot, l)
			continue
		}
		d.sandbox(ctx, slot, l)
	}
	if len(d.cfg.Launch) == 0 {
		d.care("launch", "Name one in launch: a golden image that never ran may not run", "none: the image is promoted without having been started")
	}
}
