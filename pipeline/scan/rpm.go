package scan

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aquasecurity/trivy/pkg/digest"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	rpmdb "github.com/knqyf263/go-rpmdb/pkg"
	_ "modernc.org/sqlite" // the driver with which go-rpmdb opens rpmdb.sqlite
)

// rpmDatabases are the places and formats (Berkeley DB, NDB, SQLite) of the rpm database.
var rpmDatabases = []string{
	"var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite",
	"usr/lib/sysimage/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db", "usr/lib/sysimage/rpm/rpmdb.sqlite",
	"usr/share/rpm/rpmdb.sqlite",
}

func isRPM(file string) bool { return slices.Contains(rpmDatabases, file) }

// maxRPMDatabase bounds the copy that go-rpmdb needs, because it opens files by name only.
const maxRPMDatabase = 1 << 30

func readRPM(body io.Reader) *record {
	packages, owned, err := parseRPM(body)
	if err != nil {
		return &record{Kind: "rpm", Problem: err.Error()}
	}
	return &record{Kind: "rpm", Packages: packages, Owned: newPathSet(owned)}
}

func parseRPM(body io.Reader) (packages []ftypes.Package, owned []string, err error) {
	// The parsers of these three binary formats were not written for hostile input.
	defer func() {
		if cause := recover(); cause != nil {
			packages, owned, err = nil, nil, fmt.Errorf("the rpm database is malformed: %v", cause)
		}
	}()
	folder, err := os.MkdirTemp("", "hallmark-rpm-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "Packages")
	file, err := os.Create(path)
	if err != nil {
		return nil, nil, err
	}
	written, err := io.Copy(file, io.LimitReader(body, maxRPMDatabase))
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, nil, err
	}
	if written == maxRPMDatabase {
		return nil, nil, fmt.Errorf("the rpm database is larger than %d bytes", int64(maxRPMDatabase))
	}
	db, err := rpmdb.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("the rpm database cannot be opened: %w", err)
	}
	defer db.Close()
	infos, err := db.ListPackages()
	if err != nil {
		return nil, nil, fmt.Errorf("the rpm database cannot be read: %w", err)
	}
	provides := map[string]string{}
	for _, info := range infos {
		pkg, files, err := rpmPackage(info)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range info.Provides {
			provides[name] = pkg.ID
		}
		packages, owned = append(packages, pkg), append(owned, files...)
	}
	for i := range packages {
		wanted := resolve(packages[i].DependsOn, provides)
		packages[i].DependsOn = slices.DeleteFunc(wanted, func(id string) bool { return id == packages[i].ID })
		if len(packages[i].DependsOn) == 0 {
			packages[i].DependsOn = nil
		}
	}
	return packages, owned, nil
}

func rpmPackage(info *rpmdb.PackageInfo) (ftypes.Package, []string, error) {
	pkg := ftypes.Package{
		ID:   fmt.Sprintf("%s@%s-%s.%s", info.Name, info.Version, info.Release, info.Arch),
		Name: info.Name, Epoch: info.EpochNum(), Version: info.Version, Release: info.Release, Arch: info.Arch,
		SrcEpoch:        info.EpochNum(), // SOURCERPM names none; a source and its packages share it in practice
		Modularitylabel: info.Modularitylabel, Maintainer: info.Vendor, DependsOn: info.Requires,
		Repository: ftypes.PackageRepository{Class: ftypes.RepositoryClassThirdParty},
	}
	if pkg.Arch == "" {
		pkg.Arch = "None"
	}
	pkg.SrcName, pkg.SrcVersion, pkg.SrcRelease = sourceRPM(info.SourceRpm)
	if info.License != "" {
		pkg.Licenses = []string{info.License}
	}
	if info.SigMD5 != "" {
		pkg.Digest = digest.NewDigestFromString(digest.MD5, info.SigMD5)
	}
	if !vendorRPM(info) {
		return pkg, nil, nil
	}
	pkg.Repository.Class = ftypes.RepositoryClassOfficial
	files, err := info.InstalledFileNames()
	if err != nil {
		return pkg, nil, fmt.Errorf("the files of the rpm package %s cannot be read: %w", info.Name, err)
	}
	return pkg, files, nil
}

// sourceRPM splits "name-version-release.src.rpm".
func sourceRPM(file string) (name, version, release string) {
	file = strings.TrimSuffix(file, ".rpm")
	arch := strings.LastIndexByte(file, '.')
	if arch < 0 {
		return "", "", ""
	}
	rest := file[:arch]
	dash := strings.LastIndexByte(rest, '-')
	if dash < 0 {
		return "", "", ""
	}
	rest, release = rest[:dash], rest[dash+1:]
	if dash = strings.LastIndexByte(rest, '-'); dash < 0 {
		return "", "", ""
	}
	return rest[:dash], rest[dash+1:], release
}

// rpmVendors begin the Vendor field of packages that a distribution built, for which it publishes advisories.
var rpmVendors = []string{
	"Amazon Linux", "Amazon.com", "CentOS", "Fedora Project", "Oracle America", "Red Hat", "AlmaLinux", "CloudLinux",
	"VMware", "SUSE", "openSUSE", "Microsoft Corporation", "Rocky",
}

func vendorRPM(info *rpmdb.PackageInfo) bool {
	if info.Vendor == "" { // some of Amazon's own packages name no vendor
		return strings.Contains(info.Release, "amzn")
	}
	return slices.ContainsFunc(rpmVendors, func(vendor string) bool { return strings.HasPrefix(info.Vendor, vendor) })
}
