package databricks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Ways to make a cluster one of a single node.
const (
	SingleNodeAuto = "auto"           // the flag, and the older way where the workspace refuses it
	SingleNodeFlag = "is_single_node" // kind CLASSIC_PREVIEW and is_single_node
	SingleNodeConf = "conf"           // num_workers 0, two settings of Spark, a tag
)

// Access modes that take images.
const (
	Dedicated = "dedicated"
	NoMode    = "none"
)

// Settings say which workspace, and what kind of cluster.
type Settings struct {
	Profile string // of .databrickscfg; empty: the environment's
	Host    string // https://…; empty: the environment's or the profile's

	Runtime    string // "16.4", or the platform's own key
	NodeType   string // a name, "smallest" (with a local disk), or "gpu"; empty where a pool has one
	SingleNode string // auto, is_single_node or conf
	Policy     string
	Pool       string
	DriverPool string
	AccessMode string // dedicated or none

	Credentials Credentials
	Scripts     []Script
	SparkConf   map[string]string
	Env         map[string]string
	Tags        map[string]string
	LogDelivery string // dbfs:/…, s3://… or /Volumes/…; empty: none
	LogRegion   string // of an s3 address

	Autotermination time.Duration // the platform's own backstop
	Retries         int           // fresh clusters after faults of the surroundings
}

// Credentials are how the cluster logs in to the image's registry. Each of the two is a reference to a secret of the
// workspace, {{secrets/SCOPE/KEY}}, or one to a secret of this machine; the user name may stand there itself.
type Credentials struct {
	Username string
	Password string
}

// IsZero says that there are none.
func (c Credentials) IsZero() bool { return c == Credentials{} }

// far is a reference to a secret of the workspace.
var farSecret = regexp.MustCompile(`^\{\{secrets/[A-Za-z0-9_.@-]{1,128}/[A-Za-z0-9_.@-]{1,128}\}\}$`)

// read returns what is sent: references to the workspace's secrets as they are, those to this machine's as values.
func (c Credentials) read() (username, password string, err error) {
	if username, err = readCredential(c.Username, true); err != nil {
		return "", "", err
	}
	password, err = readCredential(c.Password, false)
	return username, password, err
}

func readCredential(text string, bare bool) (string, error) {
	local := strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:")
	if farSecret.MatchString(text) || bare && !local {
		return text, nil
	}
	value, err := secret.Ref(text).Read()
	return string(value), err
}

// Script is an init script.
type Script struct {
	Kind   string // workspace, volumes, dbfs, s3, abfss, gcs or file
	Path   string // as the API wants it
	Region string // of an s3 address
}

var scriptKinds = []string{"workspace", "volumes", "dbfs", "s3", "abfss", "gcs", "file"}

// Bounds of the platform.
const (
	maxTags        = 45
	maxTagKey      = 127
	maxTagValue    = 255
	minAutoend     = 10 * time.Minute
	maxAutoend     = 10000 * time.Minute
	defaultAutoend = 30 * time.Minute
)

// check says what is wrong with the options; package config says it better, with the line.
func (o *Options) check() error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: launching on Databricks: "+format, append([]any{verdict.ErrUsage}, args...)...)
	}
	if o.Runtime == "" {
		return refuse("no runtime is named")
	}
	if err := refusedRuntime(o.Runtime); err != "" {
		return refuse("%s", err)
	}
	if o.SingleNode == "" {
		o.SingleNode = SingleNodeAuto
	}
	if o.AccessMode == "" {
		o.AccessMode = Dedicated
	}
	if o.Autotermination == 0 {
		o.Autotermination = defaultAutoend
	}
	switch {
	case o.NodeType == "" && o.Pool == "":
		return refuse("neither a node type nor a pool is named")
	case o.NodeType != "" && o.Pool != "":
		return refuse("a node type and a pool are named, and the pool has one of its own")
	case o.DriverPool != "" && o.Pool == "":
		return refuse("a pool for the driver needs a pool")
	case !slices.Contains([]string{SingleNodeAuto, SingleNodeFlag, SingleNodeConf}, o.SingleNode):
		return refuse("the way to a single node %q is not known", o.SingleNode)
	case o.AccessMode != Dedicated && o.AccessMode != NoMode:
		return refuse("the access mode %q takes no images of one's own", o.AccessMode)
	case o.Autotermination < minAutoend || o.Autotermination > maxAutoend:
		return refuse("the autotermination %s is not between 10 and 10000 minutes", o.Autotermination)
	case o.Retries < 0:
		return refuse("a negative number of retries")
	case strings.HasPrefix(o.LogDelivery, "s3") && o.LogRegion == "":
		return refuse("the logs' bucket %s has no region, which the platform wants of S3", o.LogDelivery)
	case o.Tag == "":
		return refuse("the image has no staging tag")
	}
	if (o.Credentials.Username == "") != (o.Credentials.Password == "") {
		return refuse("half a credential: a user name and a password are needed")
	}
	for _, script := range o.Scripts {
		if !slices.Contains(scriptKinds, script.Kind) || script.Path == "" {
			return refuse("the init script %q of the kind %q is none", script.Path, script.Kind)
		}
		if script.Kind == "s3" && script.Region == "" {
			return refuse("the init script %s has no region, which the platform wants of S3", script.Path)
		}
	}
	return o.checkTags()
}
