package starter

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func (s Survey) exists(rel string) bool {
	_, err := os.Lstat(filepath.Join(s.Root, filepath.FromSlash(rel)))
	return err == nil
}

// configuration is a commented hallmark.yaml. It runs on any machine as it stands: the image goes to the embedded
// registry, and the CI job sends it elsewhere.
func configuration(s Survey) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by hallmark init. All fields: docs/configuration.md, or hallmark schema. hallmark run does all of this.")
	for _, found := range s.Findings {
		line("#   %s", comment(found))
	}
	line("")
	line("# Without a registry's name the image goes to the registry inside Hallmark, which is enough to try all of this.")
	line("# The CI job sets HALLMARK_IMAGE=%s.", s.jobImage())
	line("image: %s", quoted(s.Name))
	line("")
	line("build:")
	if s.folder() == "." {
		line("  # The folder that COPY reads from, and the Dockerfile in it.")
		line("  context: .")
	} else {
		line("  # The folder that COPY reads from; the Dockerfile is relative to it. Where the Dockerfile copies from the root")
		line("  # of the repository, write context: . and dockerfile: %s.", quoted(s.Dockerfile))
		line("  context: %s", quoted(s.folder()))
	}
	line("  dockerfile: %s", quoted(path.Base(cmp.Or(s.Dockerfile, "Dockerfile"))))
	line("")
	s.gates(line)
	line("")
	line("# Without a key the run signs with one that lives as long as it does. For one that counts: hallmark key new, then")
	line("# sign: {key: file:hallmark.key, password: env:HALLMARK_KEY_PASSWORD}")
	line("")
	s.launches(line)
	line("")
	line("promote:")
	line("  # The tags that consumers pull. They move once everything above has passed.")
	line("  tags: [golden]")
	return b.String()
}

func (s Survey) gates(line func(string, ...any)) {
	line("check:")
	line("  # Packs of rules: hallmark check --help, docs/policies.md.")
	switch s.Kind {
	case Databricks:
		if s.GPU {
			line("  packs: [base, databricks, databricks-gpu]")
		} else {
			line("  packs: [base, databricks]")
		}
		if s.Runtime != "" {
			line("  # The Databricks runtime that the image is for.")
			line("  params: {databricks: {runtime: %q}}", s.Runtime)
		} else {
			line("  # The Databricks runtime that the image is for:")
			line("  # params: {databricks: {runtime: \"16.4\"}}")
		}
	case Spark:
		line("  packs: [base, spark]")
	default:
		line("  packs: [base]")
	}
	line("  # An exception has a reason, an owner and a last day:")
	line("  # waivers:")
	line("  #   - {rule: base.user, reason: why it need not hold, owner: who answers for it, until: 2027-01-31}")
	line("")
	line("scan:")
	line("  # What fails: vulnerabilities of this severity and above for which there is a fix, and secrets in any layer.")
	line("  fail_on: high")
	line("  fixable_only: true")
	line("  secrets: true")
}

func (s Survey) launches(line func(string, ...any)) {
	line("# The image is pulled back by digest, started and asked something before it may become golden.")
	switch s.Kind {
	case Databricks:
		line("# A launch with the profile databricks copies a Spark distribution into the container: name its folder, and take")
		line("# this for the empty list.")
		line("#   - target: sandbox")
		line("#     profile: databricks")
		line("#     runtime: /opt/spark")
		line("#     probes: [{sql: SELECT 1}, {python: print(spark.range(100).count())}]")
		line("# A launch in a workspace starts a single-node cluster there, and deletes it for good; who logs in stands in Databricks' own")
		line("# variables (DATABRICKS_HOST, ...): docs/golden-images-databricks.md.")
		line("#   - target: databricks")
		node, probe := "smallest", ""
		if s.GPU {
			node, probe = "gpu", "{gpu: {}}, "
		}
		line("#     databricks: {runtime: %q, node_type: %s}", cmp.Or(s.Runtime, "16.4"), node)
		line("#     probes: [%s{sql: SELECT 1}, {scala: println(spark.range(100).count())}]", probe)
		line("launch: []")
	case Spark:
		line("launch:")
		line("  - target: sandbox")
		line("    profile: spark")
		line("    limits: {memory: 3Gi, cpus: 2, pids: 1024}")
		line("    probes:")
		line("      - spark-pi: 20")
		line("      - run: [bin/spark-submit, --version]")
	default:
		line("launch:")
		line("  - target: sandbox")
		line("    profile: service")
		line("    limits: {memory: 1Gi, cpus: 1, pids: 256}")
		if len(s.Ports) == 0 {
			line("    # Without probes, what the image starts must go on for five seconds. Ask it something:")
			line("    # probes: [{http: {port: 8080, path: /health}}]")
			break
		}
		line("    probes:")
		line("      # The Dockerfile exposes this port; path, status and expect say what a good answer is.")
		line("      - http: {port: %s, path: /}", s.Ports[0])
	}
}

// quoted is a path or a name as YAML takes it for a text.
func quoted(text string) string {
	if text != "null" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" && !strings.HasPrefix(text, "-") {
		return text
	}
	return fmt.Sprintf("%q", text)
}

// comment is a text that stays within its comment.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, text)
}
