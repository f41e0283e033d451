package scan

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/aquasecurity/trivy/pkg/dependency/parser/conda/meta"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/dotnet/core_deps"
	gobinary "github.com/aquasecurity/trivy/pkg/dependency/parser/golang/binary"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/nodejs/packagejson"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/php/composer"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/python/packaging"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/ruby/gemspec"
	rustbinary "github.com/aquasecurity/trivy/pkg/dependency/parser/rust/binary"
	"github.com/aquasecurity/trivy/pkg/digest"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/licensing"
	xio "github.com/aquasecurity/trivy/pkg/x/io"
)

// ecosystem is one way in which a language's packages lie in an image.
type ecosystem struct {
	kind  ftypes.LangType
	wants func(file string) bool
	parse func(ctx context.Context, body xio.ReadSeekerAt) ([]ftypes.Package, []ftypes.Dependency, error)
	// each says that the file is one package (a wheel's METADATA) and not a list of many.
	each bool
}

var (
	condaMeta    = regexp.MustCompile(`(^|/)envs/.+/conda-meta/.+-.+-.+\.json$`)
	gemspecs     = regexp.MustCompile(`(^|/)specifications/.+\.gemspec$`)
	eggMetadata  = []string{"EGG-INFO/PKG-INFO", ".egg-info", ".egg-info/PKG-INFO", ".egg-info/METADATA"}
	maxEggObject = int64(4 << 20)
)

var ecosystems = []ecosystem{
	{kind: ftypes.PythonPkg, wants: isPython, parse: packaging.NewParser().Parse, each: true},
	{kind: ftypes.PythonPkg, wants: func(file string) bool { return path.Ext(file) == ".egg" }, parse: parseEgg, each: true},
	{kind: ftypes.NodePkg, wants: func(file string) bool { return path.Base(file) == "package.json" }, parse: parseNode, each: true},
	{kind: ftypes.CondaPkg, wants: condaMeta.MatchString, parse: meta.NewParser().Parse, each: true},
	{kind: ftypes.GemSpec, wants: gemspecs.MatchString, parse: gemspec.NewParser().Parse, each: true},
	{kind: ftypes.DotNetCore, wants: func(file string) bool { return strings.HasSuffix(file, ".deps.json") }, parse: core_deps.NewParser().Parse},
	{kind: ftypes.ComposerVendor, wants: func(file string) bool { return path.Base(file) == ftypes.ComposerInstalledJson }, parse: composer.NewParser().Parse},
}

// programs are the ecosystems whose compiled programs carry a list of what they were built from.
var programs = []ecosystem{
	{kind: ftypes.GoBinary, parse: gobinary.NewParser().Parse},
	{kind: ftypes.RustBinary, parse: rustbinary.NewParser().Parse},
}

func isPython(file string) bool {
	return path.Base(file) == "METADATA" && strings.Contains(file, ".dist-info") || isEggMetadata(file)
}

func isEggMetadata(file string) bool {
	return slices.ContainsFunc(eggMetadata, func(suffix string) bool { return strings.HasSuffix(file, suffix) })
}

// isProgram says whether a file's mode or name promises a program; its first bytes decide.
func isProgram(file string, info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 || path.Ext(file) == ".exe"
}

func readLanguage(ctx context.Context, file string, size int64, body io.ReaderAt) *record {
	for _, eco := range ecosystems {
		if eco.wants(file) {
			return eco.read(ctx, file, size, body)
		}
	}
	return nil
}

// executable headers: ELF, PE, Mach-O (32 and 64 bit, either byte order, and fat).
var magics = [][]byte{
	[]byte("\x7fELF"), []byte("MZ"), []byte("\xfe\xed\xfa\xce"), []byte("\xfe\xed\xfa\xcf"), []byte("\xce\xfa\xed\xfe"),
	[]byte("\xcf\xfa\xed\xfe"), []byte("\xca\xfe\xba\xbe"),
}

