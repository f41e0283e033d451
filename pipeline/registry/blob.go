package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// expectAbove is the size from which a body waits for the registry's consent, so that a refusal (an expired token) does
// not cost the sending of it. Below, waiting costs more than it saves.
const expectAbove = 16 << 20

// blobUpload brings one blob into a repository.
type blobUpload struct {
	client *Client
	repo   name.Repository
	blob   blob
	count  *counters
	moved  func()
}

// run looks, asks for a mount where the blob's origin is known, sends, and begins anew when the sending broke off for
// a passing reason: an upload's session does not outlive its connection for sure.
func (u *blobUpload) run(ctx context.Context) error {
	ctx, task := progress.Start(ctx, "blob %s (%s)", subject.Short(u.blob.digest.String()), size(u.blob.size))
	patience, started := policyOf(u.client.options), time.Now()
	for try := 1; ; try++ {
		skipped, err := u.once(ctx, task)
		if err == nil {
			if skipped == "" {
				task.End(nil)
			} else {
				task.Skip("%s", skipped)
			}
			return nil
		}
		var broken *brokenUpload
		wait := patience.wait(try)
		if !errors.As(err, &broken) || try > patience.retries || time.Since(started)+wait > patience.total+time.Duration(try)*commitWait {
			if broken != nil {
				err = broken.error
			}
			task.End(err)
			return err
		}
		announce(ctx, u.repo.RegistryStr(), broken.reason, wait, try, patience.retries)
		if err := pause.For(ctx, wait); err != nil {
			task.End(err)
			return err
		}
	}
}

// brokenUpload is an attempt that may go better when it is begun anew.
type brokenUpload struct {
	error
	reason string
}

func (u *blobUpload) object() string { return u.repo.Name() + "@" + u.blob.digest.String() }

// once makes one attempt. skipped says why nothing had to be sent.
func (u *blobUpload) once(ctx context.Context, task *progress.Task) (skipped string, err error) {
	there, err := u.exists(ctx)
	if err != nil {
		return "", err
	}
	if there {
		u.count.skipped.Add(1)
		u.count.bytesSkipped.Add(u.blob.size)
		u.moved()
		return "the repository has it", nil
	}
	if u.place(ctx, task) {
		return "", nil
	}
	location, from, err := u.begin(ctx)
	if err != nil {
		return "", err
	}
	if location == nil {
		u.count.mounted.Add(1)
		u.count.bytesSkipped.Add(u.blob.size)
		u.moved()
		return "mounted from " + from, nil
	}
	if err := u.send(ctx, location, task); err != nil {
		return "", err
	}
	u.count.sent.Add(1)
	return "", nil
}

func (u *blobUpload) exists(ctx context.Context) (bool, error) {
	const doing = "looking for the blob"
	resp, err := u.client.request(ctx, http.MethodHead, u.repo, "blobs/"+u.blob.digest.String(), nil, nil)
	if err != nil {
		return false, u.client.fail(err, doing, u.object())
	}
	defer discard(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		if isWebPage(resp) {
			return false, answerError(doing, u.object(), "the answer is a web page")
		}
		if resp.ContentLength >= 0 && resp.ContentLength != u.blob.size {
			return false, answerError(doing, u.object(), "the registry holds %d bytes under this digest, not %d", resp.ContentLength, u.blob.size)
		}
		return true, nil
	case http.StatusNotFound:
		return false, nil
	}
	return false, u.client.failStatus(resp, doing, u.object())
}

// begin opens an upload and returns where to send it; a nil location means that the blob was mounted from repository.
func (u *blobUpload) begin(ctx context.Context) (location *url.URL, from string, err error) {
	const doing = "beginning the upload of"
	query := url.Values{}
	if mountable, ok := u.blob.Layer.(*remote.MountableLayer); ok && mountable.Reference.Context().RegistryStr() == u.repo.RegistryStr() {
		from = mountable.Reference.Context().RepositoryStr()
		query.Set("mount", u.blob.digest.String())
		query.Set("from", from)
	}
	target := url.URL{
		Scheme: "https", Host: u.repo.RegistryStr(),
		Path: "/v2/" + u.repo.RepositoryStr() + "/blobs/uploads/", RawQuery: query.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := u.client.http.Do(req)
	if err != nil {
		return nil, "", u.client.fail(err, doing, u.object())
	}
	defer discard(resp)
	switch {
	case created(resp.StatusCode) && from != "":
		return nil, from, nil
	case resp.StatusCode != http.StatusAccepted:
		return nil, "", u.client.failStatus(resp, doing, u.object())
	}
	given, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return nil, "", answerError(doing, u.object(), "the registry does not say where to send it")
	}
	return resp.Request.URL.ResolveReference(given), "", nil
}

// send streams the blob in one PUT and closes the upload with it.
func (u *blobUpload) send(ctx context.Context, location *url.URL, task *progress.Task) error {
	const doing = "sending the blob"
	query := location.Query()
	query.Set("digest", u.blob.digest.String())
	location.RawQuery = query.Encode()
	var meter *counted
	open := func() (io.ReadCloser, error) {
		meter.undo() // what an earlier reader of this attempt counted was not received
		body, err := u.blob.Compressed()
		if err != nil {
			return nil, fmt.Errorf("reading the blob %s: %w", u.blob.digest, err)
		}
		meter = &counted{ReadCloser: body, upload: u, task: task}
		return meter, nil
	}
	body, err := open()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, location.String(), body)
	if err != nil {
		return err
	}
	req.ContentLength, req.GetBody = u.blob.size, open
	req.Header.Set("Content-Type", "application/octet-stream")
	if u.blob.size > expectAbove {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := u.client.http.Do(req)
	if err != nil {
		meter.undo()
		return u.again(u.client.fail(err, doing, u.object()), passing(nil, err))
	}
	defer discard(resp)
	if created(resp.StatusCode) {
		return nil
	}
	meter.undo()
	reason := passing(resp, nil)
	if resp.StatusCode == http.StatusNotFound {
		reason = "has forgotten the upload"
	}
	return u.again(u.client.failStatus(resp, doing, u.object()), reason)
}

func (u *blobUpload) again(err error, reason string) error {
	if reason == "" {
		return err
	}
	return &brokenUpload{error: err, reason: reason}
}
