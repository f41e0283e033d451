package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// staged is a candidate that lies in the registry, signed, with the evidence of its gates, under a staging tag.
type staged struct {
	subject  subject.Subject
	manifest registry.Manifest
	tag      string
	image    imageSource
}

// stage writes the manifest by digest, then signature and evidence, then the staging tag: no tag ever names what is
// not signed.
func (r *run) stage(ctx context.Context, c candidate, found assay, standing standing) (s staged, err error) {
	s = staged{subject: c.subject, image: c.image}
	err = r.book.step(ctx, stepStage, func(ctx context.Context) (outcome, error) {
		if s.manifest, err = registry.ManifestOf(c.image); err != nil {
			return outcome{}, fmt.Errorf("reading the candidate's manifest: %w", err)
		}
		if !standing.present {
			if err := r.registry.PutManifest(ctx, s.subject, s.manifest); err != nil {
				return outcome{}, err
			}
		}
		statements, err := r.statements(c, found, standing)
		if err != nil {
			return outcome{}, err
		}
		wanted := statements
		if r.cfg.Sign.Tags { // a run that was cut off may have left evidence in one form: what stands in both is not written again
			wanted = append(standing.statements(), statements...)
		}
		if len(wanted) > 0 || !standing.signed {
			signer, err := r.key.get()
			if err != nil {
				return outcome{}, err
			}
			options := sign.AttestOptions{Signature: !standing.signed, Tags: r.cfg.Sign.Tags}
			if err := signer.AttestAll(ctx, r.registry, s.subject, wanted, options); err != nil {
				return outcome{}, err
			}
			r.book.signed(signer, !standing.signed, statements)
		}
		tag, written, err := r.stagingTag(ctx, s, standing)
		if err != nil {
			return outcome{}, err
		}
		s.tag = tag
		r.book.write(func(rep *report.Report) { rep.StagingTag = s.subject.Tagged(tag) })
		if !written && len(statements) == 0 && standing.signed {
			return skip("%s holds it already, signed, with its evidence", tag), nil
		}
		return did("%s signed; %s", verdict.Plural(len(statements), "statement"), tag), nil
	})
	return s, err
}

// statements are those of the build and its gates that do not stand yet.
func (r *run) statements(c candidate, found assay, standing standing) ([]evidence.Statement, error) {
	var all []evidence.Statement
	build, inputs := c.provenance(r)
	if v, stands := standing.find(evidence.KindProvenance, "", inputs); stands {
		r.book.reuse(v)
	} else {
		statement, err := evidence.Provenance(c.subject, build, r.mark(inputs, ""))
		if err != nil {
			return nil, err
		}
		all = append(all, statement)
	}
	if found.scanned.state != nil {
		statements, err := found.scanned.state()
		if err != nil {
			return nil, err
		}
		all = append(all, statements...)
	}
	if found.checked.state != nil {
		statement, err := found.checked.state(c.subject)
		if err != nil {
			return nil, err
		}
		all = append(all, statement)
	}
	return all, nil
}

// stagingTag returns a staging tag that holds the subject: one of an earlier run where there is one, else a new one.
func (r *run) stagingTag(ctx context.Context, s staged, standing standing) (tag string, written bool, err error) {
	if standing.present {
		tags, err := r.registry.Tags(ctx, s.subject.Repository)
		if err != nil && !errors.Is(err, registry.ErrTagsUnlisted) { // in a list without an end it is not found: then there is one tag more
			return "", false, err
		}
		for i := len(tags) - 1; i >= 0; i-- { // the latest is last
			if !strings.HasPrefix(tags[i], "staging-") || !strings.HasSuffix(tags[i], "-"+s.subject.Short()) {
				continue
			}
			if digest, found, err := r.registry.Head(ctx, s.subject.Repository, tags[i]); err == nil && found && digest == s.subject.Digest {
				return tags[i], false, nil
			}
		}
	}
	tag = stagingTag(revision(ctx, r.cfg.Build.Context), r.id, s.subject.Short())
	return tag, true, r.registry.Tag(ctx, s.subject, tag, registry.TagOptions{IfAbsent: true, Owned: true, Manifest: s.manifest})
}

// signed writes down what this run has signed.
func (b *book) signed(signer *sign.Signer, signature bool, statements []evidence.Statement) {
	b.write(func(r *report.Report) {
		if signature {
			r.Evidence = append(r.Evidence, report.Evidence{Kind: string(evidence.KindSignature), Signer: signer.Name(), At: time.Now()})
		}
		for _, statement := range statements {
			summary, err := evidence.Summarize(statement)
			if err != nil {
				continue // it was made a moment ago by the same package; Verify tells before anything is promoted
			}
			r.Evidence = append(r.Evidence, evidenceLine(evidence.Verified{Statement: statement, Summary: summary, Signer: signer.Name(), At: summary.At}, false))
		}
	})
}
