package scan

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aquasecurity/trivy/pkg/digest"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"

	"github.com/hallmark-ci/hallmark/pipeline/scan/rpmdb"
)

// rpmDatabases are the places of the rpm database, in its three formats.
var rpmDatabases = []string{
	"var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite",
	"usr/lib/sysimage/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db", "usr/lib/sysimage/rpm/rpmdb.sqlite",
	"usr/share/rpm/rpmdb.sqlite",
}

func isRPM(file string) bool { return slices.Contains(rpmDatabases, file) }

func readRPM(ctx context.Context, body io.ReaderAt, size int64) (result *record) {
	// SQLite was translated to Go from C, and a malformed file is what it was tested least with.
	defer func() {
		if cause := recover(); cause != nil {
			result = &record{Kind: "rpm", Problem: fmt.Sprintf("the rpm database is malformed: %v", cause)}
		}
	}()
	packages, owned, err := parseRPM(ctx, body, size)
	if err != nil {
		return &record{Kind: "rpm", Problem: fmt.Sprintf("the rpm database cannot be read: %v", err)}
	}
	return &record{Kind: "rpm", Packages: packages, Owned: newPathSet(owned)}
}

func parseRPM(ctx context.Context, body io.ReaderAt, size int64) (packages []ftypes.Package, owned []string, err error) {
	listed, err := rpmdb.Read(ctx, body, size)
	if err != nil {
		return nil, nil, err
	}
	provides := map[string]string{}
	for i := range listed {
		pkg := rpmPackage(&listed[i])
		if pkg.Repository.Class == ftypes.RepositoryClassOfficial {
			files, err := listed[i].Files()
			if err != nil {
				return nil, nil, err
			}
			owned = append(owned, files...)
		}
		for _, name := range listed[i].Provides {
			provides[name] = pkg.ID
		}
		packages = append(packages, pkg)
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

func rpmPackage(listed *rpmdb.Package) ftypes.Package {
	pkg := ftypes.Package{
		ID:   fmt.Sprintf("%s@%s-%s.%s", listed.Name, listed.Version, listed.Release, listed.Arch),
		Name: listed.Name, Epoch: listed.Epoch, Version: listed.Version, Release: listed.Release, Arch: listed.Arch,
		SrcEpoch:        listed.Epoch, // SOURCERPM names none; a source and its packages share it in practice
		Modularitylabel: listed.Modularity, Maintainer: listed.Vendor, DependsOn: listed.Requires,
		Repository: ftypes.PackageRepository{Class: ftypes.RepositoryClassThirdParty},
	}
	if pkg.Arch == "" {
		pkg.Arch = "None"
	}
	pkg.SrcName, pkg.SrcVersion, pkg.SrcRelease = sourceRPM(listed.SourceRPM)
	if listed.License != "" {
		pkg.Licenses = []string{listed.License}
	}
	if listed.MD5 != "" {
		pkg.Digest = digest.NewDigestFromString(digest.MD5, listed.MD5)
	}
	if vendorRPM(listed) {
		pkg.Repository.Class = ftypes.RepositoryClassOfficial
	}
	return pkg
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

func vendorRPM(listed *rpmdb.Package) bool {
	if listed.Vendor == "" { // some of Amazon's own packages name no vendor
		return strings.Contains(listed.Release, "amzn")
	}
	return slices.ContainsFunc(rpmVendors, func(vendor string) bool { return strings.HasPrefix(listed.Vendor, vendor) })
}
