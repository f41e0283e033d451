package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/launch/notebook"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	// emulatedLife is how long a cluster of the emulator's may go on at most.
	emulatedLife = 7 * 24 * time.Hour
	// emulatedStart bounds its start.
	emulatedStart = 30 * time.Minute
)

// Start launches an image as the profile databricks does.
func (m *emulatorMachine) Start(ctx context.Context, l emulator.Launch, progress func(emulator.Progress)) (emulator.Node, error) {
	if err := os.MkdirAll(m.work, 0o700); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(m.work, l.ClusterID+"-")
	if err != nil {
		return nil, err
	}
	node, err := m.start(ctx, l, work, progress)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(work))
	}
	return node, nil
}

func (m *emulatorMachine) start(ctx context.Context, l emulator.Launch, work string, progress func(emulator.Progress)) (emulator.Node, error) {
	client, found, err := m.find(ctx, l, work)
	if err != nil {
		return nil, pullFailed(ctx, l, err)
	}
	scripts, err := keepScripts(l, work)
	if err != nil {
		return nil, err
	}
	target, err := sandbox.New(sandbox.Options{Engine: m.engine, Credentials: client.Credentials})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, emulatedStart)
	defer cancel()
	spec := launch.Spec{
		Subject: found, Profile: launch.Databricks, Limits: m.limits, Runtime: m.runtime, Scripts: scripts, Conf: l.Conf, RunID: l.ClusterID,
		Env: []string{"DB_CLUSTER_ID=" + l.ClusterID, "DB_CLUSTER_NAME=" + l.ClusterName}, Timeout: emulatedStart, DriverTime: launch.DriverWithin, Deadline: time.Now().Add(emulatedLife),
		OnStage: func(stage launch.Stage, done []launch.ScriptResult) {
			switch {
			case stage == launch.StagePulled:
				progress(emulator.Progress{Stage: emulator.Pulled})
			case stage == launch.StageScripts && len(l.Scripts) > 0:
				progress(emulator.Progress{Stage: emulator.Scripting})
			case stage == launch.StageDriver:
				progress(emulator.Progress{Stage: emulator.Driving, Scripts: results(done, l)})
			}
		},
	}
	for key, value := range l.Env {
		spec.Env = append(spec.Env, key+"="+value)
	}
	cluster, err := target.Launch(ctx, spec)
	if err == nil {
		if talker, ok := cluster.(launch.Talker); ok {
			return &emulatedNode{Talker: talker, work: work, driver: &notebook.Driver{}}, nil
		}
		err = errors.New("the sandbox's clusters do not keep programs")
	}
	if cluster != nil {
		state := cluster.State()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		why := launchFailed(err, results(state.Scripts, l), l)
		if e := (*emulator.Ended)(nil); errors.As(why, &e) {
			e.Logs = driverLogs(stopping, cluster)
		}
		err = errors.Join(why, cluster.Terminate(stopping))
	}
	return nil, err
}

// find asks the registry for the image, with the credentials given and no others: what this machine is logged in to
// must not help.
func (m *emulatorMachine) find(ctx context.Context, l emulator.Launch, work string) (*registry.Client, subject.Subject, error) {
	var none subject.Subject
	ref, err := name.ParseReference(l.Image)
	if err != nil {
		return nil, none, err
	}
	options := registry.Options{PlainHTTP: m.cfg.Registry.PlainHTTP, OnlyAuth: true, MaxRetries: 2, UserAgent: "hallmark/" + m.version, Redirect: map[string]string{EmbeddedHost: m.local.Addr()}}
	if l.Username != "" || l.Password != "" {
		file := filepath.Join(work, "password")
		if err := os.WriteFile(file, []byte(l.Password), 0o600); err != nil {
			return nil, none, err
		}
		options.Auth = map[string]registry.Credential{ref.Context().RegistryStr(): {Username: l.Username, Password: secret.Ref("file:" + file)}}
	}
	client, err := registry.New(options)
	if err != nil {
		return nil, none, err
	}
	found, err := client.Resolve(ctx, l.Image)
	if err == nil {
		_, err = client.Image(ctx, found) // may it be read? The engine might have it from before
	}
	return client, found, err
}

// keepScripts writes the scripts that were uploaded where the sandbox shows them to the container.
func keepScripts(l emulator.Launch, work string) (all []launch.Script, err error) {
	for i, script := range l.Scripts {
		if script.Inside != "" {
			all = append(all, launch.Script{Path: script.Inside, Inside: true})
			continue
		}
		base := strings.TrimPrefix(filepath.Base(script.Name), "dbfs:")
		file := filepath.Join(work, fmt.Sprintf("script-%d", i), cmp.Or(base, "script.sh"))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, script.Body, 0o600); err != nil {
			return nil, err
		}
		all = append(all, launch.Script{Path: file})
	}
	return all, nil
}

func results(done []launch.ScriptResult, l emulator.Launch) (all []emulator.ScriptResult) {
	for i, result := range done {
		all = append(all, emulator.ScriptResult{Name: l.Scripts[i].Name, ExitCode: result.ExitCode, Stderr: result.Output, Elapsed: result.Elapsed})
	}
	return all
}

