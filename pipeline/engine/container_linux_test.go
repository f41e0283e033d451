package engine_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
)

// output collects what a container writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) Close() error { return nil }

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// inBox solves an image that holds the tool alone and calls use with a container of it that has no network.
func inBox(ctx context.Context, e *engine.Engine, tool string, use func(context.Context, gateway.Container) error) error {
	ctx, stop := e.While(ctx)
	defer stop()
	folder, err := fsutil.NewFS(filepath.Dir(tool))
	if err != nil {
		return err
	}
	opt := client.SolveOpt{LocalMounts: map[string]fsutil.FS{"tool": folder}}
	_, err = e.Client().Build(ctx, opt, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		definition, err := llb.Scratch().File(llb.Copy(llb.Local("tool"), "/tool", "/tool")).Marshal(ctx)
		if err != nil {
			return nil, err
		}
		result, err := c.Solve(ctx, gateway.SolveRequest{Definition: definition.ToPB(), Evaluate: true})
		if err != nil {
			return nil, err
		}
		container, err := c.NewContainer(ctx, gateway.NewContainerRequest{
			NetMode: pb.NetMode_NONE,
			Mounts:  []gateway.Mount{{Dest: "/", MountType: pb.MountType_BIND, Ref: result.Ref}},
		})
		if err != nil {
			return nil, err
		}
		defer container.Release(context.WithoutCancel(ctx))
		return gateway.NewResult(), use(ctx, container)
	}, nil)
	return err
}

