package scan

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	debversion "github.com/knqyf263/go-deb-version"
)

const (
	dpkgStatus    = "var/lib/dpkg/status"
	dpkgStatusDir = "var/lib/dpkg/status.d/"
	dpkgInfoDir   = "var/lib/dpkg/info/"
	md5sums       = ".md5sums"

	// maxLine bounds one line of any package manager's file, maxParagraph the fields of one package.
	maxLine      = 1 << 20
	maxParagraph = 1 << 20
)

func isDpkg(file string) bool {
	dir, base := path.Split(file)
	return file == dpkgStatus || dir == dpkgStatusDir || dir == dpkgInfoDir && strings.HasSuffix(base, md5sums)
}

func readDpkg(file string, r io.Reader) *record {
	dir, base := path.Split(file)
	if owner, found := strings.CutSuffix(base, md5sums); found && (dir == dpkgInfoDir || dir == dpkgStatusDir) {
		owned, err := parseMD5Sums(r)
		if err != nil {
			return &record{Problem: err.Error()}
		}
		return &record{Owner: owner, Owned: newPathSet(owned)}
	}
	packages, err := parseDpkgStatus(r)
	if err != nil {
		return &record{Kind: "dpkg", Packages: packages, Problem: err.Error()}
	}
	return &record{Kind: "dpkg", Packages: packages}
}

// parseMD5Sums returns the files that a package brought: the second column of its md5sums file, see deb-md5sums(5).
func parseMD5Sums(r io.Reader) ([]string, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	var files []string
	for scanner.Scan() {
		_, file, found := strings.Cut(scanner.Text(), "  ")
		if !found {
			return nil, fmt.Errorf("line %d of an md5sums file is not \"checksum  path\"", len(files)+1)
		}
		files = append(files, file)
	}
	return files, scanner.Err()
}

// errParagraph says that one package's entry is larger than any real one.
var errParagraph = errors.New("a package's entry in the dpkg status is larger than 1 MiB")

// parseDpkgStatus reads the installed packages of a dpkg status file, see deb-control(5). What was read before an
// error is returned with it.
func parseDpkgStatus(r io.Reader) ([]ftypes.Package, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	var (
		packages []ftypes.Package
		byID     = map[string]int{}
		ids      = map[string]string{} // name -> id, for the dependencies
		fields   = map[string]string{}
		size     int
		err      error
	)
	flush := func() {
		if pkg, installed := dpkgPackage(fields); installed {
			if at, again := byID[pkg.ID]; again {
				packages[at] = pkg
			} else {
				byID[pkg.ID] = len(packages)
				packages = append(packages, pkg)
			}
			ids[pkg.Name] = pkg.ID
		}
		clear(fields)
		size = 0
	}
	for scanner.Scan() {
		line := scanner.Text()
		if strings.TrimSpace(line) == "" {
			flush()
			continue
		}
		if size += len(line); size > maxParagraph {
			err = errParagraph
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue // a folded description; none of the fields that count is folded
		}
		if key, value, found := strings.Cut(line, ":"); found && dpkgFields[strings.ToLower(key)] {
			if _, again := fields[strings.ToLower(key)]; !again {
				fields[strings.ToLower(key)] = strings.TrimSpace(value)
			}
		}
	}
	if err == nil {
		err = scanner.Err()
	}
	flush()
	for i := range packages {
		packages[i].DependsOn = resolve(packages[i].DependsOn, ids)
	}
	return packages, err
}

var dpkgFields = map[string]bool{
	"package": true, "version": true, "status": true, "source": true, "architecture": true,
	"maintainer": true, "depends": true,
}

func dpkgPackage(fields map[string]string) (ftypes.Package, bool) {
	// A package that was removed keeps its entry for as long as its configuration files stay.
	for _, word := range strings.Fields(fields["status"]) {
		if word == "deinstall" || word == "purge" {
			return ftypes.Package{}, false
		}
	}
	name, full := fields["package"], fields["version"]
	if name == "" || full == "" {
		return ftypes.Package{}, false
	}
	version, err := debversion.NewVersion(full)
	if err != nil {
		return ftypes.Package{}, false
	}
	// "Source: name" or "Source: name (version)"; without it the source is called like the package.
	sourceName, sourceFull := name, full
	if source := fields["source"]; source != "" {
		given, rest, bracketed := strings.Cut(source, " (")
		sourceName = strings.TrimSpace(given)
		if end := strings.LastIndexByte(rest, ')'); bracketed && end > 0 {
			sourceFull = strings.TrimSpace(rest[:end])
		}
	}
	source, err := debversion.NewVersion(sourceFull)
	if err != nil {
		return ftypes.Package{}, false
	}
	pkg := ftypes.Package{
		ID: name + "@" + full, Name: name, Arch: fields["architecture"], Maintainer: fields["maintainer"],
		Version: version.Version(), Epoch: version.Epoch(), Release: version.Revision(),
		SrcName: sourceName, SrcVersion: source.Version(), SrcEpoch: source.Epoch(), SrcRelease: source.Revision(),
		DependsOn:  dpkgDepends(fields["depends"]),
		Repository: ftypes.PackageRepository{Class: ftypes.RepositoryClassOfficial},
	}
	if thirdParty(pkg.Maintainer) {
		pkg.Repository.Class = ftypes.RepositoryClassThirdParty
	}
	return pkg, true
}

// dpkgDepends returns the names in "a (>= 1), b | c".
func dpkgDepends(text string) []string {
	var names []string
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '|' }) {
		name, _, _ = strings.Cut(name, "(")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// resolve replaces what packages ask for by the ids of the packages that are there.
func resolve(wanted []string, ids map[string]string) []string {
	var found []string
	for _, name := range wanted {
		if id := ids[name]; id != "" {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// vendors are maintainers who ship their own software as Debian packages. The distribution publishes no advisories
// for these, so the language packages inside stay visible to the language detectors. The list is a matter of fact,
// equal to that of trivy 0.74 (pkg/fanal/analyzer/pkg/dpkg), so that both tools agree on an image.
var vendors = []string{
	"support@docker.com", "@nvidia.com", "Google Cloud CLI Authors", "sapmachine@sap.com", "@hashicorp.com",
	"@microsoft.com", "@mongodb.com", "developers@lists.mariadb.org", "dev@couchdb.apache.org", "info@elastic.co",
	"nginx-packaging@f5.com", "@konghq.com", "@cloudflare.com", "support@influxdb.com", "support@gitlab.com",
	"contact@grafana.com", "@datadoghq.com", "@nodesource.com", "info@tailscale.com", "@openrobotics.org",
	"@osrfoundation.org",
}

func thirdParty(maintainer string) bool {
	if maintainer == "GitHub" || maintainer == "HashiCorp" {
		return true
	}
	return slices.ContainsFunc(vendors, func(vendor string) bool { return strings.Contains(maintainer, vendor) })
}
