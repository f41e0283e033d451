package scan

import (
	"context"
	"errors"
	"path"
	"sort"
	"strings"
	"sync"

	trivydb "github.com/aquasecurity/trivy-db/pkg/db"
	dbtypes "github.com/aquasecurity/trivy-db/pkg/types"
	"github.com/aquasecurity/trivy/pkg/detector/ospkg"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/purl"
	"github.com/aquasecurity/trivy/pkg/scan/langpkg"
	scanospkg "github.com/aquasecurity/trivy/pkg/scan/ospkg"
	"github.com/aquasecurity/trivy/pkg/types"
	"github.com/aquasecurity/trivy/pkg/vulnerability"
	"github.com/package-url/packageurl-go"
)

// trivy-db keeps the open database in a global variable: one detection at a time.
var detecting sync.Mutex

// detect matches the inventory against the database. Results come in trivy's own order.
func detect(ctx context.Context, database *Database, name string, items *inventory) (results types.Results, eosl bool, err error) {
	detecting.Lock()
	defer detecting.Unlock()
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = broken(database.Info.Source, err)
		}
	}()
	// Init deletes a file that it cannot map, and it may be the user's own: look first.
	if err := probe(database.dir); err != nil {
		return nil, false, err
	}
	if err := trivydb.Init(database.dir, trivydb.WithBoltOptions(readOnly())); err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, trivydb.Close()) }()
	defer survive(&err)()

	target := types.ScanTarget{
		Name: name, OS: items.os, Repository: items.repository,
		Packages: items.packages, Applications: items.libraries,
	}
	switch {
	case !target.OS.Detected() && target.Repository != nil:
		target.OS = ftypes.OS{Family: target.Repository.Family, Name: target.Repository.Release}
	case !target.OS.Detected() && len(target.Packages) > 0:
		target.OS = ftypes.OS{Family: "none"}
	}
	options := types.ScanOptions{Scanners: types.Scanners{types.VulnerabilityScanner}}
	system, eosl, err := scanospkg.NewScanner().Scan(ctx, target, options)
	switch {
	case errors.Is(err, ospkg.ErrUnsupportedOS):
		// There are no advisories for this system; the report says so.
	case err != nil:
		return nil, false, err
	case system.Target != "":
		results = append(results, system)
	}
	libraries, err := langpkg.NewScanner().Scan(ctx, target, options)
	if err != nil {
		return nil, false, err
	}
	results = append(results, libraries...)
	client := vulnerability.NewClient(trivydb.Config{})
	for i := range results {
		client.FillInfo(results[i].Vulnerabilities, []dbtypes.SourceID{"auto"})
		results[i].Vulnerabilities = unique(results[i].Vulnerabilities)
	}
	return results, eosl, nil
}

// unique drops findings that two sources report alike, keeping the one with the higher fixed version.
func unique(vulnerabilities []types.DetectedVulnerability) []types.DetectedVulnerability {
	type key struct{ id, pkgID, name, version, path string }
	at := map[key]int{}
	var kept []types.DetectedVulnerability
	for _, v := range vulnerabilities {
		//lint:ignore SA1019 it is what trivy's enrichment settles on, from the sources that it prefers
		if v.Severity == "" {
			//lint:ignore SA1019 as above
			v.Severity = dbtypes.SeverityUnknown.String()
		}
		k := key{v.VulnerabilityID, v.PkgID, v.PkgName, v.InstalledVersion, v.PkgPath}
		if i, again := at[k]; !again {
			at[k] = len(kept)
			kept = append(kept, v)
		} else if kept[i].FixedVersion < v.FixedVersion {
			kept[i] = v
		}
	}
	sort.Sort(types.BySeverity(kept))
	return kept
}

// packageURL names a package beyond this image, see https://github.com/package-url/purl-spec; nil where it has no name.
func packageURL(kind ftypes.TargetType, metadata types.Metadata, pkg ftypes.Package) *packageurl.PackageURL {
	if pkg.Name == "" {
		return nil
	}
	p, err := purl.New(kind, metadata, pkg)
	if err != nil {
		return nil
	}
	return p.Unwrap()
}

// imageURL is the package URL of the image itself, by which VEX documents name it.
func imageURL(repository, digest, architecture string) string {
	if repository == "" {
		return ""
	}
	qualifiers := packageurl.QualifiersFromMap(map[string]string{"repository_url": repository, "arch": architecture})
	return packageurl.NewPackageURL(packageurl.TypeOCI, "", strings.ToLower(path.Base(repository)), digest, qualifiers, "").String()
}