// run is inBox for one process: its output and exit code.
func run(t testing.TB, e *engine.Engine, env []string, args ...string) (string, int) {
	t.Helper()
	out := &output{}
	code := 0
	err := inBox(t.Context(), e, enginetest.Tool(t), func(ctx context.Context, c gateway.Container) error {
		process, err := c.Start(ctx, gateway.StartRequest{Args: append([]string{"/tool"}, args...), Env: env, Cwd: "/", Stdout: out, Stderr: out})
		if err != nil {
			return err
		}
		err = process.Wait()
		if exit := (*gwpb.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode < 256 {
			code = int(exit.ExitCode)
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out.String(), code
}

func TestContainerHasLoopbackOnly(t *testing.T) {
	t.Parallel()
	out, code := run(t, enginetest.Shared(t), nil, "interfaces")
	if code != 0 || out != "lo true\n" {
		t.Errorf("exit %d, interfaces %q; want only lo, up", code, out)
	}
}

func TestForgedOrderIsRefused(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	err := inBox(t.Context(), e, enginetest.Tool(t), func(ctx context.Context, c gateway.Container) error {
		process, err := c.Start(ctx, gateway.StartRequest{
			Args: []string{"/tool", "echo", "in"}, Cwd: "/",
			Env: []string{`HALLMARK_SANDBOX=eyJiaW5kcyI6W3sic291cmNlIjoiL2V0Yy9zaGFkb3ciLCJ0YXJnZXQiOiIvZGV2L3MifV19.AAAA`},
		})
		if err != nil {
			return err
		}
		return process.Wait()
	})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("HALLMARK_SANDBOX is reserved")) {
		t.Errorf("a forged order gives %v", err)
	}
}

func TestBindReachesContainerAndOrderDoesNot(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	box, err := e.Sandbox(engine.Limits{}, []engine.Bind{{Source: enginetest.Tool(t), Target: "/dev/probe"}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	out := &output{}
	err = inBox(t.Context(), e, enginetest.Tool(t), func(ctx context.Context, c gateway.Container) error {
		first, err := c.Start(ctx, gateway.StartRequest{Args: []string{"/tool", "stubborn", "60"}, Env: []string{box.Env()}, Cwd: "/", Stdout: out})
		if err != nil {
			return err
		}
		// The bound file runs in the container, beside its first process, and sees no order.
		second, err := c.Start(ctx, gateway.StartRequest{Args: []string{"/dev/probe", "env", "HALLMARK_SANDBOX"}, Env: []string{"A=b", box.Env()}, Cwd: "/", Stdout: out})
		if err != nil {
			return err
		}
		if err := second.Wait(); err != nil {
			return err
		}
		if err := first.Signal(ctx, syscall.SIGKILL); err != nil {
			return err
		}
		if err := first.Wait(); err == nil {
			return errors.New("a killed process ended well")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != "stubborn\n\n" {
		t.Errorf("output %q", out)
	}
}

func TestLimitsHold(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	tests := map[string]struct {
		limits engine.Limits
		args   []string
		check  func(t *testing.T, out string, code int, r engine.SandboxReport)
	}{
		"memory": {
			engine.Limits{Memory: 64 << 20},
			[]string{"eat", "200"},
			func(t *testing.T, out string, code int, r engine.SandboxReport) {
				if code == 0 || !r.OOMKilled || !r.Memory.Enforced {
					t.Errorf("exit %d, %+v, output %q; want a kill for want of memory", code, r, out)
				}
				if r.MemoryPeak < 32<<20 || r.MemoryPeak > 65<<20 {
					t.Errorf("peak %d bytes under a limit of 64 MiB", r.MemoryPeak)
				}
			},
		},
		"memory that suffices": {
			engine.Limits{Memory: 256 << 20},
			[]string{"eat", "50"},
			func(t *testing.T, out string, code int, r engine.SandboxReport) {
				if code != 0 || r.OOMKilled || out != "ate 50\n" {
					t.Errorf("exit %d, %+v, output %q", code, r, out)
				}
			},
		},
		"processes": {
			engine.Limits{PIDs: 20},
			[]string{"fork", "40"},
			func(t *testing.T, out string, code int, r engine.SandboxReport) {
				if code == 0 || !r.PIDs.Enforced || !r.PIDsExhausted(engine.Limits{PIDs: 20}) {
					t.Errorf("exit %d, %+v, output %q; want the limit to be met", code, r, out)
				}
			},
		},
		"processors": {
			engine.Limits{CPUs: 0.2},
			[]string{"spin", "2"},
			func(t *testing.T, out string, code int, r engine.SandboxReport) {
				var used int
				if _, err := fmtSscan(out, &used); err != nil || code != 0 || !r.CPUs.Enforced {
					t.Fatalf("exit %d, %+v, output %q", code, r, out)
				}
				if used > 900 { // 0.2 of 2 s is 400 ms; without a limit it is near 2000
					t.Errorf("%d ms of processor time in 2 s under a limit of 0.2", used)
				}
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, err := e.Sandbox(test.limits, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer box.Close()
			if _, found, err := box.Report(); found || err != nil {
				t.Errorf("a report before the start: %v, %v", found, err)
			}
			out, code := run(t, e, []string{box.Env()}, test.args...)
			report, found, err := box.Report()
			if err != nil || !found || !report.Ended {
				t.Fatalf("report %+v, %v, %v", report, found, err)
			}
			test.check(t, out, code, report)
		})
	}
}

func TestSandboxRefusesBinds(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	for _, bind := range []engine.Bind{
		{Source: "relative", Target: "/dev/x"},
		{Source: "/etc/hosts", Target: "/etc/x"},
		{Source: "/etc/hosts", Target: "/dev/../etc/x"},
		{Source: "/etc/hosts", Target: "/dev/"},
	} {
		if _, err := e.Sandbox(engine.Limits{}, []engine.Bind{bind}); err == nil {
			t.Errorf("%+v was accepted", bind)
		}
	}
}

func TestCancelEndsStubbornContainer(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := &output{}
	err := inBox(ctx, e, enginetest.Tool(t), func(ctx context.Context, c gateway.Container) error {
		process, err := c.Start(ctx, gateway.StartRequest{Args: []string{"/tool", "stubborn", "600"}, Cwd: "/", Stdout: out})
		if err != nil {
			return err
		}
		waitFor(t, "the container to run", func() bool { return out.String() != "" })
		cancel()
		return process.Wait()
	})
	if err == nil {
		t.Error("a canceled container ended well")
	}
	waitFor(t, "the container to be gone", func() bool { return !slices.Contains(commands(), "/tool stubborn 600") })
}
