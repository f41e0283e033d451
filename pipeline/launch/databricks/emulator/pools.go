package emulator

// pool is an instance pool, as instance-pools/create takes it and get shows it.
type pool struct {
	InstancePoolID     string            `json:"instance_pool_id,omitempty"`
	InstancePoolName   string            `json:"instance_pool_name"`
	NodeTypeID         string            `json:"node_type_id,omitempty"`
	MinIdle            int               `json:"min_idle_instances,omitempty"`
	MaxCapacity        int               `json:"max_capacity,omitempty"`
	IdleAutoterminate  *int              `json:"idle_instance_autotermination_minutes,omitempty"`
	EnableElasticDisk  bool              `json:"enable_elastic_disk,omitempty"`
	CustomTags         map[string]string `json:"custom_tags,omitempty"`
	DefaultTags        map[string]string `json:"default_tags,omitempty"`
	DiskSpec           map[string]any    `json:"disk_spec,omitempty"`
	AwsAttributes      map[string]any    `json:"aws_attributes,omitempty"`
	AzureAttributes    map[string]any    `json:"azure_attributes,omitempty"`
	GcpAttributes      map[string]any    `json:"gcp_attributes,omitempty"`
	Fleet              map[string]any    `json:"instance_pool_fleet_attributes,omitempty"`
	NodeFlexibility    map[string]any    `json:"node_type_flexibility,omitempty"`
	PreloadedVersions  []string          `json:"preloaded_spark_versions,omitempty"`
	PreloadedImages    []*dockerImage    `json:"preloaded_docker_images,omitempty"`
	RemoteThroughput   int               `json:"remote_disk_throughput,omitempty"`
	TotalRemoteInitial int               `json:"total_initial_remote_disk_size,omitempty"`
	State              string            `json:"state,omitempty"`
	Stats              *poolStats        `json:"stats,omitempty"`
	Status             map[string]any    `json:"status,omitempty"`
}

// poolStats are the instances of a pool: the emulator keeps none idle.
type poolStats struct {
	Used        int `json:"used_count"`
	Idle        int `json:"idle_count"`
	PendingUsed int `json:"pending_used_count"`
	PendingIdle int `json:"pending_idle_count"`
}

// usualIdle is for how long an idle instance is kept where nothing else is asked for, in minutes.
const usualIdle = 60

// checkPool looks at a pool as instance-pools/create and edit do; the lock is held.
func (s *Server) checkPool(p *pool) error {
	switch {
	case p.InstancePoolName == "" || len(p.InstancePoolName) > 100:
		return invalid("instance_pool_name must have 1 to 100 characters, got %d.", len(p.InstancePoolName))
	case p.State != "" || p.Stats != nil || p.Status != nil || p.DefaultTags != nil:
		return malformed("Could not parse request object: state, stats, status and default_tags are not taken")
	case p.MinIdle < 0 || p.MaxCapacity < 0 || p.MaxCapacity > 0 && p.MinIdle > p.MaxCapacity:
		return invalid("min_idle_instances (%d) and max_capacity (%d) must not be negative, and the former not above the latter.", p.MinIdle, p.MaxCapacity)
	case p.IdleAutoterminate != nil && (*p.IdleAutoterminate < 0 || *p.IdleAutoterminate > mostIdle):
		return invalid("idle_instance_autotermination_minutes must be between 0 and %d, got %d.", mostIdle, *p.IdleAutoterminate)
	}
	if _, known := s.nodeType(p.NodeTypeID); !known {
		return invalid("Node type %s is not supported.", p.NodeTypeID)
	}
	for _, version := range p.PreloadedVersions {
		if _, known := sparkVersions[version]; !known {
			return invalid("Invalid spark version %s.", version)
		}
	}
	for _, image := range p.PreloadedImages {
		if image == nil || image.URL == "" {
			return invalid("preloaded_docker_images: an image has no url.")
		}
	}
	for id, other := range s.pools {
		if other.InstancePoolName == p.InstancePoolName && id != p.InstancePoolID {
			return invalid("An instance pool named %s exists already.", p.InstancePoolName)
		}
	}
	return checkTags(&spec{CustomTags: p.CustomTags})
}

func (s *Server) createPool(asked pool) (any, error) {
	if asked.InstancePoolID != "" {
		return nil, malformed("Could not parse request object: unknown field \"instance_pool_id\"")
	}
	if err := s.checkPool(&asked); err != nil {
		return nil, err
	}
	if asked.IdleAutoterminate == nil {
		minutes := usualIdle
		asked.IdleAutoterminate = &minutes
	}
	asked.InstancePoolID, asked.State = newID()+"-pool", "ACTIVE"
	asked.DefaultTags = map[string]string{"Vendor": "Databricks", "DatabricksInstancePoolId": asked.InstancePoolID, "DatabricksInstancePoolCreatorId": "1"}
	s.pools[asked.InstancePoolID] = asked
	return map[string]string{"instance_pool_id": asked.InstancePoolID}, nil
}

// editPool changes what can be changed of a pool: its name, its sizes and its tags.
func (s *Server) editPool(asked pool) (any, error) {
	p, err := s.pool(asked.InstancePoolID)
	if err != nil {
		return nil, err
	}
	if asked.NodeTypeID != p.NodeTypeID {
		return nil, invalid("The node type of an instance pool cannot be changed: it is %s.", p.NodeTypeID)
	}
	if err := s.checkPool(&asked); err != nil {
		return nil, err
	}
	p.InstancePoolName, p.MinIdle, p.MaxCapacity, p.CustomTags = asked.InstancePoolName, asked.MinIdle, asked.MaxCapacity, asked.CustomTags
	if asked.IdleAutoterminate != nil {
		p.IdleAutoterminate = asked.IdleAutoterminate
	}
	s.pools[p.InstancePoolID] = p
	return nil, nil
}

// pool is one that is there; the lock is held.
func (s *Server) pool(id string) (pool, error) {
	p, known := s.pools[id]
	if !known {
		return pool{}, missing("Instance pool %s does not exist.", id)
	}
	p.Stats = &poolStats{}
	for _, c := range s.clusters {
		if c.up() && (c.spec.InstancePoolID == id || c.spec.DriverInstancePoolID == id) {
			p.Stats.Used++
		}
	}
	return p, nil
}

// onlyPool is the body of instance-pools/delete.
type onlyPool struct {
	InstancePoolID string `json:"instance_pool_id"`
}

func (s *Server) deletePool(asked onlyPool) (any, error) {
	if _, err := s.pool(asked.InstancePoolID); err != nil {
		return nil, err
	}
	delete(s.pools, asked.InstancePoolID)
	return nil, nil
}

func (s *Server) listPools(*request) (any, error) {
	all := inOrder(s.pools)
	for i := range all {
		all[i], _ = s.pool(all[i].InstancePoolID)
	}
	return map[string]any{"instance_pools": all}, nil
}
