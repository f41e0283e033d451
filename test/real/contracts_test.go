//go:build real

package real

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// contract is what a CI system without a runner of its own for this machine promises to a job: the variables that it sets,
// and which part of its file it gives to a shell.
type contract struct {
	file    string                                     // below examples/ci
	command func(t *testing.T, text string) string     // the shell's part of the example
	env     func(dir, results, commit string) []string // what the system sets
	files   []string                                   // what the example has the system read afterwards; $RESULTS is a folder of the system's own
	still   bool                                       // whether the example launches nothing
	log     string                                     // how the log looks there
}

// between returns what stands between two marks of a file that is no YAML.
func between(open, end string) func(*testing.T, string) string {
	return func(t *testing.T, text string) string {
		_, rest, found := strings.Cut(text, open)
		inside, _, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("no %s … %s", open, end)
		}
		return inside
	}
}

// under returns what stands in a YAML file under keys, indices of lists, and what with finds in one: a text, or a list of
// texts as the lines of a script.
func under(path ...any) func(*testing.T, string) string {
	return func(t *testing.T, text string) string {
		at := reached(t, text, path)
		if lines, ok := at.([]any); ok {
			script := "set -e\n"
			for _, line := range lines {
				script += fmt.Sprint(line) + "\n"
			}
			return script
		}
		return at.(string)
	}
}

// reached is what stands in a YAML text at the end of a path.
func reached(t *testing.T, text string, path []any) (at any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &at); err != nil {
		t.Fatal(err)
	}
	for _, step := range path {
		switch step := step.(type) {
		case int:
			at = at.([]any)[step]
		case string:
			at = at.(map[string]any)[step]
		case func([]any) any:
			at = step(at.([]any))
		}
	}
	return at
}

// with finds the entry of a list that has the key, at the end of a path of keys, set to a value.
func with(value string, keys ...string) func([]any) any {
	return func(all []any) any {
		for _, entry := range all {
			at := entry
			for _, key := range keys {
				inner, _ := at.(map[string]any)
				at = inner[key]
			}
			if at == value {
				return entry
			}
		}
		return nil
	}
}

// environment reads the variables that the example itself sets; those from secrets come from the test.
func environment(t *testing.T, text string, path ...any) []string {
	t.Helper()
	var all []string
	switch at := reached(t, text, path).(type) {
	case map[string]any:
		for name, value := range at {
			if text, ok := value.(string); ok {
				all = append(all, name+"="+text)
			}
		}
	case []any:
		for _, entry := range at {
			variable := entry.(map[string]any)
			if text, ok := variable["value"].(string); ok {
				all = append(all, fmt.Sprint(variable["name"])+"="+text)
			}
		}
	}
	return all
}

// variables says where each YAML example sets them.
var variables = map[string][]any{
	"circleci/.circleci/config.yml":        {"jobs", "golden-image", "environment"},
	"drone/.drone.yml":                     {"steps", 0, "environment"},
	"woodpecker/.woodpecker/hallmark.yaml": {"steps", 0, "environment"},
	"tekton/.tekton/hallmark.yaml":         {"spec", "steps", 0, "env"},
	"azure-pipelines/azure-pipelines.yml":  {"variables"},
}

