package scan

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aquasecurity/trivy/pkg/clock"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/fingerprint"
	"github.com/aquasecurity/trivy/pkg/types"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Result is the outcome of one scan: findings for the pipeline, and everything that the output formats are made of.
type Result struct {
	Verdict  verdict.Verdict   `json:"verdict"`
	Findings []verdict.Finding `json:"findings"`
	// Packages is how many packages were matched, of the system's and of languages.
	Packages int          `json:"packages"`
	Database DatabaseInfo `json:"database"`
	// System is the operating system that was recognised, "debian 12.12"; empty where none was.
	System string `json:"system,omitempty"`
	// EndOfLife says that the system's release gets no more updates: what is found may be incomplete.
	EndOfLife bool `json:"end_of_life,omitempty"`
	// Notes are sentences that belong to the result: what was not scanned, and what the database is.
	Notes []string `json:"notes,omitempty"`
	// Unidentified are Java archives whose coordinates nothing tells; nothing could be matched for them.
	Unidentified []string `json:"unidentified,omitempty"`

	report  types.Report
	version string // the program's
}

// Run matches the image against the database and judges what it finds. contents must have been read with Analyzers of
// the same options. The error is the surroundings' or the user's; an image at fault is in the Verdict.
func Run(ctx context.Context, contents *image.Contents, database *Database, o Options) (*Result, error) {
	for _, exception := range o.Ignore {
		if err := exception.Check(); err != nil {
			return nil, err
		}
	}
	documents, err := loadVEX(o.VEX)
	if err != nil {
		return nil, err
	}
	items, err := takeInventory(contents)
	if err != nil {
		return nil, err
	}
	// The detectors judge by the clock whether a release is past its end of life.
	results, eosl, err := detect(clock.With(ctx, o.now()), database, cmp.Or(o.Name, contents.Digest), items)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	architecture := ""
	if contents.Config != nil {
		architecture = contents.Config.Architecture
	}
	g := &gate{
		options: o, contents: contents, items: items, vex: documents, now: o.now(),
		imageURL: imageURL(o.Repository, contents.Digest, architecture),
		used:     make([]bool, len(o.Ignore)), layers: map[string]int{},
	}
	for i := range contents.Layers {
		if _, known := g.layers[contents.Layers[i].DiffID]; !known {
			g.layers[contents.Layers[i].DiffID] = i
		}
	}
	run := &runner{gate: g, Result: &Result{Findings: []verdict.Finding{}, Database: database.Info, version: o.Version, Unidentified: items.unidentified}}
	run.vulnerabilities(results)
	if o.Secrets {
		if err := run.secrets(); err != nil {
			return nil, err
		}
	}
	for _, p := range items.problems {
		if p.database {
			run.Findings = append(run.Findings, g.unreadable(p))
		}
	}
	if len(items.packages) > 0 && !items.os.Detected() && items.repository == nil {
		run.Findings = append(run.Findings, g.nameless(len(items.packages)))
	}
	run.notes(eosl)
	run.report = run.trivyReport(eosl)
	verdict.Sort(run.Findings)
	run.Verdict = verdict.Of(run.Findings)
	run.tell(ctx)
	return run.Result, nil
}

// runner builds a Result.
type runner struct {
	*gate
	*Result
	results     types.Results
	tooLarge    int
	tooLargeMiB int64
}

func (r *runner) vulnerabilities(results types.Results) {
	for i := range results {
		result := &results[i]
		r.Packages += len(result.Packages)
		var roots []string
		for _, pkg := range result.Packages {
			if pkg.Relationship == ftypes.RelationshipRoot && pkg.Identifier.PURL != nil {
				roots = append(roots, pkg.Identifier.PURL.String())
			}
		}
		kept := result.Vulnerabilities[:0:0]
		for _, v := range result.Vulnerabilities {
			finding, excuse := r.vulnerability(result, &v, roots)
			r.Findings = append(r.Findings, finding)
			switch {
			case excuse != nil:
				result.ModifiedFindings = append(result.ModifiedFindings,
					types.NewModifiedFinding(v, excuse.status, excuse.text, excuse.source))
			case finding.Waiver != nil && !finding.Waiver.ExpiredAt(r.now):
				result.ModifiedFindings = append(result.ModifiedFindings,
					types.NewModifiedFinding(v, types.FindingStatusIgnored, finding.Waiver.Reason, "hallmark.yaml"))
			default:
				kept = append(kept, v)
			}
		}
		result.Vulnerabilities = kept
	}
	r.results = append(r.results, results...)
}

