package main

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go
)

// databases puts what trivy's command line would download into its cache: the vulnerabilities that Hallmark scans with,
// and an index of Java archives without entries. Neither side looks anything up in such an index: the archives of the
// image say themselves what they are.
func databases(vulnerabilities, cache string) error {
	db, err := inFolder(cache, "db")
	if err != nil {
		return err
	}
	for _, name := range []string{"trivy.db", "metadata.json"} {
		body, err := os.ReadFile(filepath.Join(vulnerabilities, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(db, name), body, 0o644); err != nil {
			return err
		}
	}
	java, err := inFolder(cache, "java-db")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(java, "metadata.json"), []byte(`{"Version":1,"NextUpdate":"2100-01-01T00:00:00Z","UpdatedAt":"2026-01-01T00:00:00Z"}`), 0o644); err != nil {
		return err
	}
	index, err := sql.Open("sqlite", filepath.Join(java, "trivy-java.db"))
	if err != nil {
		return err
	}
	_, err = index.Exec(`
		CREATE TABLE artifacts (id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
		CREATE TABLE indices (artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, FOREIGN KEY (artifact_id) REFERENCES artifacts (id));
		CREATE UNIQUE INDEX indices_by_sha1 ON indices (sha1);`)
	return errors.Join(err, index.Close())
}
