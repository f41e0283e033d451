package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// What a check asks of an image depends on the cluster that the image is for: a pass for one runtime says nothing about
// another. So where a configuration has both the packs for Databricks and a launch in a workspace, the two must speak of the
// same cluster. A launch in the sandbox takes no part: it copies in a Spark distribution, which has no runtime's version,
// and has no settings of Spark's.

// platformPacks are the packs that judge an image for a cluster of a workspace.
var platformPacks = []string{"databricks", "databricks-gpu"}

// driverNFS is the setting without which notebooks' libraries lie on a mount of the driver's, and need virtualenv.
const driverNFS = "spark.databricks.driverNfs.enabled"

// workspaceLaunches are the launches in a workspace, by their paths.
func (c *Config) workspaceLaunches() map[string]Databricks {
	all := map[string]Databricks{}
	for i, l := range c.Launch {
		if l.Target == workspaceTarget && l.Databricks != nil {
			all[fmt.Sprintf("launch[%d].databricks", i)] = *l.Databricks
		}
	}
	return all
}

// deriveParams tells the packs for Databricks what the launch says, where they are told nothing themselves.
func (d *decoder) deriveParams(c *Config) {
	launches := c.workspaceLaunches()
	if len(launches) != 1 { // two are refused as launches that evidence cannot tell apart
		return
	}
	for at, b := range launches {
		if version := versionOf(b.Runtime); version != "" {
			pack := "databricks" // from which the other takes it
			if !slices.Contains(c.Check.Packs, pack) {
				pack = "databricks-gpu"
			}
			d.deriveParam(c, pack, "runtime", version, at+".runtime")
		}
		if off, given := nfsOff(b); given && off {
			d.deriveParam(c, "databricks", "driver_nfs", false, fmt.Sprintf("%s.spark_conf[%q]", at, driverNFS))
		}
	}
}

// deriveParam gives a pack that is asked a parameter that nobody has given it, and says where it comes from.
func (d *decoder) deriveParam(c *Config, pack, name string, value any, from string) {
	at := paramPath(pack, name)
	if !slices.Contains(c.Check.Packs, pack) || d.failed(from) || d.nodes[at] != nil {
		return
	}
	params := map[string]map[string]any{}
	maps.Copy(params, c.Check.Params)
	params[pack] = maps.Clone(params[pack])
	if params[pack] == nil {
		params[pack] = map[string]any{}
	}
	params[pack][name] = value
	c.Check.Params, d.nodes[at] = params, d.nodes[from]
}

func paramPath(pack, name string) string { return fmt.Sprintf("check.params[%q][%q]", pack, name) }

// paramName is the path as people write it behind --set.
func paramName(pack, name string) string { return "check.params." + pack + "." + name }

// validateAgreement refuses a check and a launch that speak of different clusters.
func (d *decoder) validateAgreement(c *Config) {
	launches := c.workspaceLaunches()
	for _, at := range slices.Sorted(maps.Keys(launches)) {
		b := launches[at]
		for _, pack := range platformPacks {
			if asked, written := c.Check.Params[pack]["runtime"].(string); written && slices.Contains(c.Check.Packs, pack) {
				d.sameRuntime(at+".runtime", b.Runtime, pack, asked)
			}
		}
		if with, written := c.Check.Params["databricks"]["driver_nfs"].(bool); written && slices.Contains(c.Check.Packs, "databricks") {
			d.sameDriverNFS(at, b, with)
		}
	}
}

func (d *decoder) sameRuntime(path, launched, pack, asked string) {
	here, there := versionOf(launched), versionOf(asked)
	if d.failed(path) || here == "" || there == "" || sameVersion(here, there) {
		return // of a key that names no version nobody knows which one it is
	}
	d.refuse(path, fmt.Sprintf("is %s, and the check is for the runtime %s (%s): a pass for the one says nothing about the other", launched, asked, d.written(pack, "runtime")),
		fmt.Sprintf("write %s in both, or leave %s out: it is then the launch's", here, paramName(pack, "runtime")))
}

func (d *decoder) sameDriverNFS(at string, b Databricks, with bool) {
	path, param, where := fmt.Sprintf("%s.spark_conf[%q]", at, driverNFS), paramName("databricks", "driver_nfs"), d.written("databricks", "driver_nfs")
	off, given := nfsOff(b)
	switch {
	case d.failedBelow(at + ".spark_conf"):
	case !with && !given:
		d.refuse(at+".spark_conf", fmt.Sprintf("lacks %s, and the check takes an image without virtualenv on the promise that the launch sets it to false (%s)", driverNFS, where),
			fmt.Sprintf(`write spark_conf: {%s: "false"}, or leave %s out and virtualenv in the image`, driverNFS, param))
	case !with && !off:
		d.refuse(path, fmt.Sprintf("is %q, and the check takes an image without virtualenv on the promise that the launch sets it to false (%s)", b.SparkConf[driverNFS], where),
			fmt.Sprintf(`write %s: "false", or leave %s out and virtualenv in the image`, driverNFS, param))
	case with && off:
		d.refuse(path, fmt.Sprintf("is %q, and the check asks for virtualenv as if the launch left the setting alone (%s)", b.SparkConf[driverNFS], where),
			fmt.Sprintf("leave %s out: it is then what the launch says", param))
	}
}

// nfsOff says whether a launch sets the setting to false, and whether it sets it at all.
func nfsOff(b Databricks) (off, given bool) {
	value, given := b.SparkConf[driverNFS]
	return strings.EqualFold(strings.TrimSpace(value), "false"), given
}

// written is a parameter with where it was written.
func (d *decoder) written(pack, name string) string {
	if n := d.nodes[paramPath(pack, name)]; n != nil {
		return paramName(pack, name) + ", " + d.source.origin(n)
	}
	return paramName(pack, name)
}

// runtimeNumber is a version as parameters and launches write it: 16.4, "16.4 LTS", 16.4.x-scala2.12, 6.x.
var runtimeNumber = regexp.MustCompile(`^([0-9]{1,3}\.(?:[0-9]{1,3}|x))(?:\.x)?(?:$|[^0-9.])`)

// versionOf is the version without the platform's decoration; empty where a key of one's own says nothing of it.
func versionOf(runtime string) string {
	if match := runtimeNumber.FindStringSubmatch(strings.ToLower(strings.TrimSpace(runtime))); match != nil {
		return match[1]
	}
	return ""
}

// sameVersion holds 6.x to be any version of its series.
func sameVersion(a, b string) bool {
	major, minor, _ := strings.Cut(a, ".")
	major2, minor2, _ := strings.Cut(b, ".")
	return major == major2 && (minor == minor2 || minor == "x" || minor2 == "x")
}
