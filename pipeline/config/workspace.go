package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// Databricks says which workspace a launch with the target databricks goes to, and what cluster it asks for there.
type Databricks struct {
	Profile              string            `yaml:"profile" doc:"Profile of .databrickscfg. Who logs in, and how, is told to Databricks' own variables (DATABRICKS_TOKEN, DATABRICKS_CLIENT_ID, …), to that file, or to the CI system; never here." default:"the environment's" example:"ci"`
	Host                 string            `yaml:"host" doc:"Address of the workspace." default:"DATABRICKS_HOST, or the profile's" example:"https://adb-1234567890123456.7.azuredatabricks.net"`
	Runtime              string            `yaml:"runtime" required:"true" doc:"Version of the Databricks Runtime, or the platform's own key for one (16.4.x-scala2.12). Runtimes for machine learning and genomics take no images, and none before 6.1 does." example:"'16.4'"`
	NodeType             string            `yaml:"node_type" doc:"Type of the machine: a name, smallest (the smallest with a local disk), or gpu (the smallest with a GPU). A pool has one of its own." example:"Standard_DS3_v2"`
	SingleNode           SingleNode        `yaml:"single_node" doc:"How the cluster is told to be of a single node: is_single_node is the newer way, conf (num_workers 0 with spark.master and a tag) the older; auto takes the newer where the workspace does."`
	PolicyID             string            `yaml:"policy_id" doc:"Id of the cluster policy." example:"E0631F5C0D0006D6"`
	InstancePoolID       string            `yaml:"instance_pool_id" doc:"Id of the instance pool that the machine comes from." example:"0101-120000-brick1-pool-ABCD1234"`
	DriverInstancePoolID string            `yaml:"driver_instance_pool_id" doc:"Id of another pool for the driver." default:"instance_pool_id"`
	AccessMode           AccessMode        `yaml:"access_mode" doc:"dedicated belongs to whoever launches; none isolates nobody. Clusters with standard (shared) access take no images."`
	Credentials          PullCredential    `yaml:"credentials" doc:"How the cluster logs in to the image's registry, where that wants it; for Azure's registry the id and the password of a service principal with AcrPull."`
	InitScripts          []InitScript      `yaml:"init_scripts" json:",omitempty" doc:"Scripts that run in this order, as root, when the container starts."`
	SparkConf            map[string]string `yaml:"spark_conf" json:",omitempty" doc:"Spark's settings." example:"{spark.databricks.driverNfs.enabled: 'false'}"`
	Env                  map[string]string `yaml:"env" json:",omitempty" doc:"Environment variables of the cluster. A value {{secrets/SCOPE/KEY}} is one of the workspace's secrets." example:"{STAGE: test}"`
	Tags                 map[string]string `yaml:"tags" json:",omitempty" doc:"Tags of the cluster, besides those by which hallmark cleanup finds it." example:"{cost-centre: '4711'}"`
	LogDelivery          string            `yaml:"log_delivery" doc:"Where the workspace delivers the cluster's logs to: dbfs:/…, /Volumes/… or s3://…" example:"/Volumes/main/ops/logs"`
	LogRegion            string            `yaml:"log_region" doc:"Region of the bucket, where log_delivery is in S3: the platform wants it there." example:"eu-west-1"`
	Autotermination      Duration          `yaml:"autotermination" doc:"After how long without work the workspace itself ends the cluster, should nobody else do it."`
	Retries              int               `yaml:"retries" doc:"How many fresh clusters are tried after a fault of the cloud or the workspace. A fault of the image is never retried."`
	Keep                 Keep              `yaml:"keep" doc:"Whether a cluster stays after its launch: never."`
}

// PullCredential is how a cluster logs in to a registry.
type PullCredential struct {
	Username PullName   `yaml:"username" doc:"User name: itself, env:NAME, file:PATH, or a secret of the workspace, {{secrets/SCOPE/KEY}}." example:"'{{secrets/acr/id}}'"`
	Password PullSecret `yaml:"password" doc:"Password: a secret of the workspace, {{secrets/SCOPE/KEY}}; env:NAME and file:PATH are sent as they are, and whoever may see the cluster can read them." example:"'{{secrets/acr/password}}'"`
}

// InitScript is a script that the platform runs: exactly one field is set.
type InitScript struct {
	_ struct{} `one:"true"`

	Workspace string    `yaml:"workspace" json:",omitempty" doc:"A file of the workspace." example:"/Users/ci@example.com/init.sh"`
	Volumes   string    `yaml:"volumes" json:",omitempty" doc:"A file in a volume." example:"/Volumes/main/ops/init/init.sh"`
	DBFS      string    `yaml:"dbfs" json:",omitempty" doc:"A file in DBFS." example:"dbfs:/init/init.sh"`
	S3        *S3Object `yaml:"s3" json:",omitempty" doc:"An object in S3."`
	ABFSS     string    `yaml:"abfss" json:",omitempty" doc:"A file in Azure's storage." example:"abfss://init@account.dfs.core.windows.net/init.sh"`
	GCS       string    `yaml:"gcs" json:",omitempty" doc:"An object in Google Cloud Storage." example:"gs://bucket/init.sh"`
	File      string    `yaml:"file" json:",omitempty" doc:"A file in the image." example:"/opt/init.sh"`
}

