package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestRestrict(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, "jars"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(b *config.Build)
		says   string // empty: it may go on
	}{
		{"the checkout itself", func(*config.Build) {}, ""},
		{"folders in it, and what lies elsewhere than on this machine", func(b *config.Build) {
			b.Contexts = map[string]string{"jars": "jars", "base": "docker-image://debian:12", "code": "https://example.com/code.git", "layout": "oci-layout://jars@sha256:1"}
		}, ""},
		{"secrets", func(b *config.Build) { b.Secrets = map[string]secret.Ref{"token": "env:TOKEN"} }, "the secrets token"},
		{"another folder", func(b *config.Build) { b.Contexts = map[string]string{"keys": "/root/.ssh"} }, "build.contexts.keys is /root/.ssh"},
		{"a folder above", func(b *config.Build) { b.Contexts = map[string]string{"up": "../.."} }, "outside of the checkout"},
		{"a layout elsewhere", func(b *config.Build) { b.Contexts = map[string]string{"l": "oci-layout:///var/lib/images"} }, "outside of the checkout"},
		{"a link that leads out", func(b *config.Build) { b.Contexts = map[string]string{"etc": "link"} }, "outside of the checkout"},
		{"another context", func(b *config.Build) { b.Context = "/" }, "build.context is /"},
		{"a Dockerfile elsewhere", func(b *config.Build) { b.Dockerfile = "/etc/passwd" }, "build.dockerfile is /etc/passwd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := &config.Config{Build: config.Build{Context: top, Dockerfile: filepath.Join(top, "Dockerfile"), Cache: config.Cache{To: []string{"type=registry,ref=r.example.com/c"}}}}
			cfg.Registry.Auth = map[string]config.Credential{"evil.example.com": {Username: "x", Password: "env:TOKEN"}}
			c.change(&cfg.Build)
			err := Restrict(cfg, "it comes from a fork", top)
			if len(cfg.Build.Cache.To) > 0 || len(cfg.Registry.Auth) > 0 {
				t.Errorf("left: caches %v, credentials %v", cfg.Build.Cache.To, cfg.Registry.Auth)
			}
			if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "from a fork")) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

// TestRestrictReports: who wrote a pull request's hallmark.yaml says where its reports go, but not to the machine's files.
func TestRestrictReports(t *testing.T) {
	t.Parallel()
	top, away := t.TempDir(), t.TempDir()
	for link, to := range map[string]string{"link": away, "dangling": "nowhere/at/all", "file": filepath.Join(away, "file")} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string]string{
		"out/new/report.html":   "",
		"report.html":           "",
		"../report.html":        "outside of the checkout",
		away + "/report.html":   "outside of the checkout",
		"link/report.html":      "outside of the checkout",
		"link/new/report.html":  "outside of the checkout",
		"dangling":              "following",
		"dangling/report.html":  "following",
		"file":                  "following",
		".git/config":           "Git's own",
		"sub/.GIT/hooks/commit": "Git's own",
	} {
		cfg := &config.Config{Build: config.Build{Context: top, Dockerfile: filepath.Join(top, "Dockerfile")}}
		if !filepath.IsAbs(path) {
			path = filepath.Join(top, path)
		}
		cfg.Reports.GitLabCodeQuality = path
		err := Restrict(cfg, "it comes from a fork", top)
		if says == "" && err != nil || says != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "reports.gitlab_codequality")) {
			t.Errorf("%s: error %v, want %q", path, err, says)
		}
	}
	cfg := &config.Config{Reports: config.Reports{HTML: "/etc/passwd"}}
	if err := Restrict(cfg, "it comes from a fork", ""); err != nil || cfg.Reports.HTML != "" {
		t.Errorf("in a checkout that nobody knows: %v, %q", err, cfg.Reports.HTML)
	}
}
