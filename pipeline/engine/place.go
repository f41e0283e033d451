package engine

import (
	"errors"
	"fmt"

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

// mayEmbed says whether this user of this system can have the embedded engine.
func mayEmbed(goos string, uid int) bool { return goos == linux && uid == 0 }

// whyNot says why not.
func whyNot(goos string) string {
	if goos != linux {
		return "this is " + system(goos) + " (the embedded engine runs on Linux only)"
	}
	return "this is not root (which the embedded engine needs)"
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
		return "run as root for the embedded engine, or set " + hostVariable
	}
	return "set " + hostVariable + " to a BuildKit on Linux that you may use"
}

// Here says why a system cannot have the embedded engine; nil: it can.
func Here(goos string) error {
	if goos == linux {
		return nil
	}
	return notHere(goos)
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
func none(goos, docker string) error {
	remedy := "Run as root, set " + hostVariable + ", or let this user use Docker"
	if goos != linux {
		remedy = "Set " + hostVariable + " to a BuildKit on Linux that you may use, or start Docker"
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.none", Doing: "choosing a build engine",
		Cause:  fmt.Errorf("no engine was named, %s is not set, %s, and %s", hostVariable, whyNot(goos), docker),
		Remedy: remedy,
	}
}
