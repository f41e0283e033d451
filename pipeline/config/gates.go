package config

import "github.com/hallmark-ci/hallmark/pipeline/verdict"

// Check says which minimum requirements apply.
type Check struct {
	Packs   []string                  `yaml:"packs" format:"pack" doc:"Packs of rules: base, spark, databricks, databricks-gpu, or a folder of one's own (./policies/house)."`
	Params  map[string]map[string]any `yaml:"params" doc:"Parameters of packs, by the pack's name; docs/policies.md lists them. Texts that look like numbers stand in quotes. The packs for Databricks take runtime and driver_nfs from the launch in a workspace, where they are not given." example:"{databricks: {runtime: \"16.4\"}}"`
	Waivers []Waiver                  `yaml:"waivers" doc:"Exceptions from rules, each with a reason, an owner and a last day. An expired one fails."`
	FailOn  verdict.Severity          `yaml:"fail_on" doc:"The least severity of a rule that fails the gate; findings below it are told only."`
}

// Waiver is an exception from one rule.
type Waiver struct {
	Rule   string `yaml:"rule" required:"true" doc:"Id of the rule." example:"spark.uid"`
	Reason string `yaml:"reason" required:"true" doc:"Why the rule need not hold." example:"the image runs as the platform's own user"`
	Owner  string `yaml:"owner" required:"true" doc:"Who answers for it." example:"platform-team"`
	Until  Day    `yaml:"until" required:"true" doc:"Last day on which the waiver holds."`
}

// Verdict is the waiver in the words of the gates.
func (w Waiver) Verdict() verdict.Waiver {
	return verdict.Waiver{Rule: w.Rule, Reason: w.Reason, Owner: w.Owner, Until: string(w.Until)}
}

// VerdictWaivers are the waivers in the words of the gates.
func (c Check) VerdictWaivers() []verdict.Waiver {
	var waivers []verdict.Waiver
	for _, w := range c.Waivers {
		waivers = append(waivers, w.Verdict())
	}
	return waivers
}

// Scan says how much may be known against the image.
type Scan struct {
	FailOn      verdict.Severity `yaml:"fail_on" doc:"The least severity of a vulnerability that fails the gate."`
	FixableOnly bool             `yaml:"fixable_only" doc:"Fail only on vulnerabilities for which a fixed version exists; the others are told only."`
	Secrets     bool             `yaml:"secrets" doc:"Look for secrets in every layer, also in those below the base image's last one. A secret that is found fails the gate."`
	Ignore      []Ignore         `yaml:"ignore" doc:"Vulnerabilities that do not count, each with a reason, an owner and a last day. An expired one fails."`
	VEX         []string         `yaml:"vex" format:"path" doc:"OpenVEX documents that say which vulnerabilities do not affect the image." example:"[security/spark.openvex.json]"`
	Database    Database         `yaml:"database" doc:"The vulnerability database."`
}

// Ignore is one vulnerability that does not count.
type Ignore struct {
	ID      string `yaml:"id" required:"true" doc:"Id of the vulnerability, or of the secret rule." example:"CVE-2024-1234"`
	Reason  string `yaml:"reason" required:"true" doc:"Why it does not count." example:"the vulnerable class is not on the class path"`
	Owner   string `yaml:"owner" required:"true" doc:"Who answers for it." example:"platform-team"`
	Until   Day    `yaml:"until" required:"true" doc:"Last day on which it is ignored."`
	Package string `yaml:"package" doc:"Name of the only package in which it is ignored; empty: in all." example:"org.example:parser"`
}

// Database says where the vulnerability database comes from.
type Database struct {
	From   string   `yaml:"from" doc:"Reference of the database in a registry, pulled by digest and kept. The word demo stands for a few advisories that Hallmark carries to show what a scan looks like: a pass with it says nothing."`
	File   string   `yaml:"file" format:"path" doc:"A database on this machine instead, for work without a network: the folder that holds trivy.db and metadata.json, or their archive (db.tar.gz)." example:"./db.tar.gz"`
	MaxAge Duration `yaml:"max_age" doc:"How old the database may be before the scan counts as inconclusive; 0 means any age."`
}
