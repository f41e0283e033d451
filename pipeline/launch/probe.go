package launch

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// Kind is what a probe asks.
type Kind string

const (
	SparkPi Kind = "spark-pi" // Spark's own example, on the launched cluster
	Command Kind = "run"      // a command in the cluster's container
	Python  Kind = "python"   // Python code there
	HTTP    Kind = "http"     // a page that the cluster serves
	SQL     Kind = "sql"      // a statement, on the launched driver
	Scala   Kind = "scala"    // Scala code there
	Pip     Kind = "pip"      // a notebook-scoped installation
	// These are for the target databricks alone.
	R    Kind = "r"    // R code
	Fuse Kind = "fuse" // a folder of the workspace's storage, mounted in the container
	GPU  Kind = "gpu"  // the GPU, through its driver's tool and through CUDA
)

// Probe is one thing asked of a launched cluster.
type Probe struct {
	Kind Kind
	// Name is what people read; empty: made from what is asked.
	Name    string
	Timeout time.Duration // 0: DefaultProbeTimeout

	Partitions int      // spark-pi: how many tasks
	Args       []string // run: the command and its arguments; no shell. With the profile spark, a relative path is one in SPARK_HOME. pip: what to install
	Code       string   // python, scala, r, pip: the code, with the profiles spark and databricks a session is at hand as spark; sql: the statement
	From       string   // pip: a wheel, or a folder of wheels, on this machine; on the target databricks, in the workspace, or empty for the index
	Port       int      // http
	Path       string   // http: with a leading slash; empty: /; fuse: the folder, empty: /Workspace
	Write      bool     // fuse: also write there
	Status     int      // http: 0 means 200

	ExitCode int    // run, python: the wanted one
	Contains string // text that output or page must contain
	Matches  string // regular expression that output or page must match

	pattern *regexp.Regexp
	// needed says that an image without what the probe runs with is at fault.
	needed bool
}

// check returns the probe with its defaults, or says what is wrong with it.
func (p Probe) check(profile Profile) (Probe, error) {
	if p.Timeout <= 0 {
		p.Timeout = DefaultProbeTimeout
	}
	p.needed = profile == Databricks
	if p.Matches != "" {
		pattern, err := regexp.Compile(p.Matches)
		if err != nil {
			return p, fmt.Errorf("the pattern %q: %w", p.Matches, err)
		}
		p.pattern = pattern
	}
	name := string(p.Kind)
	switch p.Kind {
	case SparkPi:
		if profile != Spark {
			return p, fmt.Errorf("spark-pi needs the profile spark, not %s", profile)
		}
		if p.Partitions < 1 {
			return p, errors.New("spark-pi wants at least one partition")
		}
		name += fmt.Sprintf(" %d", p.Partitions)
	case Command:
		if len(p.Args) == 0 || p.Args[0] == "" {
			return p, errors.New("run names no command")
		}
		name += " " + strings.Join(p.Args, " ")
	case Python:
		if strings.TrimSpace(p.Code) == "" {
			return p, errors.New("python has no code")
		}
	case SQL, Scala, Pip, R, Fuse, GPU:
		if profile != Databricks {
			return p, fmt.Errorf("%s needs the profile databricks, not %s", p.Kind, profile)
		}
		detail, err := p.checkDriven()
		if err != nil {
			return p, err
		}
		name += detail
	case HTTP:
		if p.Port < 1 || p.Port > 65535 {
			return p, fmt.Errorf("%d is no port", p.Port)
		}
		if p.Path == "" {
			p.Path = "/"
		}
		if !strings.HasPrefix(p.Path, "/") {
			return p, fmt.Errorf("the path %q does not begin with /", p.Path)
		}
		if p.Status == 0 {
			p.Status = 200
		}
		name += fmt.Sprintf(" :%d%s", p.Port, p.Path)
	default:
		return p, fmt.Errorf("%q is no kind of probe", p.Kind)
	}
	if p.Name == "" {
		p.Name = foreign.Cut(name, 80)
	}
	return p, nil
}

// checkDriven says what is wrong with a probe that needs a driver, or what tells it from others of its kind.
func (p Probe) checkDriven() (detail string, err error) {
	switch {
	case p.Kind == Pip && p.From == "" && len(p.Args) == 0:
		return "", errors.New("pip names no package, no wheel and no folder of wheels")
	case p.Kind == Pip && p.From == "":
		return " " + strings.Join(p.Args, " "), nil
	case p.Kind == Pip:
		return " " + strings.Join(append([]string{filepath.Base(p.From)}, p.Args...), " "), nil
	case p.Kind == Fuse && !strings.HasPrefix(p.Path, "/"):
		return "", fmt.Errorf("the folder %q does not begin with /", p.Path)
	case p.Kind == Fuse:
		return " " + p.Path, nil
	case p.Kind == GPU:
		return "", nil
	case strings.TrimSpace(p.Code) == "":
		return "", fmt.Errorf("%s has no code", p.Kind)
	case p.Kind == SQL:
		return " " + foreign.Short(p.Code, 60), nil
	}
	return "", nil
}

// URL is the page that an http probe fetches, as seen from inside the cluster.
func (p Probe) URL() string { return fmt.Sprintf("http://127.0.0.1:%d%s", p.Port, p.Path) }

// Output is the answer to a probe.
type Output struct {
	Text     string // bounded tail of what was written, or of the page
	ExitCode int
	// NoCommand says that the command itself is not in the image.
	NoCommand bool
	Status    int    // http: 0 means that nothing answered
	Trouble   string // http: why nothing answered
	// Fault is why the answer is a failure, where the target knows better than the output; nil: the output is judged.
	Fault *Error
}

// Names are the names that results of the probes bear.
func Names(probes []Probe, profile Profile) ([]string, error) {
	var names []string
	for i, p := range probes {
		checked, err := p.check(profile)
		if err != nil {
			return nil, fmt.Errorf("probe %d: %w", i+1, err)
		}
		names = append(names, checked.Name)
	}
	return names, nil
}
