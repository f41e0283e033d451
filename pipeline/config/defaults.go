package config

import (
	"reflect"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Defaults is the configuration of someone who wrote nothing. Values that depend on what else was written are in
// derive; those of list elements and of optional parts are in partDefaults.
func Defaults() Config {
	return Config{
		Build: Build{
			Context:     ".",
			Dockerfile:  "Dockerfile",
			Platforms:   []string{"linux/amd64"},
			Compression: "gzip",
		},
		Check: Check{
			Packs:  []string{"base"},
			FailOn: verdict.High,
		},
		Scan: Scan{
			FailOn:      verdict.High,
			FixableOnly: true,
			Secrets:     true,
			Database: Database{
				From:   "ghcr.io/aquasecurity/trivy-db:2",
				MaxAge: Duration(48 * time.Hour),
			},
		},
		Sign:   Sign{Keyless: Keyless{Audience: "sigstore", RekorVersion: 1}},
		Launch: []Launch{defaultLaunch()},
		Promote: Promote{
			Tags:   []string{"golden"},
			MaxAge: Duration(7 * 24 * time.Hour),
		},
		Reports: Reports{Annotations: true, Summary: true},
		Engine:  Engine{Use: "auto", Wait: Duration(30 * time.Minute)},
	}
}

func defaultLaunch() Launch {
	return Launch{
		Target:  "sandbox",
		Profile: "service",
		Timeout: Duration(10 * time.Minute),
		Limits:  Limits{Memory: 2 << 30, CPUs: 2, PIDs: 1024},
	}
}

// partDefaults are the values that a list element or an optional part has before its own fields are read.
var partDefaults = map[reflect.Type]any{
	reflect.TypeFor[Launch]():  defaultLaunch(),
	reflect.TypeFor[SparkPi](): SparkPi{Timeout: Duration(5 * time.Minute)},
	reflect.TypeFor[Run]():     Run{Timeout: Duration(2 * time.Minute)},
	reflect.TypeFor[Python]():  Python{Timeout: Duration(2 * time.Minute)},
	reflect.TypeFor[SQL]():     SQL{Timeout: Duration(3 * time.Minute)},
	reflect.TypeFor[Scala]():   Scala{Timeout: Duration(3 * time.Minute)},
	reflect.TypeFor[Pip]():     Pip{Timeout: Duration(5 * time.Minute)},
	reflect.TypeFor[R]():       R{Timeout: Duration(3 * time.Minute)},
	reflect.TypeFor[Fuse]():    Fuse{Path: "/Workspace", Timeout: Duration(2 * time.Minute)},
	reflect.TypeFor[GPU]():     GPU{Timeout: Duration(3 * time.Minute)},
	reflect.TypeFor[Databricks](): Databricks{
		NodeType: "smallest", SingleNode: "auto", AccessMode: "dedicated", Autotermination: Duration(30 * time.Minute), Retries: 2, Keep: "never",
	},
	reflect.TypeFor[HTTP](): HTTP{Path: "/", Status: 200, Timeout: Duration(time.Minute)},
}

// derive fills in the values that depend on others. given says whether a field was written anywhere.
func (c *Config) derive(given func(path string) bool) {
	if c.Image == "" {
		c.Image = imageName(c.Dir)
	}
	c.deriveWorkspace(given)
	if !given("promote.require") {
		c.Promote.Require = []EvidenceKind{"signature", "provenance", "sbom", "vulnerabilities", "check"}
		if len(c.Launch) > 0 {
			c.Promote.Require = append(c.Promote.Require, "launch")
		}
	}
	// A file stands instead of the default database; against one that was written it is a contradiction.
	if given("scan.database.file") && !given("scan.database.from") {
		c.Scan.Database.From = ""
	}
}
