package pipeline

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// assay is what check and scan found. A part that stood signed already holds no statement to sign.
type assay struct {
	checked checked
	scanned scanned
}

// assay checks and scans the candidate while its blobs are uploaded: the network works while the processors do.
func (r *run) assay(ctx context.Context, c candidate, standing standing) (assay, error) {
	var asked atomic.Bool
	contents := sync.OnceValues(func() (*image.Contents, error) {
		asked.Store(true)
		return r.read(ctx, c)
	})
	uploading, stopUpload := context.WithCancelCause(ctx)
	defer stopUpload(nil)
	upload := make(chan error, 1)
	go func() { upload <- r.upload(uploading, c, standing) }()

	// A failed check must not hide what the scan has to say, so neither cancels the other.
	var found assay
	var both errgroup.Group
	both.Go(func() (err error) { found.checked, err = r.check(ctx, c, contents, standing); return err })
	both.Go(func() (err error) { found.scanned, err = r.scan(ctx, c, contents, standing); return err })
	err := both.Wait()
	if err == nil && !asked.Load() {
		err = r.book.step(ctx, stepRead, func(context.Context) (outcome, error) {
			return skip("neither check nor scan needs to look at the layers"), nil
		})
	}
	// A gate that has found the image wanting is right whatever kept the other one from speaking: no retry mends the image.
	blocked := gate(found.checked.findings, found.scanned.findings) != nil
	if blocked && verdict.OfError(err) == verdict.Inconclusive && !errors.Is(err, verdict.ErrUsage) {
		err = nil
	}
	if err != nil || blocked {
		stopUpload(errNotNeeded) // what is not uploaded yet would lie there for nothing
		<-upload
		return found, err
	}
	return found, <-upload
}

// read walks the candidate's layers, or takes what the cache knows of them.
func (r *run) read(ctx context.Context, c candidate) (contents *image.Contents, err error) {
	err = r.book.step(ctx, stepRead, func(ctx context.Context) (outcome, error) {
		if contents, err = r.surroundings.read(ctx, c.image); err != nil {
			return outcome{}, err
		}
		cached := 0
		for _, layer := range contents.Layers {
			if layer.Cached {
				cached++
			}
		}
		r.book.layers(contents)
		if cached == len(contents.Layers) {
			return skip("%s, all read before", verdict.Plural(cached, "layer")), nil
		}
		return did("%s, %d of them read before", verdict.Plural(len(contents.Layers), "layer"), cached), nil
	})
	return contents, err
}

func (s *surroundings) read(ctx context.Context, img imageSource) (*image.Contents, error) {
	reader := image.Reader{Cache: s.home.layers(), Analyzers: scan.Analyzers(s.scanOptions(""))}
	return reader.Read(ctx, img)
}

// layers writes down what the walk saw.
func (b *book) layers(contents *image.Contents) {
	b.write(func(r *report.Report) {
		for i, layer := range contents.LayerFacts() {
			r.Layers = append(r.Layers, report.Layer{
				Index: layer.Index, Digest: layer.Digest, DiffID: layer.DiffID, Size: layer.Size, Bytes: layer.Bytes,
				Files: layer.Files, CreatedBy: layer.CreatedBy, Cached: contents.Layers[i].Cached,
			})
		}
	})
}

// errNotNeeded ends an upload whose image a gate has stopped.
var errNotNeeded = errors.New("the image goes no further")

// upload puts the candidate's blobs into the registry; without a manifest nobody sees them yet.
func (r *run) upload(ctx context.Context, c candidate, standing standing) error {
	return r.book.step(ctx, stepUpload, func(ctx context.Context) (outcome, error) {
		if standing.present {
			return skip("the registry has %s with all its layers", c.subject.Short()), nil
		}
		stats, err := r.registry.Upload(ctx, c.image, r.repository)
		if err != nil && errors.Is(context.Cause(ctx), errNotNeeded) {
			return skip("stopped half-way, for the image goes no further"), nil
		}
		if err != nil {
			return outcome{}, err
		}
		r.book.write(func(rep *report.Report) {
			rep.Upload = report.Upload{Sent: stats.Sent, Present: stats.Skipped + stats.Mounted, Bytes: stats.BytesSent}
		})
		return did("%s sent (%s), %d there already", verdict.Plural(stats.Sent, "blob"), report.Bytes(stats.BytesSent), stats.Skipped+stats.Mounted), nil
	})
}

// mark is what the run writes into its evidence for later runs.
func (r *run) mark(inputs string, v verdict.Verdict) evidence.Mark {
	return evidence.Mark{Inputs: inputs, At: time.Now(), Verdict: v, Run: r.id}
}
