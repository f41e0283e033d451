package emulator

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// deliveredEvery is how often the platform delivers logs while a cluster runs, in minutes.
const deliveredEvery = 5

// deliver leaves the logs of one life where the cluster was told to: the driver's, and those of the init scripts that ran.
func (s *Server) deliver(c *cluster, l *life, logs Logs) {
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
	written := map[string]string{}
	if logs != (Logs{}) { // no driver, no files of it
		written["driver/stdout"], written["driver/stderr"], written["driver/log4j-active.log"] = logs.Stdout, logs.Stderr, logs.Log4j
	}
	for i, script := range l.scripts {
		name := fmt.Sprintf("init_scripts/%s_10_0_0_1/%s_%02d_%s", c.id, c.started.UTC().Format("20060102_150405"), i, path.Base(strings.TrimPrefix(script.Name, "file:")))
		written[name+".stdout.log"], written[name+".stderr.log"] = "", script.Stderr
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if err := s.files.write(strings.TrimRight(to.Destination, "/")+"/"+c.id+"/"+name, []byte(written[name]), true); err != nil && s.options.Log != nil {
			s.options.Log(fmt.Sprintf("delivering %s of %s: %v", name, c.id, err))
		}
	}
}

// sync gives the node what was uploaded since it was last asked something.
func (s *Server) sync(ctx context.Context, l *life) error {
	s.mu.Lock()
	fresh, serial := s.files.since(l.synced), s.files.serial
	l.synced = serial
	s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if err := l.node.Put(ctx, name, fresh[name]); err != nil {
			return fmt.Errorf("showing the cluster %s: %w", name, err)
		}
	}
	return nil
}
