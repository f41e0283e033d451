package check

import (
	"context"
	"io/fs"
	"maps"
	"testing"
)

// LoadFS loads a pack from any file system, for tests of broken ones.
func LoadFS(fsys fs.FS, shown string) (*Pack, error) {
	src, err := readSource(fsys, shown)
	if err != nil {
		return nil, err
	}
	return src.load()
}

// InputsBy is Inputs of another version of this package.
func InputsBy(method string, in Input, packs []*Pack) (string, error) {
	return inputs(request{input: object{"build": in.build()}, params: in.Params, failOn: in.FailOn, now: in.Now}, packs, nil, method)
}

// RunSharedTests runs the tests of the helpers that packs share.
func RunSharedTests(ctx context.Context, t *testing.T) TestReport {
	t.Helper()
	src, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	p := &Pack{Name: "image", About: AboutImage, source: src}
	if p.schema, err = inputSchema(AboutImage, nil); err != nil {
		t.Fatal(err)
	}
	modules, err := src.parse(func(name string) bool { return isRule(name) || isTest(name) })
	if err != nil {
		t.Fatal(err)
	}
	report, err := p.runTests(ctx, modules, maps.Clone(modules))
	if err != nil {
		t.Fatal(err)
	}
	return report
}
