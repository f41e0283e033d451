package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	sgsign "github.com/sigstore/sigstore-go/pkg/sign"
)

// firstRekor asks for entries by the first version of Rekor's interface (openapi.yaml of github.com/sigstore/rekor), for a
// library that takes an answer's every field to be there, and whose own client neither bounds answers nor tells refusals.
type firstRekor struct {
	url   string
	asked *asker
	wait  time.Duration
}

// logs are the transparency logs to enter a signature into. The asker is told how those of the first version answer.
func (k *keyless) logs(asked *asker) []sgsign.Transparency {
	all := make([]sgsign.Transparency, len(k.services.logs))
	for i, log := range k.services.logs {
		options := &sgsign.RekorOptions{BaseURL: log.URL, Version: log.MajorAPIVersion, Timeout: k.patience}
		if log.MajorAPIVersion == 1 {
			options.Client = firstRekor{url: log.URL, asked: asked, wait: k.patience}
		}
		all[i] = sgsign.NewRekor(options)
	}
	return all
}

// CreateLogEntry enters what is proposed into the log.
func (r firstRekor) CreateLogEntry(params *entries.CreateLogEntryParams, _ ...entries.ClientOption) (*entries.CreateLogEntryCreated, error) {
	body, err := json.Marshal(params.ProposedEntry)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(params.Context, r.wait, fmt.Errorf("it did not answer within %s", r.wait))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(r.url, "/")+"/api/v1/log/entries", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	answer, err := (&http.Client{Transport: r.asked}).Do(request)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, because(ctx, err)
	}
	if answer.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("it answered %s: %s", answer.Status, clip(string(said)))
	}
	var made models.LogEntry
	if err := json.Unmarshal(said, &made); err != nil {
		return nil, fmt.Errorf("its answer is not a log entry: %w", err)
	}
	if len(made) != 1 {
		return nil, fmt.Errorf("its answer holds %d log entries, not the one", len(made))
	}
	created := entries.NewCreateLogEntryCreated()
	for id, entry := range made {
		if lacks := incomplete(entry); lacks != "" {
			return nil, fmt.Errorf("its answer lacks %s of the log entry", lacks)
		}
		created.ETag = id // not the header of this name, which what stands in between may change
	}
	created.Payload = made
	return created, nil
}

// incomplete names what an entry lacks of what its log must say of it.
func incomplete(entry models.LogEntryAnon) string {
	switch seen := entry.Verification; {
	case entry.Body == nil:
		return "the body"
	case entry.LogID == nil:
		return "the log's ID"
	case entry.LogIndex == nil:
		return "the index"
	case entry.IntegratedTime == nil || *entry.IntegratedTime == 0:
		return "the time"
	case seen == nil || len(seen.SignedEntryTimestamp) == 0:
		return "the signed timestamp"
	case seen.InclusionProof == nil:
		return "the proof of inclusion"
	case seen.InclusionProof.RootHash == nil || seen.InclusionProof.LogIndex == nil || seen.InclusionProof.TreeSize == nil:
		return "a part of the proof of inclusion"
	case seen.InclusionProof.Checkpoint == nil:
		return "the checkpoint"
	}
	return ""
}

// because is the error with why the waiting ended, where it did.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// repelled is the error of a log that refuses an entry, which it would the next time, too; nil where another try may
// help. One that has the entry already is sent another signature, and so another entry.
func (s services) repelled(ctx context.Context, asked *asker, err error) error {
	if err == nil || !asked.refused() || asked.status.Load() == http.StatusConflict {
		return nil
	}
	var urls []string
	for _, log := range s.logs {
		if log.MajorAPIVersion == 1 {
			urls = append(urls, log.URL)
		}
	}
	return final{unavailable(ctx, "having a signature logged at", strings.Join(urls, " and "), err,
		"Check that it is a Rekor of version 1 (otherwise set sign.keyless.rekor_version), and that it takes entries of the type dsse")}
}
