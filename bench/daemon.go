package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a program that runs beside what is measured.
type daemon struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// launch starts a program in the background; what it says goes to log.
func launch(ctx context.Context, log string, cmd *exec.Cmd) (*daemon, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, done: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(d.done) }()
	return d, nil
}

// ready waits until ask is content.
func (d *daemon) ready(ctx context.Context, ask func() error) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-d.done:
			return fmt.Errorf("%s ended at once: %w", d.cmd.Path, err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			d.stop()
			return fmt.Errorf("%s does not answer: %w", d.cmd.Path, err)
		}
	}
}

// stop ends the program; a nil daemon never ran.
func (d *daemon) stop() {
	if d == nil {
		return
	}
	_ = d.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(20 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
	}
}

// serveRegistry serves an empty registry: the same program for all, and running before the clock does.
func serveRegistry(ctx context.Context, s settings, home string) (*daemon, string, error) {
	if err := discard(s, home); err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, "", err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, s.hallmark, "registry", "serve", "--home", home, "--addr", address)
	d, err := launch(ctx, filepath.Join(home, "serve.log"), cmd)
	if err != nil {
		return nil, "", err
	}
	return d, address, d.ready(ctx, func() error {
		answer, err := http.Get("http://" + address + "/v2/")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	})
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
