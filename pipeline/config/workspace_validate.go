package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// workspaceTarget is the target that launches in a Databricks workspace.
const workspaceTarget = "databricks"

// deriveWorkspace fills in what the target databricks implies: its profile, more time, no limits but the machine's.
func (c *Config) deriveWorkspace(given func(path string) bool) {
	for i := range c.Launch {
		l, at := &c.Launch[i], fmt.Sprintf("launch[%d]", i)
		if l.Target != workspaceTarget {
			continue
		}
		if !given(at + ".profile") {
			l.Profile = "databricks"
		}
		if !given(at + ".timeout") {
			l.Timeout = Duration(30 * time.Minute)
		}
		for key, limit := range map[string]func(){
			"memory": func() { l.Limits.Memory = 0 }, "cpus": func() { l.Limits.CPUs = 0 }, "pids": func() { l.Limits.PIDs = 0 },
		} {
			if !given(at + ".limits." + key) {
				limit()
			}
		}
		if l.Databricks != nil && l.Databricks.InstancePoolID != "" && !given(at+".databricks.node_type") {
			l.Databricks.NodeType = ""
		}
	}
}

// validateWorkspace looks at what only the target databricks has, and at what it has not.
func (d *decoder) validateWorkspace(path string, l Launch) {
	block := path + ".databricks"
	if l.Target != workspaceTarget {
		if l.Databricks != nil && !d.failed(path+".target") {
			d.refuseKey(block, "needs the target databricks; this launch has the target "+string(l.Target), "write target: databricks, or leave the block out")
		}
		return
	}
	if l.Profile != "databricks" && !d.failed(path+".profile") {
		d.refuse(path+".profile", "is "+string(l.Profile)+", and the target databricks has the profile databricks alone", "leave it out")
	}
	for _, key := range []struct {
		key, hint string
		given     bool
	}{
		{"runtime", "the runtime's version goes into databricks.runtime", l.Runtime != ""},
		{"init_scripts", "write them in databricks.init_scripts, each with where it lies", len(l.InitScripts) > 0},
		{"limits", "choose the machine in databricks.node_type", l.Limits != Limits{}},
	} {
		if key.given {
			d.refuseKey(path+"."+key.key, "is for the sandbox; this launch has the target databricks", key.hint)
		}
	}
	if l.Databricks == nil {
		if !d.failed(block) {
			d.refuse(block, "is missing: the target databricks needs to know the runtime", `add databricks: {runtime: "16.4"}`)
		}
		return
	}
	d.validateCluster(block, *l.Databricks)
}

func (d *decoder) validateCluster(path string, b Databricks) {
	d.validateRuntime(path+".runtime", b.Runtime)
	if b.Host != "" && !hostAddress.MatchString(b.Host) {
		d.refuse(path+".host", fmt.Sprintf("%q is no address of a workspace", b.Host), "write https://HOST, without a path")
	}
	if b.InstancePoolID != "" && d.nodes[path+".node_type"] != nil {
		d.refuse(path+".node_type", "stands beside instance_pool_id, and the pool has a type of its own", "keep one of them")
	}
	if b.InstancePoolID == "" && b.NodeType == "" && !d.failed(path+".node_type") {
		d.refuse(path+".node_type", "is empty", "leave it out for smallest")
	}
	if b.DriverInstancePoolID != "" && b.InstancePoolID == "" {
		d.refuse(path+".driver_instance_pool_id", "needs instance_pool_id beside it", "write instance_pool_id: on a single node it is the driver's")
	}
	if end := b.Autotermination; (end < Duration(10*time.Minute) || end > Duration(10000*time.Minute)) && !d.failed(path+".autotermination") {
		d.refuse(path+".autotermination", fmt.Sprintf("%s is not between 10m and 10000m, which the platform takes", end), "write 30m")
	}
	if b.Retries < 0 || b.Retries > 10 {
		d.refuse(path+".retries", fmt.Sprintf("%d is not between 0 and 10", b.Retries), "write 2")
	}
	if (b.Credentials.Username == "") != (b.Credentials.Password == "") && !d.failedBelow(path+".credentials") {
		d.refuse(path+".credentials", "hold half a credential", "give username and password")
	}
	for i, script := range b.InitScripts {
		at := fmt.Sprintf("%s.init_scripts[%d]", path, i)
		kind, address, _ := script.Address()
		if kind == "" {
			if !d.failedBelow(at) {
				d.refuse(at, "names no script", "write one of workspace, volumes, dbfs, s3, abfss, gcs, file with an address")
			}
			continue
		}
		if form := scriptForms[kind]; !(address == "" && d.failedBelow(at)) && !regexp.MustCompile(form.form).MatchString(address) {
			d.refuse(at+"."+kind, fmt.Sprintf("%q is no address of that kind", address), "write "+form.sample)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.SparkConf)) {
		if key == "spark.master" || key == "spark.databricks.cluster.profile" {
			d.refuseKey(fmt.Sprintf("%s.spark_conf[%q]", path, key), "is what makes a cluster one of a single node, and set by single_node", "leave it out")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Env)) {
		if !envWord.MatchString(name) {
			d.refuseKey(fmt.Sprintf("%s.env[%q]", path, name), "is no name of a variable", "use letters, digits and _")
		}
	}
	d.validateTags(path+".tags", b.Tags)
	d.validateDelivery(path, b)
}

