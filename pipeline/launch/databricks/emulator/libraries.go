package emulator

import (
	"maps"
	"reflect"
	"slices"
)

// library is what was asked to be installed on a cluster: one kind, with its coordinates.
type library struct {
	Jar          string         `json:"jar,omitempty"`
	Egg          string         `json:"egg,omitempty"`
	Whl          string         `json:"whl,omitempty"`
	Requirements string         `json:"requirements,omitempty"`
	Pypi         *libraryOrigin `json:"pypi,omitempty"`
	Cran         *libraryOrigin `json:"cran,omitempty"`
	Maven        *libraryOrigin `json:"maven,omitempty"`
}

// libraryOrigin is a package of a repository.
type libraryOrigin struct {
	Package     string   `json:"package,omitempty"`
	Coordinates string   `json:"coordinates,omitempty"`
	Repo        string   `json:"repo,omitempty"`
	Exclusions  []string `json:"exclusions,omitempty"`
}

func (l library) check() error {
	kinds := 0
	for _, path := range []string{l.Jar, l.Egg, l.Whl, l.Requirements} {
		if path != "" {
			kinds++
		}
	}
	if l.Maven != nil {
		kinds++
		if l.Maven.Coordinates == "" {
			return invalid("A library of the kind maven must name its coordinates.")
		}
	}
	for kind, from := range map[string]*libraryOrigin{"pypi": l.Pypi, "cran": l.Cran} {
		if from == nil {
			continue
		}
		kinds++
		if from.Package == "" {
			return invalid("A library of the kind %s must name its package.", kind)
		}
	}
	if kinds != 1 {
		return invalid("A library must be exactly one of jar, egg, whl, requirements, pypi, maven and cran; %d are given.", kinds)
	}
	return nil
}

// noLibraries is why none is ever installed: an image is to be tested with what is in it.
const noLibraries = "the emulator installs no libraries: put them into the image, or use %pip in a command"

// statuses are the cluster's libraries as the platform lists them.
func (c *cluster) statuses() map[string]any {
	all := []map[string]any{}
	for _, l := range c.libraries {
		one := map[string]any{"library": l, "status": "PENDING", "is_library_for_all_clusters": false}
		if c.up() {
			one["status"], one["messages"] = "FAILED", []string{noLibraries}
		}
		all = append(all, one)
	}
	return map[string]any{"cluster_id": c.id, "library_statuses": all}
}

func (s *Server) libraryStatus(c *cluster) (any, error) { return c.statuses(), nil }

func (s *Server) allLibraries(*request) (any, error) {
	all := []any{}
	for _, id := range slices.Sorted(maps.Keys(s.clusters)) {
		if c := s.clusters[id]; len(c.libraries) > 0 {
			all = append(all, c.statuses())
		}
	}
	return map[string]any{"statuses": all}, nil
}

// librariesCall is what libraries/install and uninstall take.
type librariesCall struct {
	ClusterID string    `json:"cluster_id"`
	Libraries []library `json:"libraries"`
}

// librariesAsked reads and looks at the libraries of a call.
func librariesAsked(r *request) (librariesCall, error) {
	asked, err := inBody[librariesCall](r)
	if err != nil {
		return asked, err
	}
	for _, l := range asked.Libraries {
		if err := l.check(); err != nil {
			return asked, err
		}
	}
	return asked, nil
}

// withLibraries answers a call that does the same with each of its libraries.
func (s *Server) withLibraries(work func(c *cluster, l library)) handler {
	return asking(s, librariesAsked, func(asked librariesCall) (any, error) {
		c, err := s.find(asked.ClusterID)
		if err != nil {
			return nil, err
		}
		for _, l := range asked.Libraries {
			work(c, l)
		}
		return nil, nil
	})
}

func (c *cluster) install(l library) {
	if !slices.ContainsFunc(c.libraries, l.same) {
		c.libraries = append(c.libraries, l)
	}
}

// uninstall ignores what is not there, as the platform does.
func (c *cluster) uninstall(l library) { c.libraries = slices.DeleteFunc(c.libraries, l.same) }

func (l library) same(other library) bool { return reflect.DeepEqual(l, other) }
