package report

import (
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Before is the golden image that a run's findings are compared with.
type Before struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
	// New are the findings, by Key, that it does not have; Gone is how many it had that are no more.
	New  []string `json:"new"`
	Gone int      `json:"gone"`
}

// Key is what a finding is known again by in another image: what it is about, not where a line or a version stands.
func Key(f verdict.Finding) string {
	parts := []string{f.Gate, f.ID, f.Place.File}
	if f.Package != nil {
		parts = append(parts, f.Package.Type, f.Package.Name)
	}
	return strings.Join(parts, "|")
}

// Since compares the findings with those of golden; nil findings are not known, and nothing is compared.
func (r *Report) Since(ref, digest string, golden []verdict.Finding) {
	if golden == nil {
		return
	}
	had, has := map[string]bool{}, map[string]bool{}
	for _, f := range golden {
		had[Key(f)] = true
	}
	b := &Before{Ref: ref, Digest: digest, New: []string{}}
	for _, f := range r.Findings {
		key := Key(f)
		if !had[key] && !has[key] {
			b.New = append(b.New, key)
		}
		has[key] = true
	}
	for key := range had {
		if !has[key] {
			b.Gone++
		}
	}
	r.Before = b
}

// news says which findings are new since golden.
func (r Report) news() map[string]bool {
	news := map[string]bool{}
	if r.Before != nil {
		for _, key := range r.Before.New {
			news[key] = true
		}
	}
	return news
}