const (
	clientError  = "CLIENT_ERROR"
	cloudFailure = "CLOUD_FAILURE"
	serviceFault = "SERVICE_FAULT"
)

func ended(code, kind, format string, args ...any) *emulator.Ended {
	return &emulator.Ended{Code: code, Type: kind, Parameters: map[string]string{"databricks_error_message": fmt.Sprintf(format, args...)}}
}

// pullFailed says how the platform ends a cluster whose image the registry does not hand out.
func pullFailed(ctx context.Context, l emulator.Launch, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	kind, what := cloudFailure, "the registry cannot be used"
	if known := (*verdict.Error)(nil); errors.As(err, &known) && (known.Code == registry.CodeDenied || known.Code == registry.CodeNotFound) {
		kind, what = clientError, "Image doesn't exist or invalid credential"
	}
	return ended("DOCKER_IMAGE_PULL_FAILURE", kind, "Container setup failed: %s to pull image from %s. Error: %s", what, l.Image, secret.Redact(err.Error()))
}

// launchFailed says how the platform ends a cluster whose container, scripts or driver fail.
func launchFailed(err error, scripts []emulator.ScriptResult, l emulator.Launch) error {
	e := (*launch.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	known := map[string][2]string{
		launch.CodePlatform: {"DOCKER_CONTAINER_CREATION_EXCEPTION", clientError}, launch.CodeUnpack: {"DOCKER_IMAGE_PULL_FAILURE", clientError},
		launch.CodePull: {"DOCKER_IMAGE_PULL_FAILURE", cloudFailure}, launch.CodeDenied: {"DOCKER_IMAGE_PULL_FAILURE", clientError},
		launch.CodeRequirement: {"CONTAINER_LAUNCH_FAILURE", serviceFault}, launch.CodeStart: {"CONTAINER_LAUNCH_FAILURE", serviceFault},
		launch.CodeExited: {"CONTAINER_LAUNCH_FAILURE", serviceFault}, launch.CodeInitScript: {"INIT_SCRIPT_FAILURE", clientError},
		launch.CodeDriver: {"SPARK_STARTUP_FAILURE", serviceFault}, launch.CodeMemory: {"DRIVER_OUT_OF_MEMORY", clientError},
		launch.CodeDisk: {"DRIVER_OUT_OF_DISK", clientError}, launch.CodeTimeout: {"DRIVER_LAUNCH_TIMEOUT", serviceFault},
	}[e.Code]
	code, kind := cmp.Or(known[0], "INTERNAL_ERROR"), cmp.Or(known[1], serviceFault)
	if e.Code == launch.CodeRequirement && strings.Contains(e.Reason, "java") {
		code = "SPARK_STARTUP_FAILURE" // the container is up by then, and the driver is not
	}
	out := ended(code, kind, "%s", secret.Redact(e.Reason))
	out.Driver = code == "SPARK_STARTUP_FAILURE"
	if code == "INIT_SCRIPT_FAILURE" {
		if len(scripts) < len(l.Scripts) && (len(scripts) == 0 || scripts[len(scripts)-1].ExitCode == 0) { // it could not even be begun
			scripts = append(scripts, emulator.ScriptResult{Name: l.Scripts[len(scripts)].Name, ExitCode: 127, Stderr: e.Reason})
		}
		out.Scripts = scripts
	}
	return out
}

// emulatedNode is a driver in the sandbox.
type emulatedNode struct {
	launch.Talker
	work   string
	driver *notebook.Driver
}

// Why says what became of the driver.
func (n *emulatedNode) Why() string {
	if err := n.Talker.Why(); err != nil {
		return "The driver is lost: " + err.Error()
	}
	return "The driver is lost"
}

// Logs is what the container has written.
func (n *emulatedNode) Logs() emulator.Logs { return driverLogs(context.Background(), n.Talker) }

// Stop takes the container down.
func (n *emulatedNode) Stop(ctx context.Context) error {
	return errors.Join(n.Talker.Terminate(ctx), os.RemoveAll(n.work))
}

// Session is an execution context with programs of its own.
func (n *emulatedNode) Session(string) emulator.Session {
	survey := n.Survey()
	home, _ := n.Lookup("SPARK_HOME")
	return emulatedSession{notebook.New(notebook.Options{
		Python: survey.Python, R: survey.R, Home: home, Driver: n.driver,
		Start: func(ctx context.Context, name string, args []string, output io.Writer) (notebook.Program, error) {
			return n.Talk(ctx, name, args, output)
		},
	})}
}

type emulatedSession struct{ *notebook.Session }

// Run runs a command.
func (s emulatedSession) Run(ctx context.Context, language, code string) (emulator.Answer, error) {
	a, err := s.Session.Run(ctx, language, code)
	out := emulator.Answer{Kind: a.Kind, Text: a.Text, Summary: a.Summary, Rows: a.Rows, Truncated: a.Truncated}
	for _, column := range a.Schema {
		out.Schema = append(out.Schema, emulator.Column(column))
	}
	return out, err
}
