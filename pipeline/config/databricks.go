package config

import (
	"fmt"
	"regexp"
	"strings"
)

// far are the beginnings of init scripts' addresses that only the platform itself can read.
var far = regexp.MustCompile(`^(dbfs|s3a?|s3n|abfss?|wasbs?|gs|https?):|^/(Volumes|Workspace|Users|dbfs)/`)

// validateDatabricks looks at what only the profile databricks has.
func (d *decoder) validateDatabricks(path string, l Launch) {
	if l.Target == workspaceTarget {
		return
	}
	if l.Profile != "databricks" && !d.failed(path+".profile") {
		for _, key := range []struct {
			key   string
			given bool
		}{{"runtime", l.Runtime != ""}, {"init_scripts", len(l.InitScripts) > 0}} {
			if key.given {
				d.refuse(path+"."+key.key, "needs the profile databricks; this launch has the profile "+string(l.Profile), "write profile: databricks, or leave it out")
			}
		}
	}
	if strings.HasPrefix(l.Runtime, "file:") || strings.Contains(l.Runtime, "://") {
		d.refuse(path+".runtime", "is a folder of this machine, not an address", "write its path")
	}
	for i, script := range l.InitScripts {
		at := fmt.Sprintf("%s.init_scripts[%d]", path, i)
		inside, isInside := strings.CutPrefix(script, "file:")
		switch {
		case d.failed(at):
		case strings.TrimSpace(script) == "" || isInside && inside == "":
			d.refuse(at, "names no script", "write file:/PATH for one inside the image, or the path of a file of this machine")
		case far.MatchString(script):
			d.refuse(at, fmt.Sprintf("%q is out of the sandbox's reach, which has no DBFS, no workspace and no cloud storage", script), "write file:/PATH for one inside the image, or the path of a copy on this machine")
		case isInside && strings.HasPrefix(inside, "//"):
			d.refuse(at, fmt.Sprintf("%q has two slashes too many", script), "write file:/"+strings.TrimLeft(inside, "/"))
		case isInside && !strings.HasPrefix(inside, "/"):
			d.refuse(at, fmt.Sprintf("%q is no absolute path inside the image", script), "write file:/"+inside+", or "+inside+" for a file of this machine")
		}
	}
}

func (d *decoder) needsDatabricks(path string, l Launch) {
	if l.Profile != "databricks" && !d.failed(strings.SplitN(path, ".", 2)[0]+".profile") {
		d.refuse(path, fmt.Sprintf("needs the profile databricks; this launch has the profile %s, which starts no driver", l.Profile), "write profile: databricks, or take another probe")
	}
}

// expectation looks at what a probe must come to.
func (d *decoder) expectation(path, matches string, exit int) {
	if _, err := regexp.Compile(matches); err != nil && !d.failed(path+".matches") {
		d.refuse(path+".matches", fmt.Sprintf("is no regular expression: %v", err), "see https://github.com/google/re2/wiki/Syntax")
	}
	if exit < 0 || exit > 255 {
		d.refuse(path+".exit", fmt.Sprintf("%d is no exit code", exit), "they go from 0 to 255")
	}
}

func (d *decoder) validatePip(path string, p Pip) {
	switch {
	case d.failed(path) || d.failed(path+".from"):
	case strings.Contains(p.From, "://"):
		d.refuse(path+".from", "is an address, and the sandbox has no network", "download the wheels into a folder and name that")
	case strings.TrimSpace(p.From) == "":
		d.refuse(path+".from", "is empty", "name a wheel, or a folder of wheels and what to install of it")
	default:
		d.validateWheels(path, p)
	}
	d.validatePackages(path, p)
}

// validateWheels looks at what is installed where from is written: a wheel, or packages of a folder.
func (d *decoder) validateWheels(path string, p Pip) {
	switch wheel := strings.HasSuffix(p.From, ".whl"); {
	case !wheel && len(p.Packages) == 0:
		d.refuse(path, "does not say what to install", "name a wheel (.whl) in from, or add packages: [NAME]")
	case wheel && len(p.Packages) > 0:
		d.refuse(path+".packages", "stand beside a wheel, which is the package", "leave them out, or let from name the folder")
	}
}

// optionWord is what pip would take for an option of its own.
var optionWord = regexp.MustCompile(`^-|^\s*$`)

func (d *decoder) validatePackages(path string, p Pip) {
	for i, name := range p.Packages {
		if optionWord.MatchString(name) {
			d.refuse(fmt.Sprintf("%s.packages[%d]", path, i), fmt.Sprintf("%q is no package", name), "write a name, or a name with a version: tool==1.0")
		}
	}
}
