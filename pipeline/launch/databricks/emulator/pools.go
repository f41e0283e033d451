package emulator

// pool is an instance pool.
type pool struct {
	InstancePoolID   string         `json:"instance_pool_id"`
	InstancePoolName string         `json:"instance_pool_name"`
	NodeTypeID       string         `json:"node_type_id"`
	State            string         `json:"state"`
	Preloaded        []*dockerImage `json:"preloaded_docker_images,omitempty"`
}

func (s *Server) createPool(r *request) (any, error) {
	var asked pool
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.nodeType(asked.NodeTypeID); !known {
		return nil, invalid("Node type %s is not supported.", asked.NodeTypeID)
	}
	asked.InstancePoolID, asked.State = newID()+"-pool", "ACTIVE"
	s.pools[asked.InstancePoolID] = asked
	return map[string]string{"instance_pool_id": asked.InstancePoolID}, nil
}

func (s *Server) getPool(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.URL.Query().Get("instance_pool_id")
	p, known := s.pools[id]
	if !known {
		return nil, missing("Instance pool %s does not exist.", id)
	}
	return p, nil
}

func (s *Server) listPools(*request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{"instance_pools": inOrder(s.pools)}, nil
}
