package scan

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"github.com/aquasecurity/trivy/pkg/dependency"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/scan/utils"
	"github.com/aquasecurity/trivy/pkg/types"

	"github.com/hallmark-ci/hallmark/pipeline/image"
)

// inventory is what an image holds, ready for the detectors, and what could not be told.
type inventory struct {
	os         ftypes.OS
	repository *ftypes.Repository
	packages   []ftypes.Package
	libraries  []ftypes.Application
	// databases maps an operating system package's id to the file that lists it.
	databases map[string]string
	// unidentified are Java archives without coordinates, problems are files that could not be read.
	unidentified []string
	problems     []problem
}

type problem struct {
	file, text string
	layer      int
	database   bool // it is a package manager's database: everything it lists is missing
}

// fileRecord is a record with its place.
type fileRecord struct {
	path    string
	layer   int
	deleted bool
	*record
}

func (f fileRecord) rank() int {
	if f.Kind == embeddedSBOM {
		return 1
	}
	return 0
}

// takeInventory lays the layers' records over each other.
func takeInventory(contents *image.Contents) (*inventory, error) {
	var all []fileRecord
	for found := range contents.EveryResult(packagesKey) {
		result := &record{}
		if err := json.Unmarshal(found.Result, result); err != nil {
			return nil, fmt.Errorf("reading what was kept of %s: %w", found.Path, err)
		}
		file := fileRecord{path: found.Path, layer: found.Layer, deleted: found.Deleted, record: result}
		all = append(all, file)
		for _, app := range result.Apps {
			file.path, file.record = app.FilePath, &record{Type: app.Type, Libraries: app.Packages}
			all = append(all, file)
		}
	}
	// What a package manager says goes before what an SBOM says of the same package.
	slices.SortStableFunc(all, func(a, b fileRecord) int { return a.rank() - b.rank() })
	m := merger{contents: contents, all: all, inventory: inventory{databases: map[string]string{}}}
	m.mergeOS()
	m.mergePackages()
	m.mergeLibraries()
	return &m.inventory, nil
}

type merger struct {
	contents *image.Contents
	all      []fileRecord
	inventory
}

// mergeOS asks the layers from the bottom up, and within one layer the files in a fixed order.
func (m *merger) mergeOS() {
	order := map[string]int{}
	for i, file := range osFiles {
		order[file.path] = i
	}
	var named []fileRecord
	for _, file := range m.all {
		if file.OS != nil || file.Repository != nil {
			named = append(named, file)
		}
	}
	slices.SortStableFunc(named, func(a, b fileRecord) int {
		if a.layer != b.layer {
			return a.layer - b.layer
		}
		return order[a.path] - order[b.path]
	})
	for _, file := range named {
		if file.OS != nil {
			m.os.Merge(*file.OS)
		}
		if file.Repository != nil {
			m.repository = file.Repository
		}
	}
}

// pkgKey is by what a package is recognised in another layer.
type pkgKey struct{ file, name, version, release string }

func (m *merger) mergePackages() {
	builds := m.builds()
	origins := map[pkgKey]int{}
	for _, file := range m.all {
		for _, pkg := range file.Packages {
			key := pkgKey{"", pkg.Name, pkg.Version, pkg.Release}
			if _, known := origins[key]; !known {
				origins[key] = file.layer
			}
		}
	}
	seen := map[string]bool{}
	for _, file := range m.all {
		if file.deleted {
			continue
		}
		if file.Problem != "" {
			m.problems = append(m.problems, problem{file.path, file.Problem, file.layer, file.Kind != ""})
		}
		for _, pkg := range file.Packages {
			if file.Kind == embeddedSBOM && ofAnother(pkg, m.os.Family) {
				continue
			}
			pkg.BuildInfo = builds.of(origins[pkgKey{"", pkg.Name, pkg.Version, pkg.Release}])
			pkg.Layer = m.layer(origins[pkgKey{"", pkg.Name, pkg.Version, pkg.Release}])
			pkg.AnalyzedBy = file.Kind
			if pkg.Identifier.PURL == nil && m.os.Family != "" {
				pkg.Identifier.PURL = packageURL(m.os.Family, types.Metadata{OS: &m.os}, pkg)
			}
			pkg.Identifier.UID = dependency.UID("", pkg)
			id := pkg.ID
			if id == "" {
				id = pkg.Name + "@" + utils.FormatVersion(pkg)
			}
			if seen[id] {
				continue
			}
			seen[id] = true
			m.databases[pkg.ID] = file.path
			m.packages = append(m.packages, pkg)
		}
	}
	sort.Sort(ftypes.Packages(m.packages))
}

// ofAnother says that an SBOM lists a package of another distribution than the image's.
func ofAnother(pkg ftypes.Package, family ftypes.OSType) bool {
	p := pkg.Identifier.PURL
	return family != "" && p != nil && p.Namespace != "" && p.Namespace != family.PurlNamespace()
}

// buildInfos holds, per layer, what Red Hat says of the build that made it.
type buildInfos []*ftypes.BuildInfo

