package promote

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func digestOf(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

func planOf(from, to string) Plan {
	s := subject.Subject{Repository: "registry.example.com/app", Digest: to}
	return Plan{Request: Request{Subject: s, Tag: "golden"}, From: from, Needed: from != to}
}

func TestJournalSurvivesAndIsSettled(t *testing.T) {
	t.Parallel()
	j := journal{folder: filepath.Join(t.TempDir(), "made", "when", "needed")}
	a, b, c := digestOf("a"), digestOf("b"), digestOf("c")
	_, open, err := j.resolve(planOf(a, b))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.write(open); err != nil {
		t.Fatal(err)
	}
	// Another run, on another image, is under way at the same time: its intent must stay.
	_, other, err := j.resolve(planOf(a, c))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.write(other); err != nil {
		t.Fatal(err)
	}
	record, _, err := j.resolve(planOf(b, b))
	if err != nil || record.Outcome != Finished || record.From != a || record.To != b {
		t.Fatalf("%+v, error %v", record, err)
	}
	if err := Settle(j.folder, record); err != nil {
		t.Fatal(err)
	}
	if err := Settle(j.folder, record); err != nil {
		t.Errorf("settling twice: %v", err)
	}
	left, err := j.read("registry.example.com/app", "golden")
	if err != nil || len(left) != 1 || left[0].To != c {
		t.Errorf("left %+v, error %v", left, err)
	}
	if none, err := j.read("registry.example.com/app", "stable"); err != nil || len(none) != 0 {
		t.Errorf("another tag's: %+v, error %v", none, err)
	}
}

func TestAbandonedIntentIsForgotten(t *testing.T) {
	t.Parallel()
	j := journal{folder: t.TempDir()}
	_, open, err := j.resolve(planOf(digestOf("a"), digestOf("b")))
	if err != nil {
		t.Fatal(err)
	}
	open.At = time.Now().Add(-2 * abandoned)
	if err := j.write(open); err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.resolve(planOf(digestOf("a"), digestOf("c"))); err != nil {
		t.Fatal(err)
	}
	if left, err := j.read("registry.example.com/app", "golden"); err != nil || len(left) != 0 {
		t.Errorf("left %+v, error %v", left, err)
	}
}

// TestUnreadableJournal: what may be all that is known of a move is neither skipped nor overwritten.
func TestUnreadableJournal(t *testing.T) {
	t.Parallel()
	whole, err := json.Marshal(entry{
		Version: journalVersion, Repository: "registry.example.com/app", Tag: "golden", To: digestOf("b"), At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"cut off":       string(whole[:len(whole)/2]),
		"empty":         "",
		"two in one":    string(whole) + string(whole),
		"other version": strings.Replace(string(whole), `"version":1`, `"version":9`, 1),
		"unknown field": strings.Replace(string(whole), `"version":1`, `"version":1,"x":2`, 1),
		"bad digest":    strings.Replace(string(whole), "sha256:bb", "sha256:", 1),
		"too large":     strings.Repeat(" ", maxEntry) + string(whole),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := journal{folder: t.TempDir()}
			path := j.path(entry{Repository: "registry.example.com/app", Tag: "golden", To: digestOf("b")})
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := j.resolve(planOf(digestOf("a"), digestOf("b")))
			if verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	plan := planOf(digestOf("a"), digestOf("b"))
	for name, c := range map[string]struct {
		err  error
		code int
		want string
	}{
		"conflict": {
			conflict(plan.Request, digestOf("c"), "pointed to "+orNothing(plan.From)+" when we looked"), verdict.ExitConflict,
			"promoting registry.example.com/app@" + digestOf("b") + ": conflict: registry.example.com/app:golden points to " + digestOf("c") +
				", but pointed to aaaaaaaaaaaa when we looked: someone else moved it. Look at what holds the tag now, then promote again if this image is to replace it",
		},
		"refused": {
			refused(plan, &verdict.Error{Cause: errors.New("the registry answered 412 Precondition Failed"), Remedy: "Noise"}), verdict.ExitUsage,
			"promoting registry.example.com/app@" + digestOf("b") + ": the registry does not let registry.example.com/app:golden move from aaaaaaaaaaaa, " +
				"which it still points to (the registry answered 412 Precondition Failed). Allow the tag to be written (it may be locked or immutable there), " +
				"or promote to a tag that is not there yet",
		},
		"unknown": {
			unknown(plan, errors.New("the registry reset the connection"), errors.New("it answers no more")), verdict.ExitInconclusive,
			"promoting registry.example.com/app@" + digestOf("b") + ": it is not known whether the tag has moved (writing it: the registry reset the connection; " +
				"reading it back: it answers no more). Run again when the registry answers: the promotion is then finished, or found to be done",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.err.Error(); got != c.want || verdict.ExitCodeOf(c.err) != c.code {
				t.Errorf("exit code %d:\n%s\nwant %d:\n%s", verdict.ExitCodeOf(c.err), got, c.code, c.want)
			}
		})
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"version":1,"repository":"registry.example.com/app","tag":"golden","from":"` + digestOf("a") + `","to":"` + digestOf("b") + `","at":"2026-01-02T03:04:05Z","by":"x"}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEntry(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		twice, err := parseEntry(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		third, err := json.Marshal(twice)
		if err != nil || !bytes.Equal(again, third) {
			t.Errorf("%s became %s, error %v", again, third, err)
		}
	})
}
