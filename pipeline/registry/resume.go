package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// resumer goes on with a blob's download where the connection broke, so that a large layer or database does not begin
// anew with every hiccup. What arrives is checked against the blob's digest by whoever reads it.
type resumer struct {
	next    http.RoundTripper
	retries int
}

func (r *resumer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodGet || resp.StatusCode != http.StatusOK || resp.ContentLength <= 0 ||
		!isDownload(req) || req.Header.Get("Range") != "" {
		return resp, err
	}
	resp.Body = &resumed{ReadCloser: resp.Body, resumer: r, req: req, length: resp.ContentLength, etag: resp.Header.Get("Etag")}
	return resp, nil
}

// isDownload says whether req reads a blob, or what a registry redirected such a read to.
func isDownload(req *http.Request) bool {
	for first := req; ; first = first.Response.Request {
		if first.Response == nil || first.Response.Request == nil {
			return strings.Contains(first.URL.Path, "/blobs/sha256:")
		}
	}
}

// resumed is the body of a download over as many connections as it takes.
type resumed struct {
	io.ReadCloser
	resumer *resumer
	req     *http.Request
	length  int64
	etag    string
	at      int64
	broke   int64 // where the last connection broke
	breaks  int   // how often it broke without much progress
}

// enough is the progress between two breaks after which they no longer count as a series.
const enough = 8 << 20

func (b *resumed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.at += int64(n)
	if errors.Is(err, io.EOF) && b.at < b.length && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil || err == io.EOF || b.at >= b.length {
		return n, err
	}
	reason := passing(nil, err)
	if reason == "" || b.req.Context().Err() != nil {
		return n, err
	}
	if b.at-b.broke >= enough {
		b.breaks = 0
	}
	b.broke = b.at
	if b.breaks++; b.breaks > b.resumer.retries {
		return n, &exhaustedError{tries: b.breaks, err: err}
	}
	if again := b.reopen(reason); again != nil {
		return n, errors.Join(err, again)
	}
	return n, nil
}

// reopen asks for the rest. The retrier below waits where waiting is needed.
func (b *resumed) reopen(reason string) error {
	progress.From(b.req.Context()).Notef("%s %s at %s of %s; going on from there", b.req.URL.Host, reason, size(b.at), size(b.length))
	_ = b.ReadCloser.Close()
	req := b.req.Clone(b.req.Context())
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.at, b.length-1))
	if b.etag != "" && !strings.HasPrefix(b.etag, "W/") {
		req.Header.Set("If-Range", b.etag)
	}
	resp, err := b.resumer.next.RoundTrip(req)
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("bytes %d-", b.at); resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
		discard(resp)
		return errors.New("the registry does not continue a download that broke off")
	}
	b.ReadCloser = resp.Body
	return nil
}
