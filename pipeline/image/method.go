package image

import "fmt"

// derivation is the version of how facts follow from what layers hold. It rises with every change after which the same
// image may have other facts.
const derivation = 1

// Method names the version of the code that says what an image holds. Verdicts that were reached with another one are
// not used again: that code may see what this one does not.
func Method() string { return fmt.Sprintf("%d.%d", formatVersion, derivation) }
