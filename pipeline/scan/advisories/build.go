package advisories

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

// source names the advisories' origin in every finding.
var source = types.DataSource{
	ID: "hallmark-demo", Name: "Hallmark demonstration advisories",
	URL: "https://github.com/hallmark-ci/hallmark/tree/main/pipeline/scan/advisories",
}

// Write makes trivy.db and metadata.json in dir, which must exist. The same set gives the same bytes.
func (s Set) Write(dir string) (err error) {
	path := db.Path(dir)
	// The file is worth nothing unless it is complete, so nothing in between needs to reach the disk.
	file, err := bolt.Open(path, 0o644, &bolt.Options{NoSync: true, NoGrowSync: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("writing the demonstration database %s: %w", path, err)
	}
	defer func() {
		if closed := file.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	// bbolt lays new buckets out in the random order of a map; one record a transaction leaves it no choice.
	for _, advisory := range s.Advisories {
		for _, put := range advisory.puts() {
			if err := file.Update(put); err != nil {
				return fmt.Errorf("writing the demonstration database: %s: %w", advisory.ID, err)
			}
		}
	}
	meta := metadata.Metadata{Version: db.SchemaVersion, UpdatedAt: s.Updated, NextUpdate: s.Updated}
	if err := metadata.NewClient(dir).Update(meta); err != nil {
		return fmt.Errorf("writing the demonstration database: %w", err)
	}
	return errors.Join(file.Sync(), os.Chmod(filepath.Join(dir, "metadata.json"), 0o644))
}

// bucket is where the detectors look: a distribution's release, or any bucket that begins with the ecosystem.
func (a Advisory) bucket() string {
	if a.distribution() {
		return a.In
	}
	return a.In + "::" + source.Name
}

func (a Advisory) puts() []func(*bolt.Tx) error {
	config := db.Config{}
	return []func(*bolt.Tx) error{
		func(tx *bolt.Tx) error { return config.PutDataSource(tx, a.bucket(), source) },
		func(tx *bolt.Tx) error {
			advisory := a.advisory()
			return config.PutAdvisory(tx, []string{a.bucket(), a.Package}, a.ID, &advisory)
		},
		func(tx *bolt.Tx) error { return config.PutVulnerability(tx, a.ID, a.vulnerability()) },
	}
}

func (a Advisory) advisory() types.Advisory {
	if a.distribution() {
		result := types.Advisory{FixedVersion: a.Fixed}
		if a.Fixed == "" {
			result.Status = types.NewStatus(a.Status)
		}
		return result
	}
	result := types.Advisory{VulnerableVersions: a.Vulnerable}
	for fixed := range strings.SplitSeq(a.Fixed, ",") {
		if fixed = strings.TrimSpace(fixed); fixed != "" {
			result.PatchedVersions = append(result.PatchedVersions, fixed)
		}
	}
	return result
}

func (a Advisory) vulnerability() types.Vulnerability {
	severity := types.Severity(slices.Index([]string{"", "low", "medium", "high", "critical"}, a.Severity))
	published, _ := time.Parse(time.DateOnly, a.Published)
	return types.Vulnerability{
		//lint:ignore SA1019 the schema still has it, and trivy's own databases fill it
		Title: a.Title, Description: a.Description, Severity: severity.String(),
		VendorSeverity: types.VendorSeverity{source.ID: severity},
		References:     []string{"https://nvd.nist.gov/vuln/detail/" + a.ID},
		PublishedDate:  &published,
	}
}
