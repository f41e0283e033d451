package promote

import (
	"context"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Registry is what a promotion needs of one; *registry.Client is it.
type Registry interface {
	// Head says which digest a tag points to.
	Head(ctx context.Context, repository, tag string) (digest string, found bool, err error)
	// Tag writes the subject's manifest under tag, once. An error that is registry.ErrUncertain may have moved it.
	Tag(ctx context.Context, s subject.Subject, tag string, options registry.TagOptions) error
}

// Absent is the expectation that a tag is not there yet.
const Absent = "absent"

// Request asks for one tag to be moved onto one subject of the same repository.
type Request struct {
	Subject subject.Subject
	Tag     string
	// Manifest is the subject's manifest, where the caller has it from verification; without it, it is read once more.
	Manifest registry.Source
	// Expect is the digest that the tag must still point to, or Absent; empty: whatever it points to when we look.
	Expect string
	// Journal is the folder of the journal; empty: none is kept.
	Journal string
	// By is who asks, a person or a job, and Run in which run, for the record.
	By, Run string
	// Patience is how reading back bears with a registry that answers from the past; the zero value suits most.
	Patience Patience
}

// Patience bounds the reading back and the repeating of a write whose answer was lost.
type Patience struct {
	Reads  int           // how often a tag is read again; 0: 5
	Writes int           // how often a tag is written at most; 0: 3
	Wait   time.Duration // the first wait, doubled each time; 0: 200 ms
}

func (p Patience) withDefaults() Patience {
	if p.Reads <= 0 {
		p.Reads = 5
	}
	if p.Writes <= 0 {
		p.Writes = 3
	}
	if p.Wait <= 0 {
		p.Wait = 200 * time.Millisecond
	}
	return p
}

// check says what is wrong with the request before anything is asked of a registry.
func (r Request) check() error {
	if _, err := subject.New(r.Subject.Repository, r.Subject.Digest); err != nil {
		return fmt.Errorf("%w: promoting: %w", verdict.ErrUsage, err)
	}
	if r.Tag == "" || strings.ContainsAny(r.Tag, "/:@ ") {
		return fmt.Errorf("%w: promoting %s: %q is not a tag", verdict.ErrUsage, r.Subject, r.Tag)
	}
	if r.Expect != "" && r.Expect != Absent {
		if _, err := v1.NewHash(r.Expect); err != nil {
			return fmt.Errorf("%w: promoting %s: the expected digest %q: %w", verdict.ErrUsage, r.Subject, r.Expect, err)
		}
	}
	return nil
}

func (r Request) object() string { return r.Subject.Tagged(r.Tag) }

// Outcome says how a tag came to point to its subject.
type Outcome string

const (
	Moved     Outcome = "moved"     // this call moved it
	Unchanged Outcome = "unchanged" // it was right already; nothing was written
	Finished  Outcome = "finished"  // an earlier call, cut off, had moved it; this one found that out from the journal
)

// Record is what happened to one tag. The caller makes evidence of it and then calls Settle.
type Record struct {
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	From       string    `json:"from,omitempty"` // empty: the tag is new
	To         string    `json:"to"`
	At         time.Time `json:"at"`
	By         string    `json:"by,omitempty"`
	Run        string    `json:"run,omitempty"` // the one that moved it, also where another finds that out
	Outcome    Outcome   `json:"outcome"`
	// Earlier are moves of the same tag onto other digests that took effect without their record being stored.
	Earlier []Record `json:"earlier,omitempty"`
}

// Subject is the image that the tag was moved onto.
func (r Record) Subject() subject.Subject {
	return subject.Subject{Repository: r.Repository, Digest: r.To}
}
