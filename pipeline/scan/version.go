package scan

import (
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/image"
)

// Version is the version of trivy's library, which evidence names as the scanner: what another version found is
// found anew.
func Version() string { return "v" + trivyVersion }

// matching is the version of this package's own part: which files it parses and how, what it matches, what it calls a
// secret, and how findings become a verdict. It rises with every change after which the same image may have other findings.
const matching = 2

// Method names the version of all the code that findings depend on: trivy's, this package's, and that which reads the
// image. Evidence that was made with another one is not used again.
func Method() string {
	return fmt.Sprintf("trivy %s matching %d facts %s", Version(), matching, image.Method())
}
