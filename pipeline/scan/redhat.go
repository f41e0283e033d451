package scan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
)

// Red Hat's images say in which repositories their packages came, and by which build: its advisories differ by that.
func isBuildInfo(file string) bool {
	dir, base := path.Split(file)
	switch dir {
	case "root/buildinfo/content_manifests/", "usr/share/buildinfo/":
		return path.Ext(base) == ".json"
	case "root/buildinfo/":
		return strings.HasPrefix(base, "Dockerfile")
	}
	return false
}

var (
	componentLabel = regexp.MustCompile(`(?i)["']?\b(?:com\.redhat\.component|bzcomponent)["']?\s*=\s*["']?([^"'\s$\\]+)`)
	archLabel      = regexp.MustCompile(`(?i)(?:^|[\s"'])architecture["']?\s*=\s*["']?([^"'\s$\\]+)`)
)

func readBuildInfo(file, text string) *record {
	if path.Ext(file) == ".json" {
		var manifest struct {
			ContentSets []string `json:"content_sets"`
		}
		if json.Unmarshal([]byte(text), &manifest) != nil || len(manifest.ContentSets) == 0 {
			return nil
		}
		return &record{BuildInfo: &ftypes.BuildInfo{ContentSets: manifest.ContentSets}}
	}
	component, arch := componentLabel.FindStringSubmatch(text), archLabel.FindStringSubmatch(text)
	if component == nil || arch == nil {
		return nil
	}
	// The file is called Dockerfile-name-version-release.
	parts := strings.Split(path.Base(file), "-")
	version := ""
	if len(parts) > 2 {
		version = strings.Join(parts[len(parts)-2:], "-")
	}
	return &record{BuildInfo: &ftypes.BuildInfo{Nvr: component[1] + "-" + version, Arch: arch[1]}}
}

// rpmManifest is what Azure Linux's distroless images carry in place of an rpm database: one package a line, as rpm -qa
// prints it with ten fields between tabs.
const rpmManifest = "var/lib/rpmmanifest/container-manifest-2"

func readRPMManifest(r io.Reader) *record {
	packages, err := parseRPMManifest(r)
	result := &record{Kind: "rpmqa", Packages: packages}
	if err != nil {
		result.Problem = err.Error()
	}
	return result
}

func parseRPMManifest(r io.Reader) ([]ftypes.Package, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	var packages []ftypes.Package
	for number := 1; scanner.Scan(); number++ {
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 10 {
			return packages, fmt.Errorf("line %d has %d fields, not 10", number, len(fields))
		}
		version, release, split := strings.Cut(fields[1], "-")
		epoch, err := strconv.Atoi(fields[8])
		if !split || err != nil {
			return packages, fmt.Errorf("line %d: %q or %q is no version", number, fields[1], fields[8])
		}
		pkg := ftypes.Package{
			Name: fields[0], Version: version, Release: release, Epoch: epoch, Arch: fields[7], SrcEpoch: epoch,
		}
		pkg.SrcName, pkg.SrcVersion, pkg.SrcRelease = sourceRPM(fields[9])
		packages = append(packages, pkg)
	}
	return packages, scanner.Err()
}
