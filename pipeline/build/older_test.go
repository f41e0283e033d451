package build

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	digest "github.com/opencontainers/go-digest"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestCopiesOfOlderEngines(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		action *pb.FileActionCopy
		lacks  []apicaps.CapID
		says   string
	}{
		"no copy":             {nil, []apicaps.CapID{newModes}, ""},
		"a plain one":         {&pb.FileActionCopy{Mode: -1}, []apicaps.CapID{newModes, pb.CapFileCopyRequiredPaths, pb.CapFileCopyIncludeExcludePatterns}, ""},
		"a plain mode":        {&pb.FileActionCopy{Mode: 0o755}, []apicaps.CapID{newModes}, ""},
		"setuid":              {&pb.FileActionCopy{Mode: 0o4755}, []apicaps.CapID{newModes}, "4755"},
		"setuid, known":       {&pb.FileActionCopy{Mode: 0o4755}, nil, ""},
		"symbolic":            {&pb.FileActionCopy{ModeStr: "u+x"}, []apicaps.CapID{newModes}, "u+x"},
		"excludes":            {&pb.FileActionCopy{ExcludePatterns: []string{"*.go"}}, []apicaps.CapID{pb.CapFileCopyIncludeExcludePatterns}, "exclude"},
		"excludes, known":     {&pb.FileActionCopy{ExcludePatterns: []string{"*.go"}}, []apicaps.CapID{newModes}, ""},
		"parents":             {&pb.FileActionCopy{RequiredPaths: []string{"a/b"}}, []apicaps.CapID{pb.CapFileCopyRequiredPaths}, "parents"},
		"links are no matter": {&pb.FileActionCopy{AlwaysReplaceExistingDestPaths: true}, []apicaps.CapID{pb.CapFileCopyAlwaysReplaceExistingDestPaths}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := copyProblem(test.action, func(id apicaps.CapID) bool { return slices.Contains(test.lacks, id) })
			if test.says == "" && got != "" || !strings.Contains(got, test.says) {
				t.Errorf("%q", got)
			}
		})
	}
}

// What an engine says in words only must not be laid at the image's door where it is not the image's.
func TestExplainInWords(t *testing.T) {
	t.Parallel()
	file, err := parseDockerfile("Dockerfile", []byte("FROM scratch\nCOPY a /a\nRUN [\"/a\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	step := digest.FromString("step")
	const ended = "executor failed running [/a]: exit code: 7"
	located := func(text string) error {
		return errdefs.WithSource(errors.New(text), &errdefs.Source{Ranges: []*pb.Range{{Start: &pb.Position{Line: 2}, End: &pb.Position{Line: 2}}}})
	}
	tests := map[string]struct {
		err     error
		failure string // what was told of the step while it ran
		verdict verdict.Verdict
		code    string
		says    string
	}{
		"an exit code in words":         {errors.New("failed to solve: " + ended), ended, verdict.Fail, "build.step-failed", "Dockerfile:3: the step ended with exit code 7"},
		"of a step that nobody named":   {errors.New("failed to solve: " + ended), "", verdict.Inconclusive, "build.engine", "exit code: 7"},
		"of another step":               {errors.New("failed to solve: " + ended), strings.Replace(ended, "7", "9", 1), verdict.Inconclusive, "build.engine", "exit code: 7"},
		"a capability":                  {located("requested experimental feature exec.secretenv  is not supported by build server, please update "), "", verdict.Inconclusive, "engine.too-old", "Take a newer Docker"},
		"the engine's own trouble":      {located("failed to compute cache key: unlazy requires an applier"), "", verdict.Inconclusive, "build.engine", "Dockerfile:2"},
		"a full disk":                   {located("failed to copy files: write /a: no space left on device"), "", verdict.Inconclusive, "build.engine", "no space left"},
		"a file that is not there":      {located(`"/a": not found`), "", verdict.Fail, "build.dockerfile", "Dockerfile:2"},
		"a network that Docker has not": {errors.New("executor failed running [/a]: network bridge not found"), "", verdict.Inconclusive, "build.engine", "network bridge not found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched := newWatcher(&witness{lines: map[digest.Digest]lineRange{step: {3, 3}}})
			watched.vertices[step] = &vertex{failure: test.failure}
			got := explain(t.Context(), test.err, file, watched)
			var found *verdict.Error
			if !errors.As(got, &found) || found.Verdict != test.verdict || found.Code != test.code || !strings.Contains(got.Error(), test.says) {
				t.Errorf("%+v", got)
			}
		})
	}
}
