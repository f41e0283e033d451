package launch

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Spec says what to launch, how, and within which bounds.
type Spec struct {
	Subject  subject.Subject
	Platform string // os/architecture; empty: the target's own
	Profile  Profile
	Probes   []Probe
	Limits   Limits
	// Runtime is the folder of a Spark distribution on this machine, for the profile databricks.
	Runtime string
	// Scripts are the init scripts in their order, for the profile databricks.
	Scripts []Script
	// Env is added to the environment of all that runs, NAME=value, and Conf to Spark's configuration, for the profile
	// databricks.
	Env  []string
	Conf map[string]string
	// OnStage is told of each stage that the profile databricks reaches, and of the init scripts so far; nil: nobody.
	OnStage func(Stage, []ScriptResult)
	// Timeout bounds the whole launch, probes included; 0: DefaultTimeout.
	Timeout time.Duration
	// DriverTime bounds the start of the driver, for the profile databricks; 0: a third of Timeout, at least DriverWithin.
	DriverTime time.Duration
	// Deadline bounds it too, if set: the earlier of the two holds. Run sets it, so that a target can write it down
	// where whoever cleans up after a killed run finds it.
	Deadline time.Time
	RunID    string // names the run on the far side
	Owner    string // who launches, on the far side; empty: unknown
	// LogPath is the file that the cluster's log is written to; empty: none.
	LogPath string
}

// Limits bound what is launched. Zero is no limit.
type Limits struct {
	Memory int64   // bytes
	CPUs   float64 // processors
	PIDs   int64   // processes and threads
}

// Bounds that hold where a spec gives none.
const (
	DefaultTimeout      = 10 * time.Minute
	DefaultProbeTimeout = 3 * time.Minute
)

// check returns spec with its defaults, or says what is wrong with it.
func (s Spec) check(now time.Time) (Spec, error) {
	if s.Subject.Digest == "" || s.Subject.Repository == "" {
		return s, fmt.Errorf("%w: a launch needs a subject, repository@digest", verdict.ErrUsage)
	}
	if !slices.Contains(profiles, s.Profile) {
		return s, fmt.Errorf("%w: launching %s: the profile %q is none of %v", verdict.ErrUsage, s.Subject, s.Profile, profiles)
	}
	if s.Limits.Memory < 0 || s.Limits.CPUs < 0 || s.Limits.PIDs < 0 {
		return s, fmt.Errorf("%w: launching %s: a limit is negative", verdict.ErrUsage, s.Subject)
	}
	if s.Profile != Databricks && (s.Runtime != "" || len(s.Scripts) > 0) {
		return s, fmt.Errorf("%w: launching %s: a runtime and init scripts need the profile databricks, not %s", verdict.ErrUsage, s.Subject, s.Profile)
	}
	if s.Timeout <= 0 {
		s.Timeout = DefaultTimeout
	}
	if end := now.Add(s.Timeout); s.Deadline.IsZero() || end.Before(s.Deadline) {
		s.Deadline = end
	}
	s.Probes = slices.Clone(s.Probes)
	for i, probe := range s.Probes {
		checked, err := probe.check(s.Profile)
		if err != nil {
			return s, fmt.Errorf("%w: probe %d of the launch: %w", verdict.ErrUsage, i+1, err)
		}
		s.Probes[i] = checked
	}
	return s, nil
}

// Asked lists the limits that are set, for people, none of them enforced yet.
func (l Limits) Asked() []Limit {
	var asked []Limit
	if l.Memory > 0 {
		asked = append(asked, Limit{Name: "memory", Asked: Bytes(l.Memory)})
	}
	if l.CPUs > 0 {
		asked = append(asked, Limit{Name: "cpus", Asked: strconv.FormatFloat(l.CPUs, 'g', -1, 64)})
	}
	if l.PIDs > 0 {
		asked = append(asked, Limit{Name: "pids", Asked: strconv.FormatInt(l.PIDs, 10)})
	}
	return asked
}

// Bytes writes an amount of memory as a configuration would: 3Gi, 512Mi, 1000.
func Bytes(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 40, "Ti"}, {1 << 30, "Gi"}, {1 << 20, "Mi"}, {1 << 10, "Ki"}} {
		if n >= unit.size && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	if n >= 10<<20 { // a measured amount: nobody wants its last bytes
		return strconv.FormatInt(n>>20, 10) + "Mi"
	}
	return strconv.FormatInt(n, 10)
}