var contracts = map[string]contract{
	"azure-pipelines": {
		file: "azure-pipelines/azure-pipelines.yml", command: under("jobs", 0, "steps", with("hallmark", "name"), "bash"),
		env: func(dir, results, commit string) []string {
			return []string{
				"TF_BUILD=True", "BUILD_SOURCEVERSION=" + commit, "BUILD_REPOSITORY_URI=https://git.example.com/team/tiny", "BUILD_SOURCESDIRECTORY=" + dir,
				"SYSTEM_COLLECTIONURI=https://dev.azure.com/org/", "SYSTEM_TEAMPROJECT=p", "SYSTEM_DEFINITIONID=4", "BUILD_BUILDID=31",
				"AGENT_TEMPDIRECTORY=" + results, "COMMON_TESTRESULTSDIRECTORY=" + results, "BUILD_ARTIFACTSTAGINGDIRECTORY=" + results,
				"HALLMARK_IMAGE=" + os.Getenv("TESTS_IMAGE"),
			}
		},
		files: []string{"$RESULTS/hallmark.xml", "$RESULTS/hallmark.sarif", "$RESULTS/hallmark.html"},
		log:   `##vso\[task\.setvariable isOutput=true;variable=digest;\]sha256:[0-9a-f]{64}`,
	},
	"bitbucket": {
		file: "bitbucket/bitbucket-pipelines.yml", command: func(t *testing.T, text string) string {
			// The step's own Docker is what Bitbucket gives; here the embedded engine takes its place.
			return strings.ReplaceAll(under("pipelines", "branches", "main", 0, "step", "script")(t, text), "HALLMARK_ENGINE_USE=docker", "HALLMARK_ENGINE_USE=embedded")
		},
		env: func(dir, _, commit string) []string {
			return []string{"CI=true", "BITBUCKET_BUILD_NUMBER=3", "BITBUCKET_COMMIT=" + commit, "BITBUCKET_GIT_HTTP_ORIGIN=https://bitbucket.org/team/tiny", "BITBUCKET_CLONE_DIR=" + dir, "BITBUCKET_BRANCH=main"}
		},
		still: true,
		files: []string{"test-results/hallmark.xml", "hallmark/hallmark.sarif", "hallmark/report.html"},
	},
	"circleci": {
		file: "circleci/.circleci/config.yml", command: func(t *testing.T, text string) string {
			run := under("jobs", "golden-image", "steps", with("Golden image", "run", "name"), "run", "command")(t, text)
			return strings.ReplaceAll(run, "/tmp/hallmark", "hallmark") // the step before has fetched it there
		},
		env: func(dir, _, commit string) []string {
			return []string{"CI=true", "CIRCLECI=true", "CIRCLE_SHA1=" + commit, "CIRCLE_REPOSITORY_URL=https://git.example.com/team/tiny", "CIRCLE_BUILD_URL=https://circleci.com/gh/team/tiny/1", "CIRCLE_BRANCH=main", "CIRCLE_WORKING_DIRECTORY=" + dir}
		},
		files: []string{"hallmark/junit.xml", "hallmark/hallmark.sarif", "hallmark/report.html"},
	},
	"drone": {
		file: "drone/.drone.yml", command: under("steps", 0, "commands"),
		env: func(dir, _, commit string) []string {
			return []string{"CI=true", "DRONE=true", "DRONE_COMMIT_SHA=" + commit, "DRONE_REPO_LINK=https://git.example.com/team/tiny", "DRONE_BUILD_EVENT=push", "DRONE_WORKSPACE=" + dir, "DRONE_BUILD_LINK=https://drone.example.com/team/tiny/1"}
		},
		files: []string{"hallmark/junit.xml", "hallmark/report.html"},
	},
	"jenkins": {
		file: "jenkins/Jenkinsfile", command: between("sh '''", "'''"),
		env: func(dir, _, commit string) []string {
			return []string{
				"JENKINS_URL=https://ci.example.com/", "BUILD_URL=https://ci.example.com/job/tiny/1/", "JOB_URL=https://ci.example.com/job/tiny/", "GIT_COMMIT=" + commit, "GIT_URL=https://git.example.com/team/tiny", "WORKSPACE=" + dir,
				"HALLMARK_IMAGE=" + os.Getenv("TESTS_IMAGE"),
			}
		},
		files: []string{"hallmark/junit.xml", "hallmark/hallmark.sarif", "hallmark/report.html"},
	},
	"teamcity": {
		file: "teamcity/.teamcity/settings.kts", command: between(`scriptContent = """`, `"""`),
		env: func(dir, results, commit string) []string {
			properties := filepath.Join(results, "build.properties")
			_ = os.WriteFile(properties, []byte("vcsroot.url=https\\://git.example.com/team/tiny\nteamcity.build.checkoutDir="+dir+"\n"), 0o600)
			return []string{"TEAMCITY_VERSION=2026.1", "TEAMCITY_BUILD_PROPERTIES_FILE=" + properties, "BUILD_NUMBER=1", "BUILD_VCS_NUMBER=" + commit, "HALLMARK_IMAGE=" + os.Getenv("TESTS_IMAGE")}
		},
		files: []string{"hallmark/junit.xml", "hallmark/hallmark.sarif", "hallmark/report.html"},
		log:   `##teamcity\[setParameter name='hallmark\.digest' value='sha256:`,
	},
	"tekton": {
		file: "tekton/.tekton/hallmark.yaml", command: under("spec", "steps", 0, "script"),
		env:   func(string, string, string) []string { return nil }, // Tekton tells its steps nothing: the task does
		files: []string{"hallmark/junit.xml", "$RESULTS/digest", "$RESULTS/verdict"},
	},
	"woodpecker": {
		file: "woodpecker/.woodpecker/hallmark.yaml", command: under("steps", 0, "commands"),
		env: func(dir, _, commit string) []string {
			return []string{"CI=woodpecker", "CI_COMMIT_SHA=" + commit, "CI_REPO_URL=https://git.example.com/team/tiny", "CI_PIPELINE_EVENT=push", "CI_WORKSPACE=" + dir, "CI_SYSTEM_URL=https://ci.example.com", "CI_REPO_ID=4"}
		},
		files: []string{"hallmark/junit.xml", "hallmark/report.html"},
	},
}

