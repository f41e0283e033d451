package pipeline_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
)

// methods are the rooms whose code decides verdicts, and how they name the version of it.
var methods = []struct{ folder, where, version string }{
	{"image", "derivation or formatVersion in pipeline/image", image.Method()},
	{"check", "judging in pipeline/check/method.go", "see method.go"},
	{"scan", "matching in pipeline/scan/version.go", scan.Method()},
	{"launch", "Method in pipeline/launch/method.go", launch.Method},
}

// Verdicts that older code has reached must not stand for what newer code would say. Whether a change can make another
// verdict, nobody but its author knows: this test asks.
func TestMethods(t *testing.T) {
	t.Parallel()
	var now strings.Builder
	for _, m := range methods {
		sum, files := code(t, m.folder)
		if files < 5 {
			t.Errorf("%s has only %d files of code: is it still there?", m.folder, files)
		}
		fmt.Fprintf(&now, "%s %s %s\n", m.folder, sum, m.version)
	}
	before := strings.Split(goldentest.Kept(t, "testdata/methods.golden", now.String()), "\n")
	for i, line := range strings.Split(strings.TrimSpace(now.String()), "\n") {
		if i >= len(before) || before[i] != line {
			t.Errorf("the code of pipeline/%s is not what its method was last looked at with. If the same image may now get another verdict, raise %s. "+
				"In any case write down that you have looked: %s", methods[i].folder, methods[i].where, goldentest.Command(t))
		}
	}
}

// code is a digest of a room's code without its comments and its tests.
func code(t *testing.T, folder string) (sum string, files int) {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && (entry.Name() == "testdata" || strings.HasSuffix(entry.Name(), "test") || entry.Name() == "faux") {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, path, nil, 0) // comments are left out
		if err != nil {
			return err
		}
		var printed bytes.Buffer
		for _, declaration := range parsed.Decls {
			if imports, is := declaration.(*ast.GenDecl); is && imports.Tok == token.IMPORT {
				continue
			}
			// Printed without positions, so that where comments and empty lines stood does not count.
			if err := printer.Fprint(&printed, token.NewFileSet(), declaration); err != nil {
				return err
			}
			printed.WriteByte('\n')
		}
		fmt.Fprintf(h, "%s %x\n", filepath.ToSlash(path), sha256.Sum256(bytes.Join(bytes.Fields(printed.Bytes()), []byte(" "))))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], files
}
