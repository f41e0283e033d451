package config

import (
	"math"
	"reflect"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

type (
	// Target is where an image is launched.
	Target string
	// Profile is how an image is started on a target.
	Profile string
	// EvidenceKind is one kind of evidence about an image.
	EvidenceKind string
	// Compression is how layers are compressed.
	Compression string
)

// words are the values that texts of a type may have, in the order in which people should read them.
var words = map[reflect.Type][]string{
	reflect.TypeFor[Target]():           {"sandbox", "databricks"},
	reflect.TypeFor[SingleNode]():       {"auto", "is_single_node", "conf"},
	reflect.TypeFor[AccessMode]():       {"dedicated", "none"},
	reflect.TypeFor[Keep]():             {"never"},
	reflect.TypeFor[Profile]():          {"spark", "service", "databricks"},
	reflect.TypeFor[EvidenceKind]():     {"signature", "provenance", "sbom", "vulnerabilities", "check", "launch"},
	reflect.TypeFor[Step]():             {"build", "check", "scan", "upload", "stage", "launch", "promote"},
	reflect.TypeFor[Compression]():      {"gzip", "zstd", "none"},
	reflect.TypeFor[verdict.Severity](): {"unknown", "low", "medium", "high", "critical"},
}

// notation says how texts of a type are written: for the schema, the reference and the decoder.
type notation struct {
	name    string // in the reference: "duration"
	pattern string // in the schema
	example string
	number  bool  // YAML may read what is written as a number
	most    int64 // the largest such number
}

var notations = map[reflect.Type]notation{
	reflect.TypeFor[Duration]():   {"duration", `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+)$`, "10m", true, 0},
	reflect.TypeFor[Size]():       {"size", `^[0-9]+(\.[0-9]+)? ?(([kMGT]|[KMGT]i)?B?)$`, "3Gi", true, math.MaxInt64},
	reflect.TypeFor[Day]():        {"date", `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`, "2027-01-31", false, 0},
	reflect.TypeFor[Epoch]():      {"time", `^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?)$`, "1735689600", true, math.MaxInt64},
	reflect.TypeFor[PullSecret](): {"secret reference", `^(\{\{secrets/[^/]+/[^/]+\}\}|env:[^= \t]+|file:.+)$`, "'{{secrets/acr/password}}'", false, 0},
	reflect.TypeFor[SigningKey](): {"secret reference, or keyless", `^(keyless|env:[^= \t]+|file:.+)$`, "file:hallmark.key", false, 0},
	reflect.TypeFor[secret.Ref](): {"secret reference", `^(env:[^= \t]+|file:.+)$`, "env:NAME", false, 0},
}