// Each example that has no runner here, by its contract: the shell's part of the file itself, in a checkout, with the
// variables that its system documents and the registry that is meant; afterwards the files are there that the example has
// the system read, and the image is golden, from the commit that the system named.
func TestExamplesByContract(t *testing.T) {
	for name, c := range contracts {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			host := privateRegistry(t, "ci", registryPassword)
			image := host + "/team/" + name
			t.Setenv("TESTS_IMAGE", image)
			dir, results := checkout(t, tiny{stamp: name}, c.file, "job"), t.TempDir()
			commit(t, dir)
			head, err := exec.CommandContext(t.Context(), "git", "-C", dir, "rev-parse", "HEAD").Output()
			if err != nil {
				t.Fatal(err)
			}
			at := strings.TrimSpace(string(head))
			body, err := os.ReadFile(filepath.Join(top, "examples", "ci", c.file))
			if err != nil {
				t.Fatal(err)
			}
			// As the file says: put the registry in that is meant. What Tekton itself puts in comes with it.
			text := strings.NewReplacer("registry.example.com/platform/spark", image, "registry.example.com", host,
				"$(params.image)", image, "$(params.host)", host, "$(params.repository)", "https://git.example.com/team/tiny", "$(params.revision)", at,
				"$(context.taskRun.namespace)", "ci", "$(context.taskRun.name)", "run-1", "$(context.task.name)", "golden-image",
				"$(results.digest.path)", results+"/digest", "$(results.verdict.path)", results+"/verdict").Replace(string(body))

			programs := withPrograms(t, nil)
			if err := os.Symlink(program, filepath.Join(results, "hallmark")); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), longest)
			defer cancel()
			job := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", `mount --bind "$1" /usr/local/bin && shift && exec "$@"`, "sh", programs, "bash", "-c", c.command(t, text))
			job.Dir = dir
			job.Env = append(ofNoSystem(h.settings()...), "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME="+t.TempDir())
			job.Env = append(job.Env, c.env(dir, results, at)...)
			if path, known := variables[c.file]; known {
				job.Env = append(job.Env, environment(t, text, path...)...)
			}
			job.Env = append(job.Env, "HALLMARK_REGISTRY_HOST="+host, "HALLMARK_REGISTRY_USERNAME=ci", "HALLMARK_REGISTRY_PASSWORD="+registryPassword)
			out, err := job.CombinedOutput()
			log := string(out)
			if err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			wantAll(t, log, `PASS +[0-9a-f]{12} is golden`, c.log)
			if strings.Contains(log, registryPassword) || strings.Contains(log, password) {
				t.Error("a password is in the log")
			}
			for _, file := range c.files {
				file = strings.ReplaceAll(file, "$RESULTS", results)
				if !filepath.IsAbs(file) {
					file = filepath.Join(dir, file)
				}
				if info, err := os.Stat(file); err != nil || info.Size() == 0 {
					t.Errorf("the system finds no %s: %v", file, err)
				}
			}
			h.env = []string{"HALLMARK_REGISTRY_HOST=" + host, "HALLMARK_REGISTRY_USERNAME=ci", "HALLMARK_REGISTRY_PASSWORD=" + registryPassword}
			demands := []string{"--promoted"}
			if c.still {
				demands = append(demands, "--set", "promote.require=[signature,provenance,sbom,vulnerabilities,check]")
			}
			v := verify(t, h, image+":golden", 0, demands...)
			built := ""
			for _, e := range v.Evidence {
				if e.Kind == "provenance" {
					built = e.Summary
				}
			}
			if !regexp.MustCompile(`at commit ` + at[:12]).MatchString(built) {
				t.Errorf("the provenance says %q, and the commit is %s", built, at)
			}
			if t.Failed() {
				t.Log(log)
			}
		})
	}
}
