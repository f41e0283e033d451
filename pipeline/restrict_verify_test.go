package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// strangers is a hallmark.yaml that would let anything pass, and asks for a little more as well.
const strangers = `
sign:
  key: file:mine.key
  trust: [{key: mine.pub}, {identity_regexp: .*, issuer_regexp: .*}]
  keyless: {trusted_root: mine.json}
promote: {require: []}
registry: {plain_http: [ghcr.io], root: mine}
launch: []
verify: {max_age: 1h, promoted: true}
`

func TestRestrictVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.Name), []byte(strangers), 0o644); err != nil {
		t.Fatal(err)
	}
	somebody := VerifyOptions{Identities: []sign.Identity{{Name: "octo", Issuer: "https://issuer.example"}}}
	for _, c := range []struct {
		name      string
		env, sets []string
		with      VerifyOptions
		says      string // empty: it goes on
	}{
		{"an identity is given", nil, nil, somebody, ""},
		{"a key is given", nil, nil, VerifyOptions{Keys: []string{"ours.pub"}}, ""},
		{"the environment says who counts", []string{"HALLMARK_SIGN_TRUST=[{key: ours.pub}]"}, nil, VerifyOptions{}, ""},
		{"the environment says who signs", []string{"HALLMARK_SIGN_KEY=env:OURS"}, nil, VerifyOptions{}, ""},
		{"a flag says who vouches", nil, []string{"sign.keyless.trusted_root=ours.json", "promote.require=[signature,check]"}, somebody, ""},
		{"nobody is given", nil, nil, VerifyOptions{}, "nobody to verify with: it comes from a fork"},
		{"who signs here has no name before", []string{"HALLMARK_SIGN_KEY=keyless"}, nil, VerifyOptions{}, "nobody to verify with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sets := append([]string{"verify.max_age=2h"}, c.sets...) // a flag beats the file, as it does anywhere
			cfg, err := config.Load(dir, c.env, sets)
			if err != nil {
				t.Fatal(err)
			}
			own, err := config.LoadWithoutFile(dir, c.env, sets)
			if err != nil {
				t.Fatal(err)
			}
			note, err := RestrictVerify(cfg, own, c.with, "it comes from a fork")
			if c.says != "" {
				if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v, want %q", err, c.says)
				}
				return
			}
			if err != nil || !strings.Contains(note, "from a fork") {
				t.Fatalf("note %q, error %v", note, err)
			}
			for what, pair := range map[string][2]any{
				"sign": {own.Sign, cfg.Sign}, "promote.require": {own.Promote.Require, cfg.Promote.Require}, "registry": {own.Registry, cfg.Registry},
			} {
				if diff := cmp.Diff(pair[0], pair[1], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("the file has a say in %s (-want +got):\n%s", what, diff)
				}
			}
			if !cfg.Verify.Promoted || cfg.Verify.MaxAge.String() != "2h" {
				t.Errorf("what asks for more is gone: %+v", cfg.Verify)
			}
		})
	}
	cfg, own := config.Defaults(), config.Defaults()
	if note, err := RestrictVerify(&cfg, &own, somebody, "it comes from a fork"); note != "" || err != nil {
		t.Errorf("without a file: note %q, error %v", note, err)
	}
}
