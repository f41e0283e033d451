package starter_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/ci/starter"
	"github.com/hallmark-ci/hallmark/pipeline/config"
)

// repository writes files, and an origin where there is one.
func repository(t *testing.T, folder, origin string, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), folder)
	if origin != "" {
		files[".git/config"] = "[remote \"origin\"]\n\turl = " + origin + "\n"
	}
	for path, body := range files {
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// written is the survey of a folder, and all that init says and writes of it.
func written(t *testing.T, root string) (starter.Survey, []starter.File, string) {
	t.Helper()
	survey, files := begun(t, root)
	text := strings.Join(survey.Findings, "\n")
	for _, f := range files {
		text += "\n==> " + f.Path + "\n" + f.Body
	}
	return survey, files, text
}

// TestOddNames: whatever folders and repositories are called, the image has a name that registries take and that the
// configuration reads as it was meant.
func TestOddNames(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"a..b", "a.-b", "a___b", "foo.-.bar", "_x_", "123", "1.0", "true", "null", "0x1f", "~", "2026-01-01", "Ünï côde"} {
		for _, origin := range []string{"", "https://github.com/Octo/" + odd + ".git"} {
			survey, files, _ := written(t, repository(t, odd, origin, map[string]string{"Dockerfile": "FROM scratch\n"}))
			path := filepath.Join(t.TempDir(), "hallmark.yaml")
			if err := os.WriteFile(path, []byte(files[0].Body), 0o644); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(path, nil, nil)
			if err != nil || cfg.Image != survey.Name {
				t.Errorf("%s (%s): image %v, %v", odd, origin, cfg, err)
				continue
			}
			for _, image := range []string{"registry.example.com/" + survey.Name, survey.Registry} {
				if !grammatical(image) {
					t.Errorf("%s (%s): no registry takes %s", odd, origin, image)
				}
			}
		}
	}
}

// grammatical says whether every part of a path is as the distribution's specification has it.
func grammatical(image string) bool {
	if _, err := name.NewRepository(image); err != nil {
		return false
	}
	_, path, _ := strings.Cut(image, "/")
	for part := range strings.SplitSeq(path, "/") {
		if strings.Trim(part, "._-") != part || strings.Contains(strings.ReplaceAll(part, "__", "_"), "__") ||
			strings.Contains(part, "..") || strings.Contains(part, ".-") || strings.Contains(part, "-.") || strings.Contains(part, "-_") || strings.Contains(part, "_-") {
			return false
		}
	}
	return true
}

// TestTokensOfTheOrigin: what an address holds to log in with is nowhere in what is written and told.
func TestTokensOfTheOrigin(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"https://octo:s3cr3t@github.com/octo/app.git", "https://s3cr3t@github.com/octo/app", "https://octo:p@s3cr3t@github.com/octo/app.git",
		"https://github.com/octo/app.git?access_token=s3cr3t", "https://github.com/octo/app#s3cr3t", "ssh://git:s3cr3t@github.com/octo/app.git",
	} {
		survey, _, text := written(t, repository(t, "checkout", origin, map[string]string{"Dockerfile": "FROM scratch\n"}))
		if strings.Contains(text, "s3cr3t") {
			t.Errorf("%s: the token is told:\n%s", origin, text)
		}
		if survey.Registry != "ghcr.io/octo/app" {
			t.Errorf("%s: the image goes to %s", origin, survey.Registry)
		}
	}
}

// TestFolderOfARepository: an image in a folder of a repository has a name of its own, and no job where nobody reads it.
func TestFolderOfARepository(t *testing.T) {
	t.Parallel()
	root := repository(t, "mono", "https://github.com/octo/mono.git", map[string]string{
		"services/a/Dockerfile": "FROM scratch\n", "services/b/Dockerfile": "FROM scratch\n",
	})
	seen := map[string]bool{}
	for _, folder := range []string{"services/a", "services/b"} {
		survey, files, text := written(t, filepath.Join(root, folder))
		if len(files) != 1 {
			t.Errorf("%s: a job is written to %s, where GitHub does not look", folder, files[1].Path)
		}
		if !strings.Contains(text, "hallmark run --config "+folder) {
			t.Errorf("%s: how a job is made is not told:\n%s", folder, text)
		}
		if want := "ghcr.io/octo/mono/" + folder; survey.Registry != want {
			t.Errorf("%s goes to %s, want %s", folder, survey.Registry, want)
		}
		if seen[survey.Name] {
			t.Errorf("%s has the name of another image: %s", folder, survey.Name)
		}
		seen[survey.Name] = true
	}
}

// TestGitLabsRegistry: a project in GitLab has a registry of its own, whose name the job takes from GitLab.
func TestGitLabsRegistry(t *testing.T) {
	t.Parallel()
	root := repository(t, "app", "git@gitlab.example.com:octo/app.git", map[string]string{"Dockerfile": "FROM scratch\n"})
	survey, _, text := written(t, root)
	if survey.System != ci.GitLab || strings.Contains(text, "example.com/app") || !strings.Contains(text, "HALLMARK_IMAGE=$CI_REGISTRY_IMAGE.") {
		t.Errorf("on %s, what is written names another registry:\n%s", survey.System, text)
	}
	chosen, err := survey.For("drone")
	if err != nil {
		t.Fatal(err)
	}
	if told := strings.Join(chosen.Findings, "\n"); strings.Contains(told, "CI_REGISTRY_IMAGE") || !strings.Contains(told, "replace registry.example.com/app") {
		t.Errorf("for another system, where the image goes is not told:\n%s", told)
	}
}

// TestOddDockerfiles: marks of an encoding, links, and what cannot be read.
func TestOddDockerfiles(t *testing.T) {
	t.Parallel()
	databricks := "FROM databricksruntime/standard:16.4-LTS\r\n"
	survey, _, _ := written(t, repository(t, "app", "", map[string]string{"Dockerfile": "\ufeff" + databricks}))
	if survey.Kind != starter.Databricks || survey.Runtime != "16.4" {
		t.Errorf("with a byte order mark it is for %s %s", survey.Kind, survey.Runtime)
	}
	if runtime.GOOS == "windows" {
		return // links need a right there
	}
	root := repository(t, "app", "", map[string]string{"docker/Dockerfile.prod": databricks})
	link := func(from, to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	link("Dockerfile", "docker/Dockerfile.prod")
	survey, _, _ = written(t, root)
	if survey.Dockerfile != "Dockerfile" || survey.Kind != starter.Databricks || len(survey.Others) != 0 {
		t.Errorf("a link: %q is built for %s, and there are others: %q", survey.Dockerfile, survey.Kind, survey.Others)
	}
	for _, to := range []string{"Dockerfile", "/etc/hosts", ".."} {
		root = repository(t, "app", "", map[string]string{"README": ""})
		link("Dockerfile", to)
		survey, _, text := written(t, root)
		if survey.Dockerfile != "" || !strings.Contains(text, "Dockerfile is neither a file nor a link to one") {
			t.Errorf("a link to %s: %q is built\n%s", to, survey.Dockerfile, text)
		}
	}
	if os.Getuid() == 0 {
		return // reads everything
	}
	root = repository(t, "app", "", map[string]string{"Dockerfile": databricks})
	if err := os.Chmod(filepath.Join(root, "Dockerfile"), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, text := written(t, root); !strings.Contains(text, "it cannot be read (permission denied)") {
		t.Errorf("nothing tells that the Dockerfile cannot be read:\n%s", text)
	}
}
