package build

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
)

// early finishes the image's lower layers while later steps still run. Steps mostly wait, for a network or for each
// other, and leave a processor free that dating, compressing and reading layers would want at the end.
//
// It asks the engine for the same image once more, cut off after the last step that is done. The engine runs nothing
// twice for that. Whatever goes wrong here costs nothing but the advance: the build's own export is complete by itself.
type early struct {
	engine  *engine.Engine
	a       *assembly
	watched *watcher
	over    chan struct{} // closed when the build has ended
	done    sync.WaitGroup
}

const (
	// earlyAfter is how long a build runs before layers are finished early; a short one gains nothing.
	earlyAfter = time.Second
	// earlyEvery is how often it is looked which steps are done.
	earlyEvery = 200 * time.Millisecond
)

// earlyProcessors is how many processors it takes. On two, steps that are busy themselves (apt, a compiler) lose as much
// as the end gains: measured in bench/.
var earlyProcessors = 3

// follow begins, and goes on until ctx or the build ends. The assembly knows the bases by then: layers are dated by them.
func (e *early) follow(ctx context.Context, graphs []*chain) {
	if runtime.GOMAXPROCS(0) < earlyProcessors {
		return
	}
	if len(graphs) == 1 && len(graphs[0].chain) > 1 { // not for several platforms
		e.done.Go(func() { e.run(ctx, graphs[0]) })
	}
}

// stop begins nothing more, and waits for what has begun: it is needed all the same.
func (e *early) stop() {
	close(e.over)
	e.done.Wait()
}

// pause says whether to go on after it.
func (e *early) pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-e.over:
		return false
	case <-time.After(length):
		return true
	}
}

func (e *early) run(ctx context.Context, steps *chain) {
	finished := -1
	for length := earlyAfter; e.pause(ctx, length); length = earlyEvery {
		at := finished
		for at+1 < len(steps.chain)-1 && e.watched.isDone(steps.chain[at+1].op) { // the last one is the image itself
			at++
		}
		if at == finished {
			continue
		}
		if err := e.export(ctx, steps, at); err != nil || at == len(steps.chain)-2 {
			return
		}
		finished = at
	}
}

// export finishes the layers up to the given step.
func (e *early) export(ctx context.Context, steps *chain, at int) error {
	store, err := newExport(e.a.layout, fmt.Sprint(scratch, "-", at), e.a.have, e.engine.LinkBlob)
	if err != nil {
		return err
	}
	defer store.close()
	definition := steps.upTo(steps.chain[at])
	opt := client.SolveOpt{Exports: []client.ExportEntry{rawLayers(store)}, Internal: true}
	response, err := e.engine.Client().Build(ctx, opt, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return c.Solve(ctx, gateway.SolveRequest{Definition: definition})
	}, nil)
	if err != nil {
		return err
	}
	root, err := descriptorOf(response)
	if err != nil {
		return err
	}
	var manifest ocispecs.Manifest
	if _, err := e.a.read(store, root.Digest, &manifest); err != nil {
		return err
	}
	var config ocispecs.Image
	if _, err := e.a.read(store, manifest.Config.Digest, &config); err != nil {
		return err
	}
	base := e.a.baseOf(root.Platform)
	return e.a.layers(ctx, store, &manifest, &config, base, layerEpoch(e.a.explicit, base.Created))
}

// rawLayers has the engine export into store. Raw: layers are dated first and compressed once, here.
func rawLayers(store *export) client.ExportEntry {
	return client.ExportEntry{
		Type:        client.ExporterOCI,
		Attrs:       map[string]string{"tar": "false", "compression": "uncompressed", "oci-mediatypes": "true"},
		OutputStore: store,
	}
}

// descriptorOf is what the engine says it has exported.
func descriptorOf(response *client.SolveResponse) (root ocispecs.Descriptor, err error) {
	text, err := base64.StdEncoding.DecodeString(response.ExporterResponse[exptypes.ExporterImageDescriptorKey])
	if err == nil {
		err = json.Unmarshal(text, &root)
	}
	if err != nil {
		return root, fmt.Errorf("the engine's answer names no image: %w", err)
	}
	return root, nil
}

