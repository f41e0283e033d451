package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// finish completes the report of a run that ended with err, and writes it beside the run's logs.
func (r *run) finish(err error) (*report.Report, error) {
	r.book.mu.Lock()
	rep := r.book.report
	r.book.mu.Unlock()

	rep.Version, rep.RunID, rep.Hallmark, rep.Image = report.Version, r.id, r.version, r.cfg.Image
	rep.Started, rep.Elapsed = r.started, time.Since(r.started)
	rep.Verdict, rep.ExitCode = verdict.OfError(err), verdict.ExitCodeOf(err)
	if rep.Golden == nil && rep.Subject.Repository != "" {
		for _, tag := range r.cfg.Promote.Tags {
			rep.Golden = append(rep.Golden, report.Golden{Ref: rep.Subject.Tagged(tag), Move: report.Untouched})
		}
	}
	r.conclude(&rep, err)
	if unwritten := r.write(&rep); unwritten != nil {
		rep.Path = ""
		rep.Notes = append(rep.Notes, unwritten.Error()) // the verdict is not another one for that
	}
	return &rep, err
}

// conclude says in one sentence how the run ended, and in one what to do now.
func (r *run) conclude(rep *report.Report, err error) {
	known := (*verdict.Error)(nil)
	errors.As(err, &known)
	switch {
	case err == nil:
		rep.Headline, rep.Next = r.passed(rep)
	case errors.Is(err, context.Canceled):
		rep.Headline = "Interrupted; everything that was launched has been taken down"
		rep.Next = "Run again: what is signed already is not repeated"
	case known != nil:
		rep.Headline, rep.Next = strings.TrimSpace(known.Doing+" "+known.Object), known.Remedy
		if known.Cause != nil {
			cause, _, _ := strings.Cut(known.Cause.Error(), "\n") // what stands below it, the step shows
			rep.Headline += ": " + cause
		}
	default:
		rep.Headline = verdict.Plain(err) // the exit code says it
	}
	if rep.Verdict == verdict.Inconclusive && rep.ExitCode == verdict.ExitInconclusive && rep.Next == "" {
		rep.Next = "Run again: what is signed already is not repeated"
	}
	if len(rep.Evidence) > 0 {
		rep.VerifyCommand = r.verifyCommand(rep)
	}
}

func (r *run) passed(rep *report.Report) (headline, next string) {
	if !r.signs() {
		return rep.Subject.Short() + " passes; it was neither signed nor pushed: " + r.book.skips[stepStage], ""
	}
	for _, golden := range rep.Golden {
		switch golden.Move {
		case report.Moved:
			return fmt.Sprintf("%s is golden: %s", rep.Subject.Short(), golden.Ref), ""
		case report.Already:
			return fmt.Sprintf("%s was golden before: %s", rep.Subject.Short(), golden.Ref), ""
		}
	}
	return rep.Subject.Short() + " passed every gate", "Promote it with: hallmark promote " + rep.Subject.String()
}

// verifyCommand is what to type to check what this run left in the registry.
func (r *run) verifyCommand(rep *report.Report) string {
	ref := cmp.Or(rep.StagingTag, rep.Subject.String())
	if rep.Verdict == verdict.Pass && len(rep.Golden) > 0 {
		ref = rep.Golden[0].Ref
	}
	command := "hallmark verify " + r.trustFlags() + " " + ref
	if demands := listed(r.cfg.Promote.Require); demands != usualDemands {
		command += " --set " + quoted("promote.require=["+demands+"]") // elsewhere, without hallmark.yaml, all of it is asked for
	}
	return command
}

// trustFlags are the flags with which anybody verifies what the run has signed.
func (r *run) trustFlags() string {
	if !r.cfg.Sign.Key.Keyless() {
		return "--key " + quoted(r.publicKey(r.home))
	}
	signer, err := r.key.get()
	if err != nil {
		return "" // then nothing was signed
	}
	who, _ := signer.Identity()
	flags := "--identity " + quoted(who.Name) + " --issuer " + quoted(who.Issuer)
	switch k := r.cfg.Sign.Keyless; {
	case k.TrustedRoot != "":
		flags += " --trusted-root " + quoted(k.TrustedRoot)
	case k.TUF != "":
		flags += " --set sign.keyless.tuf=" + quoted(k.TUF) + " --set sign.keyless.tuf_root=" + quoted(k.TUFRoot)
	}
	return flags
}

// quoted is text as one word of a shell.
func quoted(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// usualDemands is what a verification asks for when no configuration says otherwise.
const usualDemands = "signature,provenance,sbom,vulnerabilities,check,launch"

func listed(kinds []config.EvidenceKind) string {
	words := make([]string, len(kinds))
	for i, kind := range kinds {
		words[i] = string(kind)
	}
	return strings.Join(words, ",")
}

// write leaves the report in the run's folder as HTML, Markdown and JSON.
func (r *run) write(rep *report.Report) error {
	folder := r.home.run(r.id)
	if len(rep.Evidence) > 0 && !r.cfg.Sign.Key.Keyless() {
		// Whoever verifies needs the public key; without a key file this is the only place where it is.
		public, err := r.key.public()
		if err == nil {
			err = os.WriteFile(r.publicKey(r.home), public, 0o644)
		}
		if err != nil {
			return fmt.Errorf("writing the public key: %w", err)
		}
	}
	rep.Path = filepath.Join(folder, "report.html")
	var all errgroup.Group
	for name, render := range map[string]func(*bytes.Buffer) error{
		"report.html":  func(b *bytes.Buffer) error { return report.HTML(b, *rep) },
		"summary.md":   func(b *bytes.Buffer) error { return report.Markdown(b, *rep) },
		"report.json":  func(b *bytes.Buffer) error { return report.JSON(b, *rep) },
		"report.sarif": func(b *bytes.Buffer) error { return report.SARIF(b, *rep, "") },
	} {
		all.Go(func() error {
			var text bytes.Buffer
			if err := render(&text); err != nil {
				return fmt.Errorf("drawing %s: %w", name, err)
			}
			if err := os.WriteFile(filepath.Join(folder, name), []byte(secret.Redact(text.String())), 0o644); err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
			return nil
		})
	}
	return all.Wait()
}
