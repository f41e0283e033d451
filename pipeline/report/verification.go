package report

import (
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Verification is what `hallmark verify` found about one reference.
type Verification struct {
	Version  int             `json:"version"`
	Ref      string          `json:"ref"` // as the user gave it
	Subject  subject.Subject `json:"subject,omitzero"`
	Verdict  verdict.Verdict `json:"verdict"`
	ExitCode int             `json:"exit_code"`
	Headline string          `json:"headline"`
	Next     string          `json:"next,omitempty"`
	Checked  time.Time       `json:"checked"`
	Evidence []Evidence      `json:"evidence"`
	// Missing is what the promotion policy asks for and nobody has signed.
	Missing []Missing `json:"missing,omitempty"`
	// Rejected is what claims to be evidence and was not believed.
	Rejected []Rejected `json:"rejected,omitempty"`
	Notes    []string   `json:"notes,omitempty"`
}

// Missing is one kind of evidence that is not there.
type Missing struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy,omitempty"`
}

// Rejected is one statement that was not believed, and why.
type Rejected struct {
	Kind   string `json:"kind,omitempty"`
	Ref    string `json:"ref"`
	Reason string `json:"reason"`
}
