package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The inputs of a gate are all that decided its result besides the image. Evidence whose inputs are the same need not
// be made again. What check depends on, check itself says (check.Inputs).

// scanInputs changes when the database, a setting, an exception or the day of its expiry, or a VEX document does.
func scanInputs(cfg config.Scan, database scan.DatabaseInfo, version string, now time.Time) (string, error) {
	settings := map[string]string{
		"scanner":      version,
		"database":     database.Digest,
		"fail_on":      string(cfg.FailOn),
		"fixable_only": fmt.Sprint(cfg.FixableOnly),
		"secrets":      fmt.Sprint(cfg.Secrets),
	}
	for i, ignore := range cfg.Ignore {
		expired := verdict.Waiver{Until: string(ignore.Until)}.ExpiredAt(now)
		settings[fmt.Sprintf("ignore %d", i)] = fmt.Sprintf("%s %q %s %s %s %t", ignore.ID, ignore.Reason, ignore.Owner, ignore.Until, ignore.Package, expired)
	}
	for i, path := range cfg.VEX {
		document, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("%w: reading the VEX document: %w", verdict.ErrUsage, err)
		}
		sum := sha256.Sum256(document)
		settings[fmt.Sprintf("vex %d", i)] = hex.EncodeToString(sum[:])
	}
	return evidence.Inputs(settings), nil
}

// launchInputs changes with the target, the profile, the limits and the probes.
func launchInputs(cfg config.Launch) (string, error) {
	asked, err := json.Marshal(cfg)
	if err != nil {
		return "", fmt.Errorf("encoding the launch %s/%s: %w", cfg.Target, cfg.Profile, err)
	}
	return evidence.Inputs(map[string]string{"launch": string(asked)}), nil
}

// bomInputs changes with the scanner that lists the packages.
func bomInputs(version string) string { return evidence.Inputs(map[string]string{"scanner": version}) }
