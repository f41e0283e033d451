package scan

// Version is the version of trivy's library, which evidence names as the scanner: what another version found is
// found anew.
func Version() string { return "v" + trivyVersion }
