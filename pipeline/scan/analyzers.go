package scan

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"

	"github.com/hallmark-ci/hallmark/pipeline/image"
)

// The keys name what the layer cache holds of us. Raise the number whenever a file's result changes, and every
// layer is read again.
const (
	packagesKey = "scan-packages/1"
	secretsKey  = "scan-secrets/1"
)

// Analyzers returns what the image room runs on each file of a layer for a later Run with the same options.
func Analyzers(o Options) []image.Analyzer {
	all := []image.Analyzer{packageAnalyzer{}}
	if o.Secrets {
		all = append(all, newSecretAnalyzer())
	}
	return all
}

// maxTextFile bounds the small text files of package managers that are read whole.
const maxTextFile = 16 << 20

type packageAnalyzer struct{}

func (packageAnalyzer) Key() string { return packagesKey }

func (packageAnalyzer) Wants(file string, info fs.FileInfo) bool {
	if osFile(file) != nil || isDpkg(file) || isAPK(file) || isRPM(file) || isJar(file) || isSBOM(file) ||
		isBuildInfo(file) || file == rpmManifest {
		return true
	}
	for _, eco := range ecosystems {
		if eco.wants(file) {
			return true
		}
	}
	return isProgram(file, info)
}

func (packageAnalyzer) Analyze(ctx context.Context, file image.File) (json.RawMessage, error) {
	result := readFile(ctx, file)
	if result == nil {
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return result.marshal()
}

func readFile(ctx context.Context, file image.File) *record {
	switch read := osFile(file.Path); {
	case read != nil:
		text, err := io.ReadAll(io.LimitReader(file.Reader(), maxTextFile))
		if err != nil {
			return &record{Problem: err.Error()}
		}
		return read(string(text))
	case isBuildInfo(file.Path):
		text, err := io.ReadAll(io.LimitReader(file.Reader(), maxTextFile))
		if err != nil {
			return &record{Problem: err.Error()}
		}
		return readBuildInfo(file.Path, string(text))
	case file.Path == rpmManifest:
		return readRPMManifest(file.Reader())
	case isSBOM(file.Path):
		return readSBOM(ctx, file.Path, file.Reader())
	case isDpkg(file.Path):
		return readDpkg(file.Path, file.Reader())
	case isAPK(file.Path):
		return readAPK(file.Reader())
	case isRPM(file.Path):
		return readRPM(ctx, file.ReaderAt, file.Size)
	case isJar(file.Path):
		return readJar(file.Path, file.Size, file.ReaderAt)
	}
	if result := readLanguage(ctx, file.Path, file.Size, file.ReaderAt); result != nil {
		return result
	}
	if isProgram(file.Path, file.Info) {
		return readProgram(ctx, file.Path, file.Size, file.ReaderAt)
	}
	return nil
}