func readProgram(ctx context.Context, file string, size int64, body io.ReaderAt) *record {
	head := make([]byte, 4)
	if n, _ := body.ReadAt(head, 0); n < len(head) {
		return nil
	}
	if !slices.ContainsFunc(magics, func(magic []byte) bool { return bytes.HasPrefix(head, magic) }) {
		return nil
	}
	for _, eco := range programs {
		result := eco.read(ctx, file, size, body)
		if result != nil && result.Problem == "" {
			return result
		}
	}
	return nil
}

func (e ecosystem) read(ctx context.Context, file string, size int64, body io.ReaderAt) (result *record) {
	// The parsers read debug sections and the like of foreign programs, and are not ours: a panic in one of them
	// must not end a build, and must not be taken for an empty file either.
	defer func() {
		if cause := recover(); cause != nil {
			result = &record{Type: e.kind, Problem: fmt.Sprintf("the %s parser gave up: %v", e.kind, cause)}
		}
	}()
	packages, graph, err := e.parse(ctx, io.NewSectionReader(body, 0, size))
	switch {
	case errors.Is(err, gobinary.ErrNonGoBinary), errors.Is(err, gobinary.ErrUnrecognizedExe),
		errors.Is(err, rustbinary.ErrNonRustBinary), errors.Is(err, rustbinary.ErrUnrecognizedExe):
		return nil
	case err != nil:
		return &record{Type: e.kind, Problem: err.Error()}
	case len(packages) == 0:
		return nil
	}
	dependsOn := map[string][]string{}
	for _, node := range graph {
		dependsOn[node.ID] = node.DependsOn
	}
	var sum digest.Digest
	if e.each {
		if sum, err = fileSHA1(body, size); err != nil {
			return &record{Type: e.kind, Problem: err.Error()}
		}
	}
	for i := range packages {
		pkg := &packages[i]
		if e.each {
			pkg.FilePath = cmp.Or(pkg.FilePath, file)
			pkg.Digest = cmp.Or(pkg.Digest, sum)
		}
		pkg.DependsOn = dependsOn[pkg.ID]
		pkg.Indirect = pkg.Relationship == ftypes.RelationshipIndirect
		pkg.Licenses = namedLicenses(pkg.Licenses)
	}
	return &record{Type: e.kind, Libraries: packages}
}

// namedLicenses drops references to licence files: recognising a licence by its text takes seconds of CPU and
// changes no verdict.
func namedLicenses(licenses []string) []string {
	named := slices.DeleteFunc(slices.Clone(licenses), func(name string) bool {
		return strings.HasPrefix(name, licensing.LicenseFilePrefix)
	})
	return licensing.NormalizeLicenses(named)
}

func parseNode(_ context.Context, body xio.ReadSeekerAt) ([]ftypes.Package, []ftypes.Dependency, error) {
	parsed, err := packagejson.NewParser().Parse(body)
	if err != nil {
		return nil, nil, err
	}
	if parsed.ID == "" { // a private or nameless project file, not an installed package
		return nil, nil, nil
	}
	return []ftypes.Package{parsed.Package}, nil, nil
}

// parseEgg reads the metadata of a zipped .egg.
func parseEgg(ctx context.Context, body xio.ReadSeekerAt) ([]ftypes.Package, []ftypes.Dependency, error) {
	size, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, nil, err
	}
	zipped, err := zip.NewReader(body, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, nil, nil // a folder's placeholder or another kind of file
	}
	for _, entry := range zipped.File {
		if !isEggMetadata(entry.Name) {
			continue
		}
		reader, err := entry.Open()
		if err != nil {
			return nil, nil, err
		}
		defer reader.Close()
		text, err := io.ReadAll(io.LimitReader(reader, maxEggObject))
		if err != nil {
			return nil, nil, err
		}
		return packaging.NewParser().Parse(ctx, bytes.NewReader(text))
	}
	return nil, nil, nil
}
