package check

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// capabilities is what Rego may use in a pack: everything that depends on its input alone. What reaches the network, the
// host's environment or chance is left out; time.now_ns stays, because the clock is given to each evaluation.
var capabilities = sync.OnceValue(func() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	all.Builtins = slices.DeleteFunc(all.Builtins, func(b *ast.Builtin) bool { return withheldBuiltin(b) })
	all.AllowNet = []string{} // no remote schemas either; nil would mean any host
	return all
})

func withheldBuiltin(b *ast.Builtin) bool {
	return b.Nondeterministic && b.Name != ast.NowNanos.Name || withheld(b.Name)
}

// withheld says whether packs must do without the function of that name, known to this version of OPA or not.
func withheld(name string) bool {
	for _, prefix := range []string{"http.", "net.", "opa.", "providers.", "rand.", "uuid.", "io.jwt.encode", "rego."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

const modulePrefix = "shared/"

func isRule(name string) bool {
	return strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, testSuffix+".rego")
}

func isTest(name string) bool { return strings.HasSuffix(name, testSuffix+".rego") }

// parse reads the .rego files that keep wants, under their paths in the pack.
func (s *source) parse(keep func(string) bool) (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	var all ast.Errors
	for _, name := range s.names(keep) {
		module, err := ast.ParseModuleWithOpts(name, string(s.files[name]), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: capabilities(),
		})
		switch e := err.(type) { //nolint:errorlint // the parser returns them bare
		case nil:
			if module == nil {
				all = append(all, ast.NewError(ast.ParseErr, ast.NewLocation(nil, name, 1, 1), "the file is empty"))
				continue
			}
			modules[name] = module
		case ast.Errors:
			all = append(all, e...)
		default:
			return nil, s.ofOPA(err)
		}
	}
	if len(all) > 0 {
		return nil, s.ofOPA(all)
	}
	return modules, nil
}

// checkPackages keeps a pack's modules inside its own package, so that no pack speaks for another or for the helpers.
func (s *source) checkPackages(pack string, modules map[string]*ast.Module) error {
	var wrong []*Problem
	for _, name := range s.names(func(n string) bool { _, ok := modules[n]; return ok }) {
		want := packagePrefix + "." + identifier(pack)
		if isTest(name) {
			want += testSuffix
		}
		module := modules[name]
		if got := strings.TrimPrefix(module.Package.Path.String(), "data."); got != want {
			loc := module.Package.Loc()
			p := s.at(name, loc.Row, loc.Col, "the package is %s", foreign.Spelled(got))
			p.Suggestion = "In this file it must be: package " + want
			wrong = append(wrong, p)
		}
	}
	return problems(wrong)
}

// compile checks and compiles modules, strictly: what is unused or misspelt is an error.
func compile(s *source, modules, shared map[string]*ast.Module, schema object) (*ast.Compiler, error) {
	compiler := newCompiler(schema)
	all := make(map[string]*ast.Module, len(modules)+len(shared))
	for name, m := range modules {
		all[name] = m
	}
	for name, m := range shared {
		all[modulePrefix+name] = m
	}
	if compiler.Compile(all); compiler.Failed() {
		return nil, s.ofOPA(compiler.Errors)
	}
	return compiler, nil
}

func newCompiler(schema object) *ast.Compiler {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, map[string]any(schema))
	return ast.NewCompiler().WithCapabilities(capabilities()).WithSchemas(schemas).WithStrict(true)
}
