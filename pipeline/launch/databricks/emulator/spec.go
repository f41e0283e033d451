package emulator

// spec is what clusters/create and clusters/edit take, and clusters/get gives back. Pointers tell what was sent from what
// was left out.
type spec struct {
	ApplyPolicyDefaultValues   bool              `json:"apply_policy_default_values,omitempty"`
	Autoscale                  *autoscale        `json:"autoscale,omitempty"`
	AutoterminationMinutes     *int              `json:"autotermination_minutes,omitempty"`
	AwsAttributes              map[string]any    `json:"aws_attributes,omitempty"`
	AzureAttributes            map[string]any    `json:"azure_attributes,omitempty"`
	ClusterLogConf             *logConf          `json:"cluster_log_conf,omitempty"`
	ClusterName                string            `json:"cluster_name,omitempty"`
	CustomTags                 map[string]string `json:"custom_tags,omitempty"`
	DataSecurityMode           string            `json:"data_security_mode,omitempty"`
	DependencyMode             string            `json:"dependency_mode,omitempty"`
	DockerImage                *dockerImage      `json:"docker_image,omitempty"`
	DriverInstancePoolID       string            `json:"driver_instance_pool_id,omitempty"`
	DriverNodeTypeFlexibility  map[string]any    `json:"driver_node_type_flexibility,omitempty"`
	DriverNodeTypeID           string            `json:"driver_node_type_id,omitempty"`
	EnableElasticDisk          *bool             `json:"enable_elastic_disk,omitempty"`
	EnableLocalDiskEncryption  *bool             `json:"enable_local_disk_encryption,omitempty"`
	GcpAttributes              map[string]any    `json:"gcp_attributes,omitempty"`
	InitScripts                []initScript      `json:"init_scripts,omitempty"`
	InstancePoolID             string            `json:"instance_pool_id,omitempty"`
	IsSingleNode               bool              `json:"is_single_node,omitempty"`
	Kind                       string            `json:"kind,omitempty"`
	NodeTypeID                 string            `json:"node_type_id,omitempty"`
	NumWorkers                 *int              `json:"num_workers,omitempty"`
	PolicyID                   string            `json:"policy_id,omitempty"`
	RemoteDiskThroughput       int               `json:"remote_disk_throughput,omitempty"`
	RuntimeEngine              string            `json:"runtime_engine,omitempty"`
	SingleUserName             string            `json:"single_user_name,omitempty"`
	SparkConf                  map[string]string `json:"spark_conf,omitempty"`
	SparkEnvVars               map[string]string `json:"spark_env_vars,omitempty"`
	SparkVersion               string            `json:"spark_version,omitempty"`
	SSHPublicKeys              []string          `json:"ssh_public_keys,omitempty"`
	TotalInitialRemoteDiskSize int               `json:"total_initial_remote_disk_size,omitempty"`
	UseMlRuntime               bool              `json:"use_ml_runtime,omitempty"`
	WorkerNodeTypeFlexibility  map[string]any    `json:"worker_node_type_flexibility,omitempty"`
	WorkloadType               map[string]any    `json:"workload_type,omitempty"`
}

type autoscale struct {
	MinWorkers int `json:"min_workers,omitempty"`
	MaxWorkers int `json:"max_workers,omitempty"`
}

type dockerImage struct {
	BasicAuth *basicAuth `json:"basic_auth,omitempty"`
	URL       string     `json:"url,omitempty"`
}

type basicAuth struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// place is a destination of init scripts or logs, with what some kinds of storage want besides.
type place struct {
	Destination      string `json:"destination,omitempty"`
	Region           string `json:"region,omitempty"`
	Endpoint         string `json:"endpoint,omitempty"`
	EnableEncryption bool   `json:"enable_encryption,omitempty"`
	EncryptionType   string `json:"encryption_type,omitempty"`
	KmsKey           string `json:"kms_key,omitempty"`
	CannedACL        string `json:"canned_acl,omitempty"`
}

type initScript struct {
	Abfss     *place `json:"abfss,omitempty"`
	Dbfs      *place `json:"dbfs,omitempty"`
	File      *place `json:"file,omitempty"`
	Gcs       *place `json:"gcs,omitempty"`
	S3        *place `json:"s3,omitempty"`
	Volumes   *place `json:"volumes,omitempty"`
	Workspace *place `json:"workspace,omitempty"`
}

// given are the destinations that a script names, by their kind.
func (i initScript) given() map[string]*place {
	all := map[string]*place{"abfss": i.Abfss, "dbfs": i.Dbfs, "file": i.File, "gcs": i.Gcs, "s3": i.S3, "volumes": i.Volumes, "workspace": i.Workspace}
	for kind, place := range all {
		if place == nil {
			delete(all, kind)
		}
	}
	return all
}

// destination is the script's one place; a checked script has exactly one.
func (i initScript) destination() (kind, destination string) {
	for kind, place := range i.given() {
		return kind, place.Destination
	}
	return "", ""
}

type logConf struct {
	Dbfs    *place `json:"dbfs,omitempty"`
	S3      *place `json:"s3,omitempty"`
	Volumes *place `json:"volumes,omitempty"`
}

// details is a cluster as clusters/get describes it.
type details struct {
	spec
	ClusterID         string            `json:"cluster_id"`
	CreatorUserName   string            `json:"creator_user_name,omitempty"`
	ClusterSource     string            `json:"cluster_source,omitempty"`
	ClusterCores      float64           `json:"cluster_cores,omitempty"`
	ClusterMemoryMb   int64             `json:"cluster_memory_mb,omitempty"`
	DefaultTags       map[string]string `json:"default_tags,omitempty"`
	Driver            *sparkNode        `json:"driver,omitempty"`
	JdbcPort          int               `json:"jdbc_port,omitempty"`
	LastRestartedTime int64             `json:"last_restarted_time,omitempty"`
	LastStateLossTime int64             `json:"last_state_loss_time,omitempty"`
	PinnedByUserName  string            `json:"pinned_by_user_name,omitempty"`
	SparkContextID    int64             `json:"spark_context_id,omitempty"`
	Spec              *spec             `json:"spec,omitempty"`
	StartTime         int64             `json:"start_time,omitempty"`
	State             string            `json:"state"`
	StateMessage      string            `json:"state_message"`
	TerminatedTime    int64             `json:"terminated_time,omitempty"`
	TerminationReason *reason           `json:"termination_reason,omitempty"`
}

type sparkNode struct {
	NodeID         string `json:"node_id"`
	InstanceID     string `json:"instance_id"`
	PrivateIP      string `json:"private_ip"`
	HostPrivateIP  string `json:"host_private_ip"`
	PublicDNS      string `json:"public_dns"`
	StartTimestamp int64  `json:"start_timestamp"`
}

type reason struct {
	Code       string            `json:"code"`
	Type       string            `json:"type"`
	Parameters map[string]string `json:"parameters,omitempty"`
}
