package check

import (
	"context"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// PromotionInput is what a promotion pack judges: a subject and the verified evidence about it.
type PromotionInput struct {
	Subject  subject.Subject
	Evidence []Evidence
	// Params are values that differ from the pack's defaults.
	Params map[string]any
	// FailOn is as in Input.
	FailOn verdict.Severity
	// Waivers cover rules of the pack, such as promotion.age.
	Waivers []verdict.Waiver
	// Now is the time at which the evidence must hold. It must be set.
	Now time.Time
	// Timeout bounds the evaluation; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Evidence is one statement whose signature verification has accepted, in as much as a promotion depends on it.
type Evidence struct {
	PredicateType string
	// Subject is what the statement itself says that it is about.
	Subject subject.Subject
	Signer  string    // as verification names it: "key sha256:…"
	At      time.Time // when it was made
	// Verdict is what the statement says; empty for kinds that say none, such as an SBOM.
	Verdict verdict.Verdict
	// Target is the launch's target; empty for other kinds.
	Target string
	// Slot tells statements of one kind apart that stand beside each other: of launches, "sandbox/spark". A newer statement
	// takes the place of an older one of the same kind and slot only.
	Slot string
	// Ref is where the statement is stored.
	Ref string
	// Packs are those that a check asked.
	Packs []PackRef
	// Scan is what a scan looked for; nil: the statement does not say.
	Scan *ScanSettings
	// Probes are the names of those that a launch was asked.
	Probes []string
	// DatabaseUpdatedAt is the date of the vulnerability database; zero where the statement names none.
	DatabaseUpdatedAt time.Time
}

// ScanSettings are what a scan for vulnerabilities looked for.
type ScanSettings struct {
	FailOn      verdict.Severity // from here on findings blocked
	FixableOnly bool             // what has no fix did not block
	Secrets     bool             // they were looked for
}

// Promotion asks a promotion pack whether a golden tag may move to in.Subject. Errors are as Run's.
func Promotion(ctx context.Context, in PromotionInput, pack *Pack) (Result, error) {
	evidence := make([]object, 0, len(in.Evidence))
	for _, e := range in.Evidence {
		evidence = append(evidence, object{
			"predicate_type": e.PredicateType, "repository": e.Subject.Repository, "digest": e.Subject.Digest,
			"signer": e.Signer, "at": rfc3339(dated(e.At)), "verdict": string(e.Verdict), "target": e.Target, "slot": e.Slot, "ref": e.Ref,
			"database_updated_at": rfc3339(bounded(e.DatabaseUpdatedAt)),
			"packs":               e.packs(), "scan": e.scan(), "probes": append([]string{}, e.Probes...),
		})
	}
	return run(ctx, AboutPromotion, request{
		input: object{
			"subject":  object{"repository": in.Subject.Repository, "digest": in.Subject.Digest},
			"evidence": evidence, "now": rfc3339(in.Now),
		},
		params: map[string]map[string]any{pack.Name: in.Params}, failOn: in.FailOn, now: in.Now, timeout: in.Timeout,
		gate: "promote", kind: "evidence",
	}, []*Pack{pack}, in.Waivers)
}

func (e Evidence) packs() []object {
	packs := []object{}
	for _, p := range e.Packs {
		packs = append(packs, object{"name": p.Name, "version": p.Version, "digest": p.Digest})
	}
	return packs
}

func (e Evidence) scan() object {
	s := e.Scan
	if s == nil {
		s = &ScanSettings{FixableOnly: true}
	}
	return object{"known": e.Scan != nil, "fail_on": string(s.FailOn), "fixable_only": s.FixableOnly, "secrets": s.Secrets}
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// dated makes undated evidence old beyond any limit.
func dated(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return bounded(t)
}

// bounded keeps dates that a statement may have made up within what the rules' clock can count: nanoseconds in 64 bits.
func bounded(t time.Time) time.Time {
	first, last := time.Unix(0, 0), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	switch {
	case t.IsZero() || t.After(first) && t.Before(last):
		return t
	case t.Before(last):
		return first
	default:
		return last
	}
}
