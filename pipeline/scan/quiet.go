package scan

import (
	"log"
	"log/slog"
	"os"

	trivylog "github.com/aquasecurity/trivy/pkg/log"
)

// Importing trivy replaces slog's default logger with one that keeps every record in memory until somebody
// configures it, and with it redirects the standard log package. Nobody here does, so undo both: trivy's chatter
// is dropped, and log.Print writes to standard error again. A program that sets its own default in main wins.
func init() {
	if _, theirs := slog.Default().Handler().(*trivylog.DeferredHandler); !theirs {
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	log.SetOutput(os.Stderr)
	log.SetFlags(log.LstdFlags)
}