// S3Object is an object in S3.
type S3Object struct {
	Destination string `yaml:"destination" required:"true" doc:"Address of the object." example:"s3://bucket/init.sh"`
	Region      string `yaml:"region" required:"true" doc:"Region of the bucket, without which the platform takes no address in S3." example:"eu-west-1"`
}

type (
	// SingleNode is a way to make a cluster one of a single node.
	SingleNode string
	// AccessMode is who may use a cluster.
	AccessMode string
	// Keep says when a cluster stays.
	Keep string
	// PullName is a user name or where it is.
	PullName string
	// PullSecret is where a password is.
	PullSecret string
)

// UnmarshalText refuses the modes that take no images with a reason.
func (m *AccessMode) UnmarshalText(text []byte) error {
	switch word := strings.ToLower(string(text)); word {
	case "dedicated", "none":
		*m = AccessMode(word)
		return nil
	case "single_user", "single user":
		return hinted(fmt.Errorf("%q is the older name of dedicated", text), "write dedicated")
	case "standard", "shared", "user_isolation":
		return hinted(fmt.Errorf("clusters with %s access take no images of one's own", text), "write dedicated")
	default:
		return hinted(fmt.Errorf("%q is no access mode that takes images", text), "write dedicated or none")
	}
}

var farSecret = regexp.MustCompile(`^\{\{secrets/[A-Za-z0-9_.@-]{1,128}/[A-Za-z0-9_.@-]{1,128}\}\}$`)

// InWorkspace says that the password is one of the workspace's secrets, which nobody reads back from the cluster.
func (s PullSecret) InWorkspace() bool { return farSecret.MatchString(string(s)) }

// check says whether the reference is well formed. It never repeats it: it may be the secret itself.
func (s PullSecret) check() error {
	if s.InWorkspace() {
		return nil
	}
	if strings.Contains(string(s), "{{") {
		return errors.New("a secret of the workspace is written {{secrets/SCOPE/KEY}}")
	}
	if secret.Ref(s).Check() != nil {
		return errors.New("a secret must be given by reference: {{secrets/SCOPE/KEY}}, env:NAME or file:PATH")
	}
	return nil
}

var (
	runtimeWord = regexp.MustCompile(`^(\d+)\.(\d+)$|^(\d+)\.(\d+|x)\.x?[.a-z0-9-]*-scala\d+\.\d+$|^(\d+)\.x-[.a-z0-9-]*scala\d+\.\d+$|^custom:`)
	runtimeAt   = regexp.MustCompile(`^(\d+)\.(\d+|x)`)
	hostAddress = regexp.MustCompile(`^https?://[^/?#@\s]+/?$`)
	envWord     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// scriptForms are how the addresses of init scripts begin.
var scriptForms = map[string]struct{ form, sample string }{
	"workspace": {`^/[^/]`, "/Users/NAME/init.sh"},
	"volumes":   {`^/Volumes/[^/]+/[^/]+/[^/]+/.`, "/Volumes/CATALOG/SCHEMA/VOLUME/init.sh"},
	"dbfs":      {`^dbfs:/[^/]`, "dbfs:/PATH"},
	"s3":        {`^s3[an]?://[^/]+/.`, "s3://BUCKET/init.sh"},
	"abfss":     {`^abfss://[^/@]+@[^/]+/.`, "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/init.sh"},
	"gcs":       {`^gs://[^/]+/.`, "gs://BUCKET/init.sh"},
	"file":      {`^(file:)?/[^/]`, "/PATH, in the image"},
}

// Address is the script's kind and where it lies.
func (s InitScript) Address() (kind, address, region string) {
	switch {
	case s.Workspace != "":
		return "workspace", s.Workspace, ""
	case s.Volumes != "":
		return "volumes", s.Volumes, ""
	case s.DBFS != "":
		return "dbfs", s.DBFS, ""
	case s.S3 != nil:
		return "s3", s.S3.Destination, s.S3.Region
	case s.ABFSS != "":
		return "abfss", s.ABFSS, ""
	case s.GCS != "":
		return "gcs", s.GCS, ""
	case s.File != "":
		return "file", "file:" + strings.TrimPrefix(s.File, "file:"), ""
	}
	return "", "", ""
}
