// Package report holds what one run did and found, as plain data, and draws it for people and machines: the board
// at the end of a run, a Markdown summary, a self-contained HTML page, JSON, and the table of `hallmark verify`.
//
// It knows nothing of how a run is done: whoever runs fills the data in. It reads no clock, no file and no network, so
// that the same data always gives the same bytes.
package report

import (
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Version is the version of the JSON that Report is written as. It rises when a field changes its meaning or goes;
// new fields may come without it.
const Version = 1

// State says what became of a step.
type State string

const (
	Done       State = "done"
	Skipped    State = "skipped"     // valid evidence stood already, or the configuration does not ask for it
	Failed     State = "failed"      // it ended with a verdict other than pass; Step.Verdict says which
	NotReached State = "not reached" // something before it ended the run
)

// Report is one run.
type Report struct {
	Version int    `json:"version"`
	RunID   string `json:"run_id"`
	// Hallmark is the version of the program that ran.
	Hallmark string `json:"hallmark"`
	// Image is the image's name as the configuration gives it.
	Image     string          `json:"image"`
	Subject   subject.Subject `json:"subject,omitzero"` // zero: the build did not end
	MediaType string          `json:"media_type,omitempty"`
	Platforms []string        `json:"platforms,omitempty"`
	// Bases are the images that the build started from, each with its digest.
	Bases []Base `json:"bases,omitempty"`
	// StagingTag is the full reference under which the candidate was tested; empty: it was not staged.
	StagingTag string   `json:"staging_tag,omitempty"`
	Golden     []Golden `json:"golden,omitempty"`

	Verdict  verdict.Verdict `json:"verdict"`
	ExitCode int             `json:"exit_code"`
	// Headline says in one sentence how the run ended, Next in one sentence what to do now.
	Headline string `json:"headline"`
	Next     string `json:"next,omitempty"`
	// VerifyCommand checks the result; empty where there is nothing to verify.
	VerifyCommand string `json:"verify_command,omitempty"`
	// Path is where the HTML report was written.
	Path string `json:"path,omitempty"`

	Started time.Time     `json:"started"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Steps   []Step        `json:"steps"`
	// Timings are the tasks inside the steps, for the timeline.
	Timings []Timing `json:"timings,omitempty"`

	Engine   Engine            `json:"engine,omitzero"`
	Findings []verdict.Finding `json:"findings"`
	// Before is what golden was before the run, where the findings were compared with it.
	Before   *Before          `json:"before,omitempty"`
	Packs    []Pack           `json:"packs,omitempty"`
	Waivers  []verdict.Waiver `json:"waivers,omitempty"` // every waiver of the configuration, used or not
	Scan     Scan             `json:"scan,omitzero"`
	Layers   []Layer          `json:"layers,omitempty"`
	Upload   Upload           `json:"upload,omitzero"`
	Launches []Launch         `json:"launches,omitempty"`
	Evidence []Evidence       `json:"evidence,omitempty"`
	// Notes are sentences that people should not miss, also in the shortest rendering: "the vulnerability database is a demonstration".
	Notes []string `json:"notes,omitempty"`
}

// Base is an image that the build started from.
type Base struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
}

// Move says what happened to a golden tag.
type Move string

const (
	Moved     Move = "moved"
	Already   Move = "already there" // it pointed to the subject before; nothing was written
	Untouched Move = "untouched"     // the run ended before, or may not move it
	Conflict  Move = "conflict"      // someone else moved it meanwhile
)

// Golden is what became of one golden tag.
type Golden struct {
	Ref  string `json:"ref"` // full reference, with the tag
	Move Move   `json:"move"`
	// From is the digest that the tag pointed to before; empty: it did not exist, or was not asked.
	From string `json:"from,omitempty"`
	// To is the digest that it points to now; empty where it was not asked.
	To string    `json:"to,omitempty"`
	At time.Time `json:"at,omitzero"`
	// Recorded says that the tag was there already without a promotion, and that this one is its record.
	Recorded bool `json:"recorded,omitempty"`
}

// Step is one verb of the run, in the order of the pipeline.
type Step struct {
	Name    string          `json:"name"` // build, check, scan, upload, stage, launch, promote
	State   State           `json:"state"`
	Verdict verdict.Verdict `json:"verdict,omitempty"`
	Started time.Time       `json:"started,omitzero"`
	Elapsed time.Duration   `json:"elapsed_ns,omitempty"`
	// Reason says why the step was skipped, failed or was not reached, in one sentence.
	Reason string `json:"reason,omitempty"`
	// Detail is what the step made, in a few words: "7 steps, 4 cached", "31 rules, 1 waived".
	Detail string `json:"detail,omitempty"`
	// Remedy says what to do about a failure.
	Remedy string `json:"remedy,omitempty"`
	// Output is the tail of what a failed step printed: bounded by whoever fills it in.
	Output string `json:"output,omitempty"`
}

// Timing is one task inside a step.
type Timing struct {
	Step    string        `json:"step"`
	Name    string        `json:"name"`
	Started time.Time     `json:"started"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Cached  bool          `json:"cached,omitempty"`
	Error   string        `json:"error,omitempty"`
}

// Engine is what built and ran, and why that one.
type Engine struct {
	Name    string `json:"name"` // embedded, docker, or the address of a BuildKit
	Version string `json:"version,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Pack is a set of rules that was applied.
type Pack struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
	Rules   int    `json:"rules"`
}

// Scan is what the scanner looked at, and with what.
type Scan struct {
	Packages int      `json:"packages,omitempty"`
	FailOn   string   `json:"fail_on,omitempty"`
	Database Database `json:"database,omitzero"`
}

// Database is the vulnerability database that the scan used.
type Database struct {
	Source  string        `json:"source"` // reference or file
	Digest  string        `json:"digest"`
	Updated time.Time     `json:"updated"`
	Age     time.Duration `json:"age_ns,omitempty"`
	// Note is a sentence that every rendering repeats where the database is mentioned, such as that it is a demonstration.
	Note string `json:"note,omitempty"`
}

// Layer is one layer of the image, from the lowest.
type Layer struct {
	Index     int    `json:"index"`
	Digest    string `json:"digest"`
	DiffID    string `json:"diff_id"`
	Size      int64  `json:"size"`            // compressed bytes
	Bytes     int64  `json:"bytes,omitempty"` // uncompressed bytes
	Files     int    `json:"files,omitempty"`
	CreatedBy string `json:"created_by,omitempty"`
	// Cached says that the layer's record stood already, so that the layer was not read again.
	Cached bool `json:"cached"`
}

// Upload is what went to the registry.
type Upload struct {
	Sent    int   `json:"sent"`    // blobs
	Present int   `json:"present"` // blobs that were there already
	Bytes   int64 `json:"bytes"`
}

// Launch is one launch of the candidate on one target.
type Launch struct {
	Target  string          `json:"target"`
	Profile string          `json:"profile"`
	ID      string          `json:"id,omitempty"`
	Verdict verdict.Verdict `json:"verdict"`
	Reason  string          `json:"reason,omitempty"`
	Remedy  string          `json:"remedy,omitempty"`
	Started time.Time       `json:"started,omitzero"`
	Elapsed time.Duration   `json:"elapsed_ns,omitempty"`
	Runtime string          `json:"runtime,omitempty"` // name and version of what ran it
	Limits  []Limit         `json:"limits,omitempty"`
	Facts   []Fact          `json:"facts,omitempty"`
	Probes  []Probe         `json:"probes,omitempty"`
	Events  []Event         `json:"events,omitempty"`
	// LogPath is the file that holds the launch's whole log, LogTail its bounded end.
	LogPath string `json:"log_path,omitempty"`
	LogTail string `json:"log_tail,omitempty"`
	Reused  bool   `json:"reused,omitempty"` // valid evidence stood already; nothing was launched
}

// Fact is one thing that the target of a launch knows of its cluster.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Limit is one resource limit of a launch.
type Limit struct {
	Name     string `json:"name"`  // memory, cpus, pids
	Asked    string `json:"asked"` // "3Gi", "2", "1024"; empty: none
	Enforced bool   `json:"enforced"`
	Note     string `json:"note,omitempty"` // why it could not be enforced
}

// Probe is one thing asked of a launched cluster.
type Probe struct {
	Name    string          `json:"name"`
	Verdict verdict.Verdict `json:"verdict"`
	Elapsed time.Duration   `json:"elapsed_ns,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Remedy  string          `json:"remedy,omitempty"`
	Output  string          `json:"output,omitempty"` // bounded tail
}

// Event is one thing that happened during a launch.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Evidence is one signed statement about the subject.
type Evidence struct {
	Kind          string    `json:"kind"` // signature, provenance, sbom, vulnerabilities, check, launch, promotion
	PredicateType string    `json:"predicate_type,omitempty"`
	Signer        string    `json:"signer"`
	At            time.Time `json:"at"`
	Ref           string    `json:"ref,omitempty"`    // where it is stored
	Reused        bool      `json:"reused,omitempty"` // it stood before this run
	// Verdict is what the statement itself concludes, where it concludes anything.
	Verdict verdict.Verdict `json:"verdict,omitempty"`
	// Summary is what it says in a few words: "43 packages", "SparkPi, 3 probes".
	Summary string `json:"summary,omitempty"`
}
