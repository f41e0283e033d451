package emulator

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Limits of the platform's reference.
const (
	mostTags        = 45
	longestTagKey   = 127
	longestTagValue = 255
	mostKeys        = 10 // of ssh_public_keys
	leastIdle       = 10 // minutes
	mostIdle        = 10000
	longestToken    = 64 // of idempotency_token
)

// What makes a single node the older way.
const (
	profileKey   = "spark.databricks.cluster.profile"
	singleNode   = "singleNode"
	masterKey    = "spark.master"
	resourceTag  = "ResourceClass"
	resourceNode = "SingleNode"
)

var (
	securityModes = []string{
		"", "DATA_SECURITY_MODE_AUTO", "DATA_SECURITY_MODE_DEDICATED", "DATA_SECURITY_MODE_STANDARD", "LEGACY_PASSTHROUGH", "LEGACY_SINGLE_USER",
		"LEGACY_SINGLE_USER_STANDARD", "LEGACY_TABLE_ACL", "NONE", "SINGLE_USER", "USER_ISOLATION",
	}
	// sharedModes are those that several users share, and that take no image.
	sharedModes = []string{"DATA_SECURITY_MODE_STANDARD", "LEGACY_PASSTHROUGH", "LEGACY_TABLE_ACL", "USER_ISOLATION"}
	variable    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	engines     = []string{"", "NULL", "PHOTON", "STANDARD"}
)

