package main

import (
	"os/exec"
	"syscall"
)

// diesWithUs takes the child along when this program is killed.
func diesWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