// graphsOf are the graphs of what the frontend returned, one for each platform; none where the engine does not tell.
func graphsOf(ctx context.Context, result *gateway.Result) (all []*chain) {
	err := result.EachRef(func(ref gateway.Reference) error {
		state, err := ref.ToState()
		if err != nil {
			return err
		}
		definition, err := state.Marshal(ctx)
		if err != nil {
			return err
		}
		graph, err := parseChain(definition.ToPB())
		all = append(all, graph)
		return err
	})
	if err != nil {
		return nil
	}
	return all
}

// chain is a build graph with the steps by which the image grows, from its base upwards.
type chain struct {
	definition *pb.Definition
	ops        map[digest.Digest]*pb.Op
	chain      []output
}

// output is one result of one operation.
type output struct {
	op    digest.Digest
	index int64
}

// parseChain finds the image's own steps in a build graph.
func parseChain(definition *pb.Definition) (*chain, error) {
	c := &chain{definition: definition, ops: map[digest.Digest]*pb.Op{}}
	var last *pb.Op
	for _, text := range definition.Def {
		last = &pb.Op{}
		if err := last.UnmarshalVT(text); err != nil {
			return nil, fmt.Errorf("reading the build graph: %w", err)
		}
		c.ops[digest.FromBytes(text)] = last
	}
	if last == nil || len(last.Inputs) == 0 {
		return c, nil
	}
	// The last entry only names the image. A graph has no circles: each op is named by what it contains.
	for at := outputOf(last.Inputs[0]); ; {
		below, grows := c.below(at)
		if !grows {
			return c, nil
		}
		c.chain = append([]output{at}, c.chain...)
		if below == nil {
			return c, nil
		}
		at = outputOf(below)
	}
}

func outputOf(input *pb.Input) output { return output{digest.Digest(input.Digest), input.Index} }

// below is what the step stands on; grows says whether it is one that adds a layer.
func (c *chain) below(at output) (input *pb.Input, grows bool) {
	op := c.ops[at.op]
	if op == nil {
		return nil, false
	}
	index := int64(-1)
	switch {
	case op.GetExec() != nil:
		for _, mount := range op.GetExec().Mounts {
			if mount.Output == at.index {
				index = mount.Input
			}
		}
	case op.GetFile() != nil:
		index = belowActions(op.GetFile().Actions, at.index, int64(len(op.Inputs)))
	default:
		return nil, false
	}
	if index < 0 || index >= int64(len(op.Inputs)) {
		return nil, true // on nothing
	}
	return op.Inputs[index], true
}

// belowActions follows a file operation's actions down from the one that makes the output: numbers from inputs on mean
// earlier actions.
func belowActions(actions []*pb.FileAction, output, inputs int64) int64 {
	at := slices.IndexFunc(actions, func(action *pb.FileAction) bool { return action.Output == output })
	for at >= 0 {
		input := actions[at].Input
		if input < inputs {
			return input
		}
		if input -= inputs; input >= int64(at) {
			break // an action may only name earlier ones
		}
		at = int(input)
	}
	return -1
}

// upTo is the graph of the given step alone.
func (c *chain) upTo(head output) *pb.Definition {
	needed := map[digest.Digest]bool{}
	var need func(digest.Digest)
	need = func(id digest.Digest) {
		if op := c.ops[id]; op != nil && !needed[id] {
			needed[id] = true
			for _, input := range op.Inputs {
				need(digest.Digest(input.Digest))
			}
		}
	}
	need(head.op)
	cut := &pb.Definition{Metadata: map[string]*pb.OpMetadata{}}
	for _, text := range c.definition.Def {
		if id := digest.FromBytes(text); needed[id] {
			cut.Def = append(cut.Def, text)
			if about := c.definition.Metadata[string(id)]; about != nil {
				cut.Metadata[string(id)] = about
			}
		}
	}
	end := &pb.Op{Inputs: []*pb.Input{{Digest: string(head.op), Index: head.index}}}
	text, err := end.MarshalVT()
	if err != nil {
		panic(err) // two plain fields
	}
	cut.Def = append(cut.Def, text)
	cut.Metadata[string(digest.FromBytes(text))] = &pb.OpMetadata{}
	return cut
}
