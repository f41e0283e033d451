package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// EmulateOptions say what the emulated workspace is like.
type EmulateOptions struct {
	// Listen is host:port; empty: EmulatorHost. Port 0 is any free one.
	Listen string
	// Anywhere lets it listen on other addresses than this machine's own loopback.
	Anywhere bool
	// Token is the personal access token that is let in; empty: a new one, which is written to a file of TokenFile's name.
	Token     secret.Ref
	TokenFile string
	// ClientID and ClientSecret are a service principal's; empty: none.
	ClientID     string
	ClientSecret secret.Ref
	// Federation lets the service principal in with another issuer's token.
	Federation emulator.Federation
	// NoLaunch serves states and events without any machine. Runtime is the folder of a Spark distribution; empty: the one
	// that the Spark example keeps. Memory and CPUs bound each cluster; 0: unbounded.
	NoLaunch bool
	Runtime  string
	Memory   config.Size
	CPUs     float64

	User, Cloud                string
	CannotCreate, NoContainers bool
	Pace                       time.Duration
	// Log is told of each request; nil: nobody.
	Log func(line string)
}

// EmulatorHost is where the emulator listens unless told otherwise.
const EmulatorHost = "127.0.0.1:5878"

// Emulated is what people need to know of a workspace that answers.
type Emulated struct {
	Host      string // http://127.0.0.1:5878
	TokenFile string // empty: the token was given
	Machine   string // what clusters run on
}

// emulatorStop bounds the taking down of what was launched.
const emulatorStop = 90 * time.Second

// EmulateDatabricks serves a Databricks workspace until ctx ends; ready is called once it answers. Everything that was
// launched in it is taken down before it returns.
func EmulateDatabricks(ctx context.Context, cfg *config.Config, options Options, e EmulateOptions, ready func(Emulated)) (err error) {
	switch federated := e.Federation.Issuer != ""; {
	case federated != (e.Federation.Subject != "") || !federated && e.Federation.Audience != "":
		return fmt.Errorf("%w: a federation policy has an issuer and a subject: give both --oidc-issuer and --oidc-subject", verdict.ErrUsage)
	case federated && e.ClientID == "":
		return fmt.Errorf("%w: a federation policy is a service principal's: give --client-id", verdict.ErrUsage)
	case e.ClientID == "" && e.ClientSecret != "" || e.ClientID != "" && e.ClientSecret == "" && !federated:
		return fmt.Errorf("%w: a service principal has an id and a secret: give both --client-id and --client-secret", verdict.ErrUsage)
	}
	listener, err := listen(ctx, e)
	if err != nil {
		return err
	}
	defer listener.Close()
	o := emulator.Options{User: e.User, Cloud: e.Cloud, CannotCreate: e.CannotCreate, NoContainers: e.NoContainers, Pace: e.Pace, ClientID: e.ClientID, Federation: e.Federation, Log: e.Log}
	if e.Token != "" {
		token, err := e.Token.Read()
		if err != nil {
			return err
		}
		o.Token = string(token)
	}
	if e.ClientSecret != "" {
		value, err := e.ClientSecret.Read()
		if err != nil {
			return err
		}
		o.ClientSecret = string(value)
	}
	told := Emulated{Host: "http://" + listener.Addr().String(), Machine: "clusters are states and events only, without any machine"}
	if !e.NoLaunch {
		m, err := newEmulatorMachine(ctx, cfg, options, e)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.close()) }()
		o.Machine, told.Machine = m, m.String()
	}
	server, err := emulator.New(o)
	if err != nil {
		return fmt.Errorf("%w: %w", verdict.ErrUsage, err)
	}
	if e.Token == "" {
		secret.Mask(server.Token())
		if told.TokenFile, err = keepToken(options.Home, e.TokenFile, server.Token()); err != nil {
			return err
		}
		defer os.Remove(told.TokenFile)
	}
	return serveEmulator(ctx, listener, server, func() { ready(told) })
}

// listen opens the port, on loopback unless another address was asked for on purpose.
func listen(ctx context.Context, e EmulateOptions) (net.Listener, error) {
	address := e.Listen
	if address == "" {
		address = EmulatorHost
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: the address %q to listen on is not host:port: %w", verdict.ErrUsage, address, err)
	}
	if !e.Anywhere && !secret.Loopback(host) {
		return nil, fmt.Errorf("%w: listening on %s would let other machines start containers here as root. Take 127.0.0.1, or say --anywhere", verdict.ErrUsage, address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &verdict.Error{Verdict: verdict.Inconclusive, Code: "emulator.listen", Doing: "listening on", Object: address, Cause: err, Remedy: "Choose another port with --listen, or end what listens there"}
	}
	return listener, nil
}

// keepToken writes the token where only this user reads it.
func keepToken(home Home, path, token string) (string, error) {
	if path == "" {
		path = filepath.Join(home.emulator(), "token")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("keeping the emulator's token: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("keeping the emulator's token: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // not one that others may have opened before
	if err == nil {
		_, err = file.WriteString(token + "\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return "", fmt.Errorf("keeping the emulator's token: %w", err)
	}
	return path, nil
}

func serveEmulator(ctx context.Context, listener net.Listener, server *emulator.Server, ready func()) error {
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: nil}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	ready()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), emulatorStop)
	defer cancel()
	closing := server.Close(stopping)
	_ = web.Close()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(&verdict.Error{Verdict: verdict.Inconclusive, Code: "emulator.stopped", Doing: "serving the emulated workspace on", Object: listener.Addr().String(), Cause: err, Remedy: "Start it again"}, closing)
	}
	return closing
}

// emulatorMachine runs the emulator's clusters in the sandbox, on an engine folder of its own: runs go on beside it.
type emulatorMachine struct {
	*surroundings
	engine  *engine.Engine
	runtime string
	limits  launch.Limits
	work    string
}

func newEmulatorMachine(ctx context.Context, cfg *config.Config, options Options, e EmulateOptions) (m *emulatorMachine, err error) {
	runtime := e.Runtime
	if runtime == "" {
		runtime = sparkRuntime(config.Launch{Profile: config.Profile(launch.Databricks)})
	}
	if runtime, err = filepath.Abs(runtime); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(runtime, "bin", "spark-shell")); err != nil {
		return nil, fmt.Errorf("%w: the runtime %s is no Spark distribution. Name the folder of one with --runtime (an unpacked spark-3.5.7-bin-hadoop3), or start without machines with --no-launch", verdict.ErrUsage, runtime)
	}
	s, err := openFor(ctx, cfg, options, EmbeddedHost+"/")
	if err != nil {
		return nil, err
	}
	m = &emulatorMachine{surroundings: s, runtime: runtime, limits: launch.Limits{Memory: int64(e.Memory), CPUs: e.CPUs}, work: filepath.Join(s.home.emulator(), "work")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	settings := s.engineOptions()
	settings.Root = filepath.Join(s.home.emulator(), "engine")
	if m.engine, err = engine.Start(ctx, settings); err != nil {
		return nil, err
	}
	// What an emulator that was killed has left; only one at a time has the engine's folder.
	return m, os.RemoveAll(m.work)
}

// String says what clusters run on.
func (m *emulatorMachine) String() string {
	return "clusters run in the sandbox with the Spark of " + m.runtime + ", " + strings.TrimPrefix(m.engine.Reason(), "the ")
}

func (m *emulatorMachine) close() error {
	return errors.Join(m.engine.Close(), m.surroundings.close(), os.RemoveAll(m.work))
}