// check looks at a specification as clusters/create does. What needs the registry shows at the launch.
func (s *Server) check(c *spec) error {
	for _, look := range []func(*spec) error{s.checkRuntime, s.checkNodes, s.checkSize, checkModes, checkTags, checkIdle, checkScripts, checkLogs, s.checkImage} {
		if err := look(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) checkRuntime(c *spec) error {
	if c.SparkVersion == "" {
		return invalid("Missing required field 'spark_version'")
	}
	if _, known := sparkVersions[c.SparkVersion]; !known {
		return invalid("Invalid spark version %s.", c.SparkVersion)
	}
	if !slices.Contains(engines, c.RuntimeEngine) {
		return malformed("Could not parse request object: runtime_engine %q is none of %s", c.RuntimeEngine, strings.Join(engines[1:], ", "))
	}
	return nil
}

func (s *Server) checkNodes(c *spec) error {
	for _, pool := range []string{c.InstancePoolID, c.DriverInstancePoolID} {
		if _, known := s.pools[pool]; pool != "" && !known {
			return invalid("Instance pool %s does not exist.", pool)
		}
	}
	if c.InstancePoolID != "" {
		if c.NodeTypeID != "" {
			return invalid("The field 'node_type_id' cannot be supplied when an instance pool ID is provided.")
		}
		return nil
	}
	if c.NodeTypeID == "" {
		return invalid("Missing required field 'node_type_id'")
	}
	for _, id := range []string{c.NodeTypeID, c.DriverNodeTypeID} {
		found, known := s.nodeType(id)
		switch {
		case id == "":
		case !known:
			return invalid("Node type %s is not supported. Supported node types: %s", id, strings.Join(s.nodeTypeNames(), ", "))
		case found.NodeInfo != nil:
			return invalid("Node type %s is not available in this region or subscription.", id)
		}
	}
	return nil
}

func (s *Server) nodeTypeNames() (names []string) {
	for _, n := range nodeTypes[s.options.Cloud] {
		names = append(names, n.NodeTypeID)
	}
	return names
}

// checkSize wants workers or a single node, made one of two ways.
func (s *Server) checkSize(c *spec) error {
	if c.Kind != "" && c.Kind != "CLASSIC_PREVIEW" {
		return malformed("Could not parse request object: kind %q is not CLASSIC_PREVIEW", c.Kind)
	}
	if c.IsSingleNode || c.UseMlRuntime {
		if c.Kind != "CLASSIC_PREVIEW" {
			return invalid("is_single_node and use_ml_runtime can only be used with kind = CLASSIC_PREVIEW.")
		}
		if c.IsSingleNode && (c.Autoscale != nil || c.NumWorkers != nil && *c.NumWorkers > 0) {
			return invalid("A cluster with is_single_node cannot have workers: leave out num_workers and autoscale.")
		}
		if c.IsSingleNode {
			return nil
		}
	}
	switch {
	case c.Autoscale != nil && c.NumWorkers != nil:
		return invalid("Only one of num_workers and autoscale can be specified.")
	case c.Autoscale != nil && (c.Autoscale.MinWorkers < 0 || c.Autoscale.MaxWorkers < max(1, c.Autoscale.MinWorkers)):
		return invalid("Invalid autoscale range: min_workers %d, max_workers %d.", c.Autoscale.MinWorkers, c.Autoscale.MaxWorkers)
	case c.Autoscale != nil:
	case c.NumWorkers == nil:
		return invalid("Missing required field: exactly one of num_workers and autoscale must be specified.")
	case *c.NumWorkers < 0:
		return invalid("num_workers must not be negative.")
	case *c.NumWorkers == 0:
		if c.SparkConf[profileKey] != singleNode || !strings.HasPrefix(c.SparkConf[masterKey], "local[") || c.CustomTags[resourceTag] != resourceNode {
			return invalid("num_workers 0 is a single node cluster: it needs spark_conf %s=%s and %s=local[*], and custom_tags %s=%s.", profileKey, singleNode, masterKey, resourceTag, resourceNode)
		}
	}
	return nil
}

func checkModes(c *spec) error {
	if !slices.Contains(securityModes, c.DataSecurityMode) {
		return malformed("Could not parse request object: data_security_mode %q is unknown", c.DataSecurityMode)
	}
	for name := range c.SparkEnvVars {
		if !variable.MatchString(name) {
			return invalid("spark_env_vars: %.60q is no name of a variable.", name)
		}
	}
	if len(c.SSHPublicKeys) > mostKeys {
		return invalid("At most %d SSH public keys can be specified, got %d.", mostKeys, len(c.SSHPublicKeys))
	}
	return nil
}

func checkTags(c *spec) error {
	if len(c.CustomTags) > mostTags {
		return invalid("At most %d custom tags can be specified, got %d.", mostTags, len(c.CustomTags))
	}
	for key, value := range c.CustomTags {
		switch {
		case key == "" || len(key) > longestTagKey:
			return invalid("The key of a custom tag must have 1 to %d characters, got %d: %.40s", longestTagKey, len(key), key)
		case len(value) > longestTagValue:
			return invalid("The value of the custom tag %s is longer than %d characters.", key, longestTagValue)
		case slices.Contains([]string{"Vendor", "Creator", "ClusterId", "ClusterName", "Name"}, key):
			return invalid("The custom tag %s has the name of a default tag.", key)
		}
	}
	return nil
}

func checkIdle(c *spec) error {
	if c.AutoterminationMinutes == nil {
		return nil
	}
	if minutes := *c.AutoterminationMinutes; minutes != 0 && (minutes < leastIdle || minutes > mostIdle) {
		return invalid("autotermination_minutes must be 0, or between %d and %d, got %d.", leastIdle, mostIdle, minutes)
	}
	return nil
}

// begins are what destinations begin with, by the kind of storage.
var begins = map[string][]string{
	"abfss": {"abfss://"}, "dbfs": {"dbfs:/"}, "file": {"file:/"}, "gcs": {"gs://"}, "s3": {"s3://"}, "volumes": {"/Volumes/"},
	"workspace": {"/Users/", "/Shared/", "/Repos/", "/Workspace/"},
}

func checkPlace(what, kind string, p *place) error {
	if p.Destination == "" {
		return invalid("%s.%s has no destination.", what, kind)
	}
	if !slices.ContainsFunc(begins[kind], func(begin string) bool {
		return strings.HasPrefix(p.Destination, begin) && len(p.Destination) > len(begin)
	}) {
		return invalid("Invalid destination %s of %s.%s: it must begin with %s.", p.Destination, what, kind, strings.Join(begins[kind], " or "))
	}
	if kind == "s3" && p.Region == "" && p.Endpoint == "" {
		return invalid("%s.s3 %s needs a region or an endpoint.", what, p.Destination)
	}
	return nil
}

func checkScripts(c *spec) error {
	for i, script := range c.InitScripts {
		what := fmt.Sprintf("init_scripts[%d]", i)
		given := script.given()
		if len(given) != 1 {
			return invalid("%s must have exactly one destination, has %d.", what, len(given))
		}
		for kind, place := range given {
			if err := checkPlace(what, kind, place); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkLogs(c *spec) error {
	if c.ClusterLogConf == nil {
		return nil
	}
	given := 0
	for kind, place := range map[string]*place{"dbfs": c.ClusterLogConf.Dbfs, "s3": c.ClusterLogConf.S3, "volumes": c.ClusterLogConf.Volumes} {
		if place == nil {
			continue
		}
		given++
		if err := checkPlace("cluster_log_conf", kind, place); err != nil {
			return err
		}
	}
	if given != 1 {
		return invalid("cluster_log_conf must have exactly one destination, has %d.", given)
	}
	return nil
}

// checkImage is what custom containers are refused with.
func (s *Server) checkImage(c *spec) error {
	image := c.DockerImage
	if image == nil {
		return nil
	}
	if s.settings["enableDcs"] != "true" {
		return invalid("Custom containers is turned off for your deployment. Please contact your workspace administrator to use this feature.")
	}
	if strings.TrimSpace(image.URL) == "" {
		return invalid("docker_image.url must not be empty.")
	}
	if strings.Contains(image.URL, "://") || strings.ContainsAny(image.URL, " \t\n") {
		return invalid("docker_image.url %q is no image: write registry/repository:tag.", image.URL)
	}
	if image.BasicAuth != nil && (image.BasicAuth.Username == "" || image.BasicAuth.Password == "") {
		return invalid("docker_image.basic_auth needs a username and a password.")
	}
	if isML(c.SparkVersion) || c.UseMlRuntime {
		return invalid("Custom containers are not supported with Databricks Runtime for Machine Learning or Genomics (%s).", c.SparkVersion)
	}
	if slices.Contains(sharedModes, c.DataSecurityMode) {
		return invalid("Custom containers are not supported with the access mode %s; use a dedicated cluster.", c.DataSecurityMode)
	}
	for _, id := range []string{c.NodeTypeID, c.DriverNodeTypeID} {
		if n, _ := s.nodeType(id); n.IsGraviton {
			return invalid("Custom containers are not supported on the ARM node type %s.", id)
		}
	}
	if strings.Contains(c.SparkVersion, "aarch64") {
		return invalid("Custom containers are not supported with the ARM runtime %s.", c.SparkVersion)
	}
	return nil
}

// mayCreate says whether the user may.
func (s *Server) mayCreate() error {
	if s.options.CannotCreate {
		return refuse(http.StatusForbidden, "PERMISSION_DENIED", "You are not authorized to create clusters. Please contact your administrator.")
	}
	return nil
}