func (m *merger) builds() buildInfos {
	infos := make(buildInfos, len(m.contents.Layers))
	for _, file := range m.all {
		if file.BuildInfo == nil {
			continue
		}
		if infos[file.layer] == nil {
			infos[file.layer] = &ftypes.BuildInfo{}
		}
		info := infos[file.layer]
		if file.BuildInfo.Nvr != "" {
			info.Nvr, info.Arch = file.BuildInfo.Nvr, file.BuildInfo.Arch
		}
		if len(file.BuildInfo.ContentSets) > 0 {
			info.ContentSets = file.BuildInfo.ContentSets
		}
	}
	return infos
}

// of is what counts for a layer: its own, for the bottom one that of the next, for others that of the nearest below.
func (b buildInfos) of(layer int) *ftypes.BuildInfo {
	if layer == 0 && b[0] == nil && len(b) > 1 {
		return b[1]
	}
	for ; layer >= 0; layer-- {
		if b[layer] != nil {
			return b[layer]
		}
	}
	return nil
}

// python27 is what Debian's Python 2.7 brings and its package lists do not name where distroless images cut them.
var python27 = newPathSet([]string{
	"usr/lib/python2.7/argparse.egg-info", "usr/lib/python2.7/lib-dynload/Python-2.7.egg-info",
	"usr/lib/python2.7/wsgiref.egg-info",
})

func (m *merger) mergeLibraries() {
	owned := m.ownedFiles()
	kept := func(file fileRecord, path string) bool { return !owned[file.layer].has(path) && !python27.has(path) }

	origins := map[pkgKey]int{}
	var apps []fileRecord
	for _, file := range m.all {
		if file.Type == "" {
			continue
		}
		// What the system's packages brought is theirs: their advisories know which fixes the distribution applied
		// without changing the version that the library itself names.
		if !kept(file, file.path) {
			continue
		}
		libraries := slices.DeleteFunc(slices.Clone(file.Libraries), func(pkg ftypes.Package) bool {
			return pkg.FilePath != "" && !kept(file, pkg.FilePath) || pkg.Dev
		})
		for _, pkg := range libraries {
			key := pkgKey{file.path, pkg.Name, pkg.Version, pkg.Release}
			if _, known := origins[key]; !known {
				origins[key] = file.layer
			}
		}
		if !file.deleted {
			file.record = &record{Type: file.Type, Libraries: libraries, Unidentified: file.Unidentified}
			apps = append(apps, file)
		}
	}
	together := map[ftypes.LangType]int{}
	for _, file := range apps {
		if file.Unidentified {
			m.unidentified = append(m.unidentified, absolute(file.path))
		}
		for i := range file.Libraries {
			pkg := &file.Libraries[i]
			pkg.Layer = m.layer(origins[pkgKey{file.path, pkg.Name, pkg.Version, pkg.Release}])
			pkg.AnalyzedBy = ftypes.AnalyzerType(file.Type)
			if pkg.Identifier.PURL == nil {
				pkg.Identifier.PURL = packageURL(file.Type, types.Metadata{}, *pkg)
			}
			pkg.Identifier.UID = dependency.UID(file.path, *pkg)
		}
		if len(file.Libraries) == 0 {
			continue
		}
		at, begun := together[file.Type]
		switch {
		case !slices.Contains(ftypes.AggregatingTypes, file.Type):
			m.libraries = append(m.libraries, ftypes.Application{Type: file.Type, FilePath: file.path, Packages: file.Libraries})
		case begun:
			m.libraries[at].Packages = append(m.libraries[at].Packages, file.Libraries...)
		default:
			together[file.Type] = len(m.libraries)
			m.libraries = append(m.libraries, ftypes.Application{Type: file.Type, Packages: file.Libraries})
		}
	}
	sort.Sort(ftypes.Applications(m.libraries))
	slices.Sort(m.unidentified)
}

// ownedFiles tells, per layer, the files that the system's packages installed in that layer. A file that a later layer
// changes is no longer theirs.
func (m *merger) ownedFiles() []*pathSet {
	official := make([]map[string]bool, len(m.contents.Layers))
	for i := range official {
		official[i] = map[string]bool{}
	}
	for _, file := range m.all {
		for _, pkg := range file.Packages {
			if pkg.Repository.Class == ftypes.RepositoryClassOfficial {
				official[file.layer][pkg.Name] = true
				official[file.layer][pkg.Name+":"+pkg.Arch] = true
			}
		}
	}
	owned := make([]*pathSet, len(m.contents.Layers))
	for _, file := range m.all {
		if file.Owned == nil || file.Owner != "" && !official[file.layer][file.Owner] {
			continue
		}
		if owned[file.layer] == nil {
			owned[file.layer] = &pathSet{}
		}
		owned[file.layer].Sums = append(owned[file.layer].Sums, file.Owned.Sums...)
	}
	for _, set := range owned {
		set.sort()
	}
	return owned
}

func (m *merger) layer(index int) ftypes.Layer {
	layer := &m.contents.Layers[index]
	return ftypes.Layer{Digest: layer.Digest, DiffID: layer.DiffID}
}
