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
		change func(c *config.Config)
		says   string // empty: it may go on
	}{
		{"the checkout itself", func(*config.Config) {}, ""},
		{"its own packs, and Hallmark's", func(c *config.Config) { c.Check.Packs = []string{"base", filepath.Join(top, "jars")} }, ""},
		{"a pack elsewhere", func(c *config.Config) { c.Check.Packs = []string{"base", "/root/pack"} }, "check.packs[1] is /root/pack"},
		{"a VEX document elsewhere", func(c *config.Config) { c.Scan.VEX = []string{"/etc/shadow"} }, "scan.vex[0] is /etc/shadow"},
		{"a trusted root elsewhere", func(c *config.Config) { c.Sign.Keyless.TrustedRoot = "/etc/shadow" }, "sign.keyless.trusted_root is /etc/shadow"},
		{"a trusted key elsewhere", func(c *config.Config) {
			c.Sign.Trust = []config.Trust{{Issuer: "x", Identity: "y"}, {Key: "/etc/shadow"}}
		}, "sign.trust[1].key is /etc/shadow"},
		{"a database elsewhere", func(c *config.Config) { c.Scan.Database.File = "/etc/shadow" }, "scan.database.file is /etc/shadow"},
		{"a database's archive elsewhere", func(c *config.Config) { c.Scan.Database.From = "file:/etc/shadow" }, "scan.database.from is /etc/shadow"},
		{"a cache elsewhere", func(c *config.Config) { c.Build.Cache.From = []string{"type=local,src=/var/cache/x"} }, "build.cache.from[0] is /var/cache/x"},
		{"folders in it, and what lies elsewhere than on this machine", func(c *config.Config) {
			c.Build.Contexts = map[string]string{"jars": filepath.Join(top, "jars"), "base": "docker-image://debian:12", "code": "https://example.com/code.git", "layout": "oci-layout://" + filepath.Join(top, "jars") + "@sha256:1"}
		}, ""},
		{"secrets", func(c *config.Config) { c.Build.Secrets = map[string]secret.Ref{"token": "env:TOKEN"} }, "the secrets token"},
		{"another folder", func(c *config.Config) { c.Build.Contexts = map[string]string{"keys": "/root/.ssh"} }, "build.contexts.keys is /root/.ssh"},
		{"a folder above", func(c *config.Config) { c.Build.Contexts = map[string]string{"up": filepath.Dir(top)} }, "outside of the checkout"},
		{"a layout elsewhere", func(c *config.Config) { c.Build.Contexts = map[string]string{"l": "oci-layout:///var/lib/images"} }, "outside of the checkout"},
		{"a link that leads out", func(c *config.Config) { c.Build.Contexts = map[string]string{"etc": filepath.Join(top, "link")} }, "outside of the checkout"},
		{"another context", func(c *config.Config) { c.Build.Context = "/" }, "build.context is /"},
		{"a Dockerfile elsewhere", func(c *config.Config) { c.Build.Dockerfile = "/etc/passwd" }, "build.dockerfile is /etc/passwd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := &config.Config{Build: config.Build{Context: top, Dockerfile: filepath.Join(top, "Dockerfile"), Cache: config.Cache{To: []string{"type=registry,ref=r.example.com/c"}}}}
			cfg.Registry.Auth = map[string]config.Credential{"evil.example.com": {Username: "x", Password: "env:TOKEN"}}
			cfg.Engine.Root, cfg.Registry.Root = "/srv/engine", "/srv/registry"
			c.change(cfg)
			err := Restrict(cfg, "it comes from a fork", top)
			if len(cfg.Build.Cache.To) > 0 || len(cfg.Registry.Auth) > 0 {
				t.Errorf("left: caches %v, credentials %v", cfg.Build.Cache.To, cfg.Registry.Auth)
			}
			if cfg.Engine.Root != "" || cfg.Registry.Root != "" {
				t.Errorf("written to: %q, %q", cfg.Engine.Root, cfg.Registry.Root)
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
	cfg := &config.Config{Reports: config.Reports{HTML: "/etc/passwd", Summary: true}}
	if err := Restrict(cfg, "it comes from a fork", ""); err != nil || cfg.Reports != (config.Reports{Summary: true}) {
		t.Errorf("in a checkout that nobody knows: %v, %+v", err, cfg.Reports)
	}
}
