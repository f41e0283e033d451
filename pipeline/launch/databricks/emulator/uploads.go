package emulator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// deliver leaves the driver's log where the cluster was told to.
func (s *Server) deliver(c *cluster, log string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conf := c.spec.ClusterLogConf
	if conf == nil || conf.Dbfs == nil && conf.Volumes == nil { // the emulator has no cloud storage
		return
	}
	to := conf.Dbfs
	if to == nil {
		to = conf.Volumes
	}
	if err := s.files.write(strings.TrimRight(to.Destination, "/")+"/"+c.id+"/driver/stdout", []byte(log), true); err != nil && s.options.Log != nil {
		s.options.Log(fmt.Sprintf("delivering the log of %s: %v", c.id, err))
	}
}

// sync gives the node what was uploaded since it was last asked something.
func (s *Server) sync(ctx context.Context, l *life) error {
	s.mu.Lock()
	fresh, serial := s.files.since(l.synced), s.files.serial
	l.synced = serial
	s.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(fresh)) {
		if err := l.node.Put(ctx, path, fresh[path]); err != nil {
			return fmt.Errorf("showing the cluster %s: %w", path, err)
		}
	}
	return nil
}