// failedBelow says whether something at path or inside of it was already found wrong.
func (d *decoder) failedBelow(path string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return strings.HasPrefix(p.Field, path) })
}

func (d *decoder) validateRuntime(path, runtime string) {
	if d.failed(path) || d.nodes[path] == nil && runtime == "" && d.failedBelow(strings.TrimSuffix(path, ".runtime")) {
		return
	}
	lower := strings.ToLower(runtime)
	words := strings.FieldsFunc(lower, func(r rune) bool { return r == '-' || r == ' ' || r == '_' })
	switch {
	case runtime == "":
		d.refuse(path, "is missing", `write runtime: "16.4"`)
		return
	case slices.Contains(words, "ml"), strings.HasSuffix(lower, "ml"):
		d.refuse(path, fmt.Sprintf("%q is a runtime for machine learning, which takes no images", runtime), "write the standard runtime of that version, and put the libraries into the image")
		return
	case slices.Contains(words, "hls"), slices.Contains(words, "genomics"):
		d.refuse(path, fmt.Sprintf("%q is a runtime for genomics, which takes no images", runtime), "write the standard runtime of that version")
		return
	case slices.Contains(words, "aarch64"):
		d.refuse(path, fmt.Sprintf("%q is a runtime for ARM, which takes no images", runtime), "write the standard runtime of that version")
		return
	}
	if match := runtimeAt.FindStringSubmatch(runtime); match != nil {
		major, _ := strconv.Atoi(match[1])
		minor, err := strconv.Atoi(match[2])
		if major < 6 || major == 6 && err == nil && minor < 1 {
			d.refuse(path, fmt.Sprintf("%q takes no images: 6.1 is the first runtime that does", runtime), `write a version that is supported, such as "16.4"`)
			return
		}
	}
	if !runtimeWord.MatchString(runtime) {
		d.refuse(path, fmt.Sprintf("%q is no runtime", runtime), `write a version, "16.4", or the platform's key, 16.4.x-scala2.12`)
	}
}

// validateTags keeps to what every cloud takes: 45 tags, of which Hallmark and the platform set five.
func (d *decoder) validateTags(path string, tags map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		at := fmt.Sprintf("%s[%q]", path, key)
		switch {
		case strings.HasPrefix(strings.ToLower(key), "hallmark-"), key == "ResourceClass":
			d.refuseKey(at, "is a tag that is set for every cluster", "choose another name")
		case len(key) > 127:
			d.refuseKey(at, "is longer than 127 characters, which the platform takes", "")
		case len(tags[key]) > 255:
			d.refuse(at, "is longer than 255 characters, which the platform takes", "")
		}
	}
	if len(tags) > 40 {
		d.refuse(path, fmt.Sprintf("are %d tags, and the platform takes 45, with the five that are set for every cluster", len(tags)), "leave some out")
	}
}

var deliveries = regexp.MustCompile(`^(dbfs:/.|/Volumes/[^/]+/[^/]+/[^/]+|s3[an]?://.)`)

func (d *decoder) validateDelivery(path string, b Databricks) {
	if b.LogDelivery != "" && !deliveries.MatchString(b.LogDelivery) {
		d.refuse(path+".log_delivery", fmt.Sprintf("%q is no place that the platform delivers logs to", b.LogDelivery), "write dbfs:/PATH, /Volumes/CATALOG/SCHEMA/VOLUME/PATH or s3://BUCKET/PATH")
	}
	if b.LogRegion == "" && strings.HasPrefix(b.LogDelivery, "s3") {
		d.refuse(path+".log_delivery", "is in S3, and the platform wants to know the bucket's region", "write log_region beside it")
	}
	if b.LogRegion != "" && !strings.HasPrefix(b.LogDelivery, "s3") {
		d.refuse(path+".log_region", "is the region of a bucket, and log_delivery names none", "leave it out")
	}
}

// onWorkspace refuses a probe on a target that cannot put it.
func (d *decoder) onWorkspace(path string, l Launch) {
	if l.Target != workspaceTarget && !d.failed(strings.SplitN(path, ".", 2)[0]+".target") {
		d.refuse(path, fmt.Sprintf("needs the target databricks; this launch has the target %s", l.Target), "write target: databricks, or take another probe")
	}
}

// validateInstall looks at a notebook's pip, which has a network and the workspace's own folders.
func (d *decoder) validateInstall(path string, p Pip) {
	switch {
	case d.failedBelow(path):
	case p.From == "" && len(p.Packages) == 0:
		d.refuse(path, "does not say what to install", "write packages: [NAME]")
	case p.From != "" && !strings.HasPrefix(p.From, "/"):
		d.refuse(path+".from", fmt.Sprintf("%q is no absolute path in the workspace", p.From), "write /Volumes/… or /Workspace/…, or packages: [NAME] for the index")
	default:
		d.validateWheels(path, p)
	}
	d.validatePackages(path, p)
}
