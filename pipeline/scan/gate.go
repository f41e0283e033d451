package scan

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	dbtypes "github.com/aquasecurity/trivy-db/pkg/types"
	"github.com/aquasecurity/trivy/pkg/types"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// endless is the last day of an excuse that has none: a VEX statement holds until it is changed.
const endless = "9999-12-31"

// gate turns results into findings and decides which of them fail.
type gate struct {
	options  Options
	contents *image.Contents
	items    *inventory
	vex      []vexDocument
	imageURL string
	now      time.Time
	used     []bool // per exception, whether it covered anything
	layers   map[string]int
}

// judge sets the verdict on one finding: whether it is serious enough, and whether an exception covers it.
func (g *gate) judge(f *verdict.Finding, serious bool) {
	f.Gate = "scan"
	f.Blocking = serious
	for i, exception := range g.options.Ignore {
		if !exception.matches(f) {
			continue
		}
		g.used[i] = true
		f.Waiver = exception.waiver()
		if f.Waiver.ExpiredAt(g.now) {
			f.Message += fmt.Sprintf(" The exception for it ended on %s.", exception.Until)
			continue
		}
		f.Blocking = false
		return
	}
}

// vulnerability makes the finding of one detected vulnerability. The second result is the VEX statement that excuses it.
func (g *gate) vulnerability(result *types.Result, v *types.DetectedVulnerability, roots []string) (verdict.Finding, *excuse) {
	//lint:ignore SA1019 it is what trivy's enrichment settled on
	severity := severityOf(v.Severity)
	finding := verdict.Finding{
		ID: v.VulnerabilityID, Kind: "vulnerability", Severity: severity,
		Title: cmp.Or(v.Title, v.VulnerabilityID),
		Message: fmt.Sprintf("%s %s is affected by %s: %s.", v.PkgName, v.InstalledVersion, v.VulnerabilityID,
			strings.TrimRight(cmp.Or(v.Title, "no description is known"), ".")),
		Source: v.PrimaryURL,
		Package: &verdict.Package{
			Name: v.PkgName, Installed: v.InstalledVersion, Fixed: v.FixedVersion, Type: string(result.Type), Path: absolute(v.PkgPath),
		},
		Place: g.place(v.Layer.DiffID, g.fileOf(result, v)),
	}
	switch {
	case strings.Contains(v.FixedVersion, ","):
		finding.Remedy = fmt.Sprintf("Upgrade %s from %s to one of %s", v.PkgName, v.InstalledVersion, v.FixedVersion)
	case v.FixedVersion != "":
		finding.Remedy = fmt.Sprintf("Upgrade %s from %s to %s", v.PkgName, v.InstalledVersion, v.FixedVersion)
	default:
		finding.Remedy = "No fix is known" + why(v.Status) + "; remove the package if nothing needs it"
	}
	serious := g.options.FailOn != "" && severity.AtLeast(g.options.FailOn) && (!g.options.FixableOnly || v.FixedVersion != "")
	g.judge(&finding, serious)
	identifier := ""
	if v.PkgIdentifier.PURL != nil {
		identifier = v.PkgIdentifier.PURL.String()
	}
	found := excused(g.vex, append([]string{v.VulnerabilityID}, v.VendorIDs...), productsOf(identifier, roots, g.imageURL))
	if found != nil {
		finding.Blocking = false
		finding.Waiver = &verdict.Waiver{
			Rule: v.VulnerabilityID, Reason: "OpenVEX " + found.text, Owner: cmp.Or(found.author, found.source), Until: endless,
		}
	}
	return finding, found
}

func why(status dbtypes.Status) string {
	switch status {
	case dbtypes.StatusWillNotFix:
		return " (the distribution will not fix it)"
	case dbtypes.StatusFixDeferred:
		return " (the distribution has put it off)"
	case dbtypes.StatusEndOfLife:
		return " (the release has reached its end of life)"
	default:
		return ""
	}
}

// fileOf is the file that a package is in, or the database that lists it.
func (g *gate) fileOf(result *types.Result, v *types.DetectedVulnerability) string {
	switch {
	case v.PkgPath != "":
		return v.PkgPath
	case result.Class == types.ClassOSPkg:
		return g.items.databases[v.PkgID]
	default:
		return result.Target
	}
}

// secret makes the finding of one secret. Deleted says that a later layer removed the file.
func (g *gate) secret(found types.DetectedSecret, place verdict.Place, where string, deleted bool) verdict.Finding {
	severity := severityOf(found.Severity)
	finding := verdict.Finding{
		ID: found.RuleID, Kind: "secret", Severity: severity, Title: found.Title,
		Message: fmt.Sprintf("%s in %s: %s", found.Title, where, found.Match),
		Remedy: "Revoke it, and give it to the step that needs it as a build secret (RUN --mount=type=secret) instead of " +
			"writing it into the image",
		Source: "https://trivy.dev/latest/docs/scanner/secret/", Place: place,
	}
	if found.Match == "" {
		finding.Message = fmt.Sprintf("%s in %s", found.Title, where)
	}
	if deleted {
		finding.Message += " (a later layer deletes the file, but everyone who has the image can read it in this one)"
	}
	g.judge(&finding, g.options.secretFails(severity))
	return finding
}

// secretFails says whether a secret of that severity fails the gate: a severe one always does unless nothing fails at
// all, because no fixed version will ever come along for it.
func (o Options) secretFails(severity verdict.Severity) bool {
	return o.FailOn != "" && (severity.AtLeast(o.FailOn) || severity.AtLeast(verdict.High))
}

// unreadable makes the finding of a package manager's database that cannot be read: what it lists was not scanned, and
// to call that clean would be wrong.
func (g *gate) unreadable(p problem) verdict.Finding {
	finding := verdict.Finding{
		ID: "scan.unreadable", Kind: "vulnerability", Severity: verdict.High, Title: "the package database cannot be read",
		Message: fmt.Sprintf("the packages that /%s lists could not be scanned: %s", p.file, p.text),
		Remedy:  "Check the step that writes the file; if the packages are known to be harmless, except scan.unreadable with a reason",
		Place:   g.place(g.contents.Layers[p.layer].DiffID, p.file),
	}
	g.judge(&finding, g.options.FailOn != "")
	return finding
}

// nameless makes the finding of packages that nothing can be matched with, because no file says which system they are of.
// Without it, deleting one small file would hide every vulnerability of the system.
func (g *gate) nameless(packages int) verdict.Finding {
	finding := verdict.Finding{
		ID: "scan.no-system", Kind: "vulnerability", Severity: verdict.High, Title: "no file says which system this is",
		Message: fmt.Sprintf("%s of the system cannot be matched with the database: the image has packages, and none of the files that name the system (/etc/debian_version, /etc/os-release, …)",
			verdict.Plural(packages, "package")),
		Remedy: "Leave the file that names the system in the image; if the packages are known to be harmless, except scan.no-system with a reason",
	}
	g.judge(&finding, g.options.FailOn != "")
	return finding
}

func (g *gate) place(diffID, file string) verdict.Place {
	place := verdict.Place{File: absolute(file), Layer: diffID}
	if at, known := g.layers[diffID]; known {
		place.CreatedBy = engine().censor(g.contents.Layers[at].CreatedBy)
	}
	return place
}

func absolute(file string) string {
	if file == "" || strings.HasPrefix(file, "/") {
		return file
	}
	return "/" + file
}

func severityOf(text string) verdict.Severity {
	severity, err := verdict.ParseSeverity(text)
	if err != nil {
		return verdict.Unknown
	}
	return severity
}
