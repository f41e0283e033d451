package launch

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
)

// Stage is a step of the profile databricks.
type Stage string

// The stages, in their order.
const (
	StagePulled  Stage = "pulled"  // the image is here, and the container made
	StageScripts Stage = "scripts" // the init scripts are about to run
	StageDriver  Stage = "driver"  // the driver is about to start
)

// Talker is a cluster in which programs are kept and talked to. The sandbox's are.
type Talker interface {
	Cluster
	// Talk starts a program; output gets what it writes, to either stream, as it comes.
	Talk(ctx context.Context, name string, args []string, output io.Writer) (Talk, error)
	// Put writes a file.
	Put(ctx context.Context, path string, body []byte) error
	// Lookup finds a variable of what runs in the cluster.
	Lookup(name string) (string, bool)
	// Survey is what the image offers.
	Survey() Survey
	// Gone is closed when the cluster is lost, or taken down; Why then says what became of it.
	Gone() <-chan struct{}
	Why() error
}

// Talk is a program that goes on and is talked to.
type Talk interface {
	io.Writer // its standard input
	Interrupt(ctx context.Context) error
	End(ctx context.Context) error
	Ended() <-chan struct{}
}

// Properties writes a configuration of Spark as its file has it.
func Properties(conf map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	key := strings.NewReplacer(`\`, `\\`, " ", `\ `, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`, "\n", "")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(conf)) {
		b.WriteString(key.Replace(name) + " " + escape.Replace(conf[name]) + "\n")
	}
	return b.String()
}
