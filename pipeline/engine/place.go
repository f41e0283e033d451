package engine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// linux is the only system that has what the embedded engine is made of.
const linux = "linux"

// system is a runtime.GOOS as people call it.
func system(goos string) string {
	switch goos {
	case linux:
		return "Linux"
	case "darwin":
		return "macOS"
	case "windows":
		return "Windows"
	default:
		return goos
	}
}

// WhyNot says why this process cannot have the embedded engine; empty: it can.
func WhyNot() string { return whyNot(runtime.GOOS, os.Geteuid(), lacking()) }

func whyNot(goos string, uid int, lacks []string) string {
	switch {
	case goos != linux:
		return "this is " + system(goos) + " (the embedded engine runs on Linux only)"
	case uid != 0:
		return "this is not root (which the embedded engine needs)"
	case len(lacks) > 0:
		return "this is root without the right to make mounts and namespaces (it lacks " + strings.Join(lacks, ", ") + ")"
	}
	return ""
}

// otherwise is what builds when no address is given.
func otherwise(goos string) string {
	if goos == linux {
		return "the embedded engine"
	}
	return "Docker"
}

// instead is what to do where Docker is not to be had.
func instead(goos string) string {
	if goos == linux {
		return "run as root for the embedded engine (in a container: one with the rights of --privileged), or set " + hostVariable
	}
	return "set " + hostVariable + " to a BuildKit on Linux that you may use"
}

// Here is the error of starting the embedded engine where this process cannot have it; nil: it can.
func Here() error { return here(runtime.GOOS, WhyNot()) }

func here(goos, why string) error {
	switch {
	case why == "":
		return nil
	case goos != linux:
		return notHere(goos)
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.not-root", Doing: "starting the embedded engine",
		Cause: errors.New("it makes mounts and namespaces, and " + why),
		Remedy: "Run as root (in a container: one with the rights of --privileged); builds alone can also go to a BuildKit that " +
			hostVariable + " names, or to Docker (engine.use: docker)",
	}
}

// notHere is for a system without an embedded engine.
func notHere(goos string) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.not-here", Doing: "starting the embedded engine on", Object: system(goos),
		Cause: errors.New("it makes containers of this machine's own kernel, and only Linux has them"),
		Remedy: "Build with a BuildKit on Linux that " + hostVariable + " names, or with Docker (engine.use: docker); " +
			"launches with target sandbox need Hallmark on Linux, in a virtual machine for example",
	}
}

// none is for a user to whom no engine is left.
func none(goos, why, docker string) error {
	remedy := "Run as root (in a container: one with the rights of --privileged), set " + hostVariable + ", or let this user use Docker"
	if goos != linux {
		remedy = "Set " + hostVariable + " to a BuildKit on Linux that you may use, or start Docker"
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.none", Doing: "choosing a build engine",
		Cause:  fmt.Errorf("no engine was named, %s is not set, %s, and %s", hostVariable, why, docker),
		Remedy: remedy,
	}
}
