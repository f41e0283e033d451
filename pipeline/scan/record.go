package scan

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
)

// record is what the package analyzer keeps of one file; the layer cache stores it as JSON.
type record struct {
	OS         *ftypes.OS         `json:"os,omitempty"`
	Repository *ftypes.Repository `json:"repository,omitempty"`
	BuildInfo  *ftypes.BuildInfo  `json:"build_info,omitempty"`
	// Packages are those of an operating system's package manager; Kind is what reads them: dpkg, apk, rpm.
	Packages []ftypes.Package    `json:"packages,omitempty"`
	Kind     ftypes.AnalyzerType `json:"kind,omitempty"`
	// Type and Libraries are those of a language: one jar, one wheel, one Go program.
	Type      ftypes.LangType  `json:"type,omitempty"`
	Libraries []ftypes.Package `json:"libraries,omitempty"`
	// Apps are what an SBOM inside the image lists of languages.
	Apps []ftypes.Application `json:"apps,omitempty"`
	// Owner and Owned are the files that a package brought. An empty Owner stands for the whole file's packages.
	Owner string   `json:"owner,omitempty"`
	Owned *pathSet `json:"owned,omitempty"`
	// Unidentified says that the archive is a Java library whose coordinates nothing inside it tells.
	Unidentified bool `json:"unidentified,omitempty"`
	// Problem says why a file that should hold packages could not be read: people must know what was not scanned.
	Problem string `json:"problem,omitempty"`
}

func (r *record) marshal() (json.RawMessage, error) { return json.Marshal(r) }

// pathSet is a set of paths that is asked for membership only: the first eight bytes of each path's SHA-256, sorted.
// A Debian base layer's packages own ten thousand files; as text they would be most of the layer's cache entry.
type pathSet struct {
	Sums []byte `json:"sums"`
	last []uint64
}

func newPathSet(paths []string) *pathSet {
	sums := make([]uint64, 0, len(paths))
	for _, path := range paths {
		if path = cleanOwned(path); path != "" {
			sums = append(sums, pathSum(path))
		}
	}
	slices.Sort(sums)
	sums = slices.Compact(sums)
	set := &pathSet{Sums: make([]byte, 0, 8*len(sums)), last: sums}
	for _, sum := range sums {
		for shift := 56; shift >= 0; shift -= 8 {
			set.Sums = append(set.Sums, byte(sum>>shift))
		}
	}
	return set
}

func (s *pathSet) has(path string) bool {
	if s == nil {
		return false
	}
	if s.last == nil {
		s.last = make([]uint64, len(s.Sums)/8)
		for i := range s.last {
			for _, b := range s.Sums[8*i : 8*i+8] {
				s.last[i] = s.last[i]<<8 | uint64(b)
			}
		}
	}
	_, found := slices.BinarySearch(s.last, pathSum(cleanOwned(path)))
	return found
}

func cleanOwned(path string) string { return strings.TrimPrefix(path, "/") }

func pathSum(path string) uint64 {
	digest := sha256.Sum256([]byte(path))
	var sum uint64
	for _, b := range digest[:8] {
		sum = sum<<8 | uint64(b)
	}
	return sum
}

// sort orders sums that were put together from several sets.
func (s *pathSet) sort() {
	if s == nil {
		return
	}
	s.has("") // numbers from bytes
	slices.Sort(s.last)
}
