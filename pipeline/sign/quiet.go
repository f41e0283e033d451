package sign

import (
	rekorlog "github.com/sigstore/rekor/pkg/log"
	"go.uber.org/zap"
)

// Rekor's packages write to standard error, with stack traces, what they find wrong with a log's entry. Such an entry may
// come out of a bundle that anybody has put beside an image, and what is wrong with it stands in the report.
func init() { *rekorlog.Logger = *zap.NewNop().Sugar() } // in place, for they hold the pointer
