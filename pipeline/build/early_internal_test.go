package build

import (
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
)

// The chain holds the steps by which the image grows, and nothing of other stages.
func TestChain(t *testing.T) {
	t.Parallel()
	other := llb.Scratch().File(llb.Mkfile("/other", 0o644, []byte("other")))
	base := llb.Image("example.com/base", llb.WithMetaResolver(nil))
	for _, test := range []struct {
		name  string
		state llb.State
		want  []string // what each step is
	}{
		{"nothing", llb.Scratch(), nil},
		{"base alone", base, nil},
		{"file", llb.Scratch().File(llb.Mkfile("/a", 0o644, nil)), []string{"file"}},
		{"base, run, copy from another stage", base.Run(llb.Shlex("true")).Root().File(llb.Copy(other, "/other", "/other")), []string{"exec", "file"}},
		{"run with mounts", base.Run(llb.Shlex("true"), llb.AddMount("/other", other), llb.AddMount("/cache", llb.Scratch(), llb.AsPersistentCacheDir("id", llb.CacheMountShared))).Root(), []string{"exec"}},
		{"several actions in one step", base.File(llb.Mkdir("/a", 0o755).Mkdir("/b", 0o755).Mkfile("/a/c", 0o644, nil)), []string{"file"}},
		{"what a run leaves in a mount", base.Run(llb.Shlex("true")).AddMount("/out", llb.Scratch().File(llb.Mkdir("/a", 0o755))), []string{"file", "exec"}},
		{"merged", llb.Merge([]llb.State{base, other}).File(llb.Mkdir("/a", 0o755)), []string{"file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			definition, err := test.state.Marshal(t.Context(), llb.LinuxAmd64)
			if err != nil {
				t.Fatal(err)
			}
			found, err := parseChain(definition.ToPB())
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, at := range found.chain {
				kinds = append(kinds, kindOf(found.ops[at.op]))
			}
			if len(kinds) != len(test.want) {
				t.Fatalf("the chain is %q, want %q", kinds, test.want)
			}
			for i := range kinds {
				if kinds[i] != test.want[i] {
					t.Errorf("the chain is %q, want %q", kinds, test.want)
				}
				// Cut off anywhere it is a graph of its own, with the same steps up to there.
				cut, err := parseChain(found.upTo(found.chain[i]))
				if err != nil || len(cut.chain) != i+1 || cut.chain[i] != found.chain[i] {
					t.Errorf("cut off after step %d: %v (%v), want %v", i, cut.chain, err, found.chain[:i+1])
				}
			}
		})
	}
}

func kindOf(op *pb.Op) string {
	switch {
	case op.GetExec() != nil:
		return "exec"
	case op.GetFile() != nil:
		return "file"
	default:
		return "other"
	}
}

func TestChainOfNonsense(t *testing.T) {
	t.Parallel()
	if _, err := parseChain(&pb.Definition{Def: [][]byte{{0xff}}}); err == nil {
		t.Error("bytes that are no operation were taken for one")
	}
	// An action that names itself, or a later one, would run in a circle.
	for _, input := range []int64{1, 2, 9} {
		actions := []*pb.FileAction{{Input: input, Output: 0}, {Input: 0, Output: -1}}
		if at := belowActions(actions, 0, 1); at != -1 {
			t.Errorf("input %d leads to %d", input, at)
		}
	}
}
