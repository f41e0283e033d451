package promote

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// journal is a folder with one small file for each intended move that is not settled yet. A file is named after the
// tag and the digest, so that two runs that promote different images do not overwrite each other's.
type journal struct{ folder string }

// entry is what stands in a file: the intent, written before the tag is.
type entry struct {
	Version    int       `json:"version"`
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	From       string    `json:"from,omitempty"`
	To         string    `json:"to"`
	At         time.Time `json:"at"`
	By         string    `json:"by,omitempty"`
	Run        string    `json:"run,omitempty"`
}

const (
	journalVersion = 1
	maxEntry       = 64 << 10
	suffix         = ".promotion.json"
	// abandoned is the age from which an intent that nothing came of belongs to no run that is still under way.
	abandoned = 24 * time.Hour
)

func (e entry) record(outcome Outcome) Record {
	return Record{Repository: e.Repository, Tag: e.Tag, From: e.From, To: e.To, At: e.At, By: e.By, Run: e.Run, Outcome: outcome}
}

// resolve compares the plan with what earlier runs left behind. It returns the record of the promotion, to be handed out
// if it succeeds, and the entry to be written before it begins.
func (j journal) resolve(plan Plan) (Record, entry, error) {
	request := plan.Request
	open := entry{
		Version: journalVersion, Repository: request.Subject.Repository, Tag: request.Tag,
		From: plan.From, To: request.Subject.Digest, At: time.Now().UTC(), By: request.By, Run: request.Run,
	}
	record := open.record(Moved)
	if !plan.Needed {
		record.Outcome = Unchanged
	}
	left, err := j.read(open.Repository, open.Tag)
	if err != nil {
		return Record{}, open, err
	}
	for _, old := range left {
		switch {
		case old.To == plan.From && old.To == open.To: // it had moved the tag, to where it is wanted
			record = old.record(Finished)
		case old.To == plan.From: // it had moved the tag, and its record was not stored
			record.Earlier = append(record.Earlier, old.record(Finished))
		case old.To != open.To && time.Since(old.At) > abandoned:
			// It did not move the tag, or someone has moved it since: nothing can be said of it any more.
			if err := j.forget(old); err != nil {
				return Record{}, open, err
			}
		}
	}
	return record, open, nil
}

// Settle forgets what the journal holds about a record, once its evidence is stored.
func Settle(folder string, record Record) error {
	j := journal{folder: folder}
	settled := record.Earlier
	if record.Outcome != Unchanged { // then an intent on the same digest is another run's to settle
		settled = append(settled[:len(settled):len(settled)], record)
	}
	for _, r := range settled {
		if err := j.forget(entry{Repository: r.Repository, Tag: r.Tag, To: r.To}); err != nil {
			return err
		}
	}
	return nil
}

// prefix is the same for all entries of one tag, and fit for a file name.
func prefix(repository, tag string) string {
	sum := sha256.Sum256([]byte(repository + ":" + tag))
	return hex.EncodeToString(sum[:8]) + "-"
}

func (j journal) path(e entry) string {
	return filepath.Join(j.folder, prefix(e.Repository, e.Tag)+subject.Short(e.To)+suffix)
}

// read returns the entries of a tag. One that cannot be read is an error: it may be all that is known of a move.
func (j journal) read(repository, tag string) ([]entry, error) {
	if j.folder == "" {
		return nil, nil
	}
	files, err := os.ReadDir(j.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, j.trouble("reading", j.folder, err)
	}
	var entries []entry
	for _, file := range files {
		if !strings.HasPrefix(file.Name(), prefix(repository, tag)) || !strings.HasSuffix(file.Name(), suffix) {
			continue
		}
		path := filepath.Join(j.folder, file.Name())
		e, err := readEntry(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run has settled it meanwhile
		} else if err != nil {
			return nil, j.trouble("reading", path, err)
		}
		if e.Repository == repository && e.Tag == tag {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func readEntry(path string) (entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return entry{}, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxEntry+1))
	if err != nil {
		return entry{}, err
	}
	return parseEntry(data)
}

func parseEntry(data []byte) (entry, error) {
	if len(data) > maxEntry {
		return entry{}, fmt.Errorf("it holds more than %d bytes", maxEntry)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var e entry
	if err := decoder.Decode(&e); err != nil {
		return entry{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return entry{}, errors.New("something follows its end")
	}
	if e.Version != journalVersion {
		return entry{}, fmt.Errorf("it is of version %d; this program writes version %d", e.Version, journalVersion)
	}
	if _, err := subject.New(e.Repository, e.To); err != nil {
		return entry{}, err
	}
	if _, err := v1.NewHash(e.From); e.From != "" && err != nil {
		return entry{}, err
	}
	if e.Tag == "" || e.At.IsZero() {
		return entry{}, errors.New("it names no tag or no time")
	}
	return e, nil
}

func (j journal) trouble(doing, path string, err error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "promote.journal", Doing: doing + " the promotion journal", Object: path,
		Cause:  misuse{err},
		Remedy: "Look at the tag's history; if nothing is missing there, delete the file and run again",
	}
}
