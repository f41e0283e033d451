package check

import (
	opa "github.com/open-policy-agent/opa/v1/version"

	"github.com/hallmark-ci/hallmark/pipeline/image"
)

// judging is the version of how verdicts follow from facts, packs and waivers. It rises with every change after which the
// same rules may say something else.
const judging = "1"

// method names the version of the code that a verdict depends on besides the packs: facts, this package, the interpreter.
func method() string {
	return "facts " + image.Method() + " judging " + judging + " opa " + opa.Version
}
