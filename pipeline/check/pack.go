package check

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Pack is a compiled pack: rules, their data and their parameters. It does not change and may be used concurrently.
type Pack struct {
	Name        string
	Version     string
	Title       string
	Description string
	// About says what the pack judges: images or promotions.
	About About
	// Digest is "sha256:…" over the pack's files and the helpers that all packs share.
	Digest string
	// Files are the globs of the files that its rules need facts of: absolute paths inside the image.
	Files  []string
	Params []Param
	// Rules stand in the order of their ids.
	Rules []RuleMeta

	source *source
	schema object
	data   map[string]any
	query  rego.PreparedEvalQuery
	// refusal asks what the pack refuses of its parameters; nil where it takes any of their types.
	refusal *rego.PreparedEvalQuery
}

// PackRef names a pack in a result and in evidence.
type PackRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// identifier is the pack's name as Rego can write it: the rules of databricks-gpu are in package hallmark.databricks_gpu.
func identifier(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Ref returns the pack's name, version and digest.
func (p *Pack) Ref() PackRef { return PackRef{p.Name, p.Version, p.Digest} }

// Load returns the packs of the given names in their order. A name with a slash in it, or that begins with a dot, is a
// folder of the user's, relative to base; any other is a pack that the program carries. A broken pack is a usage error that
// says where.
func Load(base string, names ...string) ([]*Pack, error) {
	packs := make([]*Pack, 0, len(names))
	for _, name := range names {
		pack, err := loadOne(base, name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(packs, func(p *Pack) bool { return p.Name == pack.Name }) {
			return nil, fmt.Errorf("%w: the pack %s is given twice", verdict.ErrUsage, pack.Name)
		}
		packs = append(packs, pack)
	}
	return packs, nil
}

// Files are the globs of all files that the rules of packs need facts of.
func Files(packs []*Pack) []string {
	var all []string
	for _, p := range packs {
		all = append(all, p.Files...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func loadOne(base, name string) (*Pack, error) {
	if load, known := builtin[name]; known {
		return load()
	}
	src, err := sourceOf(base, name)
	if err != nil {
		return nil, err
	}
	return src.load()
}

// sourceOf is the text of the pack of that name: the user's, or one that the program carries.
func sourceOf(base, name string) (*source, error) {
	if strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(base, name)
		}
		return folder(name)
	}
	if _, known := builtin[name]; !known {
		return nil, fmt.Errorf("%w: there is no pack %q. %s A pack in a folder is given by its path, such as ./policies/%s",
			verdict.ErrUsage, name, didYouMean(name, Names()), name)
	}
	return embedded(name)
}

// builtin compiles each embedded pack once, when it is first asked for.
var builtin = func() map[string]func() (*Pack, error) {
	all := map[string]func() (*Pack, error){}
	for _, name := range Names() {
		all[name] = sync.OnceValues(func() (*Pack, error) {
			src, err := embedded(name)
			if err != nil {
				return nil, err
			}
			return src.load()
		})
	}
	return all
}()

var shared = sync.OnceValues(func() (*source, error) { return embedded(sharedFolder) })

func (s *source) load() (*Pack, error) {
	m, err := s.readManifest()
	if err != nil {
		return nil, err
	}
	helpers, err := shared()
	if err != nil {
		return nil, err
	}
	p := &Pack{
		Name: m.name, Version: m.version, Title: m.title, Description: m.description, About: m.about,
		Digest: s.digest(helpers), Files: m.files, Params: m.params, source: s,
	}
	if p.data, err = s.readData(); err != nil {
		return nil, err
	}
	if p.schema, err = inputSchema(p.About, p.Params); err != nil {
		return nil, err
	}
	if err := p.prepare(helpers); err != nil {
		return nil, err
	}
	return p, nil
}

// prepare compiles the pack's rules, without its tests.
func (p *Pack) prepare(helpers *source) error {
	modules, err := p.source.parse(isRule)
	if err != nil {
		return err
	}
	if err := p.source.checkPackages(p.Name, modules); err != nil {
		return err
	}
	if p.Rules, err = p.source.ruleMetas(p.Name, modules); err != nil {
		return err
	}
	common, err := p.helpers(helpers, isRule)
	if err != nil {
		return err
	}
	compiler, err := compile(p.source, modules, common, p.schema)
	if err != nil {
		return err
	}
	if p.query, err = p.ready("findings", denyName, compiler); err != nil {
		return err
	}
	if hasRule(modules, refuseName) {
		refusal, err := p.ready("refused", refuseName, compiler)
		p.refusal = &refusal
		return err
	}
	return nil
}

// ready prepares the question for a rule of the pack.
func (p *Pack) ready(answer, rule string, compiler *ast.Compiler) (rego.PreparedEvalQuery, error) {
	query, err := rego.New(
		rego.Query(fmt.Sprintf("%s = data.%s.%s.%s", answer, packagePrefix, identifier(p.Name), rule)),
		rego.Compiler(compiler),
		rego.Store(p.store()),
		rego.StrictBuiltinErrors(true), // a rule that stumbles must not count as one that passes
	).PrepareForEval(context.Background())
	if err != nil {
		return query, p.source.ofOPA(err)
	}
	return query, nil
}

// store holds the pack's data as its rules see it.
func (p *Pack) store() storage.Store {
	return inmem.NewFromObjectWithOpts(map[string]any{identifier(p.Name): p.data, "defaults": p.defaults()}, inmem.OptRoundTripOnWrite(true))
}

// imageHelpers is the package of helpers that read an image's facts: a pack about promotions has no facts to read.
const imageHelpers = packagePrefix + ".image"

// helpers parses the shared modules that keep wants and that fit what the pack is about.
func (p *Pack) helpers(from *source, keep func(string) bool) (map[string]*ast.Module, error) {
	modules, err := from.parse(keep)
	if err != nil {
		return nil, err
	}
	for name, module := range modules {
		if p.About != AboutImage && strings.HasPrefix(module.Package.Path.String(), "data."+imageHelpers) {
			delete(modules, name)
		}
	}
	return modules, nil
}