func (r *runner) secrets() error {
	for found := range r.contents.EveryResult(secretsKey) {
		var kept secretRecord
		if err := json.Unmarshal(found.Result, &kept); err != nil {
			return fmt.Errorf("reading what was kept of %s: %w", found.Path, err)
		}
		if kept.TooLarge > 0 {
			r.tooLarge++
			r.tooLargeMiB += kept.TooLarge >> 20
			continue
		}
		layer := &r.contents.Layers[found.Layer]
		var detected []types.DetectedSecret
		for _, secret := range kept.Findings {
			secret.Layer = ftypes.Layer{
				Digest: layer.Digest, DiffID: layer.DiffID, CreatedBy: engine().censor(layer.CreatedBy),
			}
			place := r.place(layer.DiffID, found.Path)
			place.Line = secret.StartLine
			finding := r.secret(types.DetectedSecret(secret), place, place.String(), found.Deleted)
			r.Findings = append(r.Findings, finding)
			if finding.Waiver == nil || finding.Waiver.ExpiredAt(r.now) {
				detected = append(detected, types.DetectedSecret(secret))
			}
		}
		r.addSecrets(absolute(found.Path), detected)
	}
	var config []types.DetectedSecret
	for _, secret := range engine().scanConfig(r.contents) {
		place := verdict.Place{CreatedBy: secret.createdBy}
		finding := r.secret(types.DetectedSecret(secret.found), place, "the image's configuration ("+secret.place+")", false)
		finding.Remedy = "Revoke it, and take it out of the Dockerfile: ENV, ARG, LABEL and the text of RUN stay readable in the " +
			"image; use RUN --mount=type=secret, and give run-time secrets to the container when it starts"
		r.Findings = append(r.Findings, finding)
		if finding.Waiver == nil || finding.Waiver.ExpiredAt(r.now) {
			secret.found.StartLine, secret.found.EndLine, secret.found.Offset = 0, 0, 0
			config = append(config, types.DetectedSecret(secret.found))
		}
	}
	r.addSecrets("image configuration", config)
	return nil
}

func (r *runner) addSecrets(target string, detected []types.DetectedSecret) {
	if len(detected) > 0 {
		r.results = append(r.results, types.Result{Target: target, Class: types.ClassSecret, Secrets: detected})
	}
}

func (r *runner) trivyReport(eosl bool) types.Report {
	report := types.Report{
		SchemaVersion: 2, CreatedAt: r.now.UTC(), ArtifactName: cmp.Or(r.options.Name, r.contents.Digest),
		ArtifactType: ftypes.TypeContainerImage, Results: r.results,
		Metadata: types.Metadata{ImageConfig: publicConfig(r.contents.Config)},
	}
	if r.options.Repository != "" {
		report.Metadata.RepoDigests = []string{r.options.Repository + "@" + r.contents.Digest}
	}
	report.ArtifactID = r.contents.Digest
	if r.items.os.Detected() {
		system := r.items.os
		system.Eosl = eosl
		report.Metadata.OS = &system
	}
	for _, layer := range r.contents.Layers {
		report.Metadata.DiffIDs = append(report.Metadata.DiffIDs, layer.DiffID)
		report.Metadata.Layers = append(report.Metadata.Layers, ftypes.Layer{
			Size: layer.Size, Digest: layer.Digest, DiffID: layer.DiffID,
		})
		report.Metadata.Size += layer.Size
	}
	fingerprint.Fill(&report)
	return report
}

// notes collects what people must know to read the result.
func (r *runner) notes(eosl bool) {
	add := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	if r.Database.Note != "" {
		add("%s", r.Database.Note)
	}
	if r.items.os.Detected() {
		r.System = strings.TrimSpace(string(r.items.os.Family) + " " + r.items.os.Name)
	} else {
		add("no operating system was recognised: only language packages were matched")
	}
	if r.EndOfLife = eosl; eosl {
		add("%s is past its end of life: advisories for it are no longer complete", r.System)
	}
	if r.System != "" && len(r.items.packages) == 0 {
		add("%s lists no packages: if its package database was removed, its packages were not scanned", r.System)
	}
	if n := len(r.Unidentified); n > 0 {
		add("%s without pom.properties could not be identified and %s not matched: %s", verdict.Plural(n, "Java archive"), were(n), shortList(r.Unidentified, 3))
	}
	var unread []string
	for _, p := range r.items.problems {
		if !p.database {
			unread = append(unread, "/"+p.file)
		}
	}
	if len(unread) > 0 {
		slices.Sort(unread)
		add("%s could not be read as the packages that they look like: %s", verdict.Plural(len(unread), "file"), shortList(unread, 3))
	}
	if r.tooLarge > 0 {
		add("%s larger than %d MiB (%d MiB together) %s not searched for secrets", verdict.Plural(r.tooLarge, "text file"),
			maxSecretFile>>20, r.tooLargeMiB, were(r.tooLarge))
	}
	if !r.options.Secrets {
		add("secrets were not looked for")
	}
	for i, exception := range r.options.Ignore {
		if !r.used[i] {
			add("the exception for %s covers nothing in this image", exception.ID)
		}
	}
}

// tell reports what must not be missed to whoever watches.
func (r *runner) tell(ctx context.Context) {
	task := progress.From(ctx)
	if r.Database.Demo {
		task.Warnf("%s.", strings.ToUpper(r.Database.Note[:1])+r.Database.Note[1:])
	}
	task.Notef("%d packages matched, %s", r.Packages, r.Summary())
}

// Summary is one line on the findings: "2 blocking of 14 findings (1 critical, 1 high)".
func (r *Result) Summary() string {
	counts := map[verdict.Severity]int{}
	blocking := 0
	for _, f := range r.Findings {
		if f.Blocking {
			blocking++
			counts[f.Severity]++
		}
	}
	if blocking == 0 {
		return verdict.Plural(len(r.Findings), "finding") + ", none blocking"
	}
	var parts []string
	for _, severity := range slices.Backward(verdict.Severities) {
		if counts[severity] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[severity], severity))
		}
	}
	return fmt.Sprintf("%d blocking of %s (%s)", blocking, verdict.Plural(len(r.Findings), "finding"), strings.Join(parts, ", "))
}
