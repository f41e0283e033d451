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
//
// The code of the gates is among them, by the methods that their rooms name: not by the program's version, for most
// releases change nothing that a verdict depends on. TestMethods sees to it that they rise.

// scanInputs changes when the scanner's method, the database, a setting, an exception or the day of its expiry, or a VEX document does.
func scanInputs(cfg config.Scan, database scan.DatabaseInfo, method string, now time.Time) (string, error) {
	settings := map[string]string{
		"scanner":      method,
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

// launchInputs changes with the target, the profile, the limits, the probes, the files of this machine that it takes, and the way in which launches are made.
func launchInputs(cfg config.Launch, method string) (string, error) {
	asked, err := json.Marshal(portable(cfg))
	if err != nil {
		return "", fmt.Errorf("encoding the launch %s/%s: %w", cfg.Target, cfg.Profile, err)
	}
	settings := launchFiles(cfg)
	settings["launch"], settings["method"] = string(asked), method
	return evidence.Inputs(settings), nil
}

// bomInputs changes with the method by which packages are listed.
func bomInputs(method string) string { return evidence.Inputs(map[string]string{"scanner": method}) }
