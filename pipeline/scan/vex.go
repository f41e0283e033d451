package scan

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aquasecurity/trivy/pkg/types"
	"github.com/openvex/go-vex/pkg/vex"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// maxVEX bounds one OpenVEX document.
const maxVEX = 16 << 20

// vexDocument is an OpenVEX document and where it came from.
type vexDocument struct {
	source string
	*vex.VEX
}

// loadVEX reads OpenVEX documents (JSON, https://github.com/openvex/spec, 0.2.0). A document that does not hold to the
// specification is the user's error: half-understood excuses must not let a finding through.
func loadVEX(paths []string) ([]vexDocument, error) {
	var all []vexDocument
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("%w: reading the VEX document %s: %w", verdict.ErrUsage, path, verdict.WithoutPath(err))
		}
		text, err := io.ReadAll(io.LimitReader(file, maxVEX+1))
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the VEX document %s: %w", path, verdict.WithoutPath(err))
		}
		document, err := parseVEX(text)
		if err != nil {
			return nil, fmt.Errorf("%w: reading the VEX document %s: %w", verdict.ErrUsage, path, err)
		}
		all = append(all, vexDocument{source: path, VEX: document})
	}
	return all, nil
}

func parseVEX(text []byte) (*vex.VEX, error) {
	if len(text) > maxVEX {
		return nil, fmt.Errorf("it is larger than %d bytes", maxVEX)
	}
	document, err := vex.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("it is not JSON of an OpenVEX document: %w", err)
	}
	if !strings.HasPrefix(document.Context, vex.Context) {
		return nil, fmt.Errorf("its @context is %q, not %s/v%s", document.Context, vex.Context, vex.SpecVersion)
	}
	for i := range document.Statements {
		statement := &document.Statements[i]
		if err := statement.Validate(); err != nil {
			return nil, fmt.Errorf("statement %d (%s): %w", i+1, statement.Vulnerability.Name, err)
		}
		if len(statement.Products) == 0 {
			return nil, fmt.Errorf("statement %d (%s) names no product", i+1, statement.Vulnerability.Name)
		}
	}
	return document, nil
}

// product is one way in which a document may name what a finding is in.
type product struct{ identifier, component string }

// productsOf lists, for a package, the package itself, the programs that contain it, and the image.
func productsOf(pkg string, roots []string, image string) []product {
	if pkg == "" {
		return nil
	}
	products := []product{{identifier: pkg}}
	for _, root := range roots {
		if root != pkg {
			products = append(products, product{root, pkg})
		}
	}
	if image != "" {
		products = append(products, product{image, pkg})
	}
	return products
}

// excuse is a VEX statement that says that a finding does not apply.
type excuse struct {
	status types.FindingStatus
	text   string
	source string
	author string
}

// excused returns the statement that excuses a vulnerability, known by any of ids, in any of products. Of several
// statements in one document the youngest counts.
func excused(documents []vexDocument, ids []string, products []product) *excuse {
	for _, document := range documents {
		for _, id := range ids {
			for _, p := range products {
				var components []string
				if p.component != "" {
					components = []string{p.component}
				}
				statements := document.Matches(id, p.identifier, components)
				if len(statements) == 0 {
					continue
				}
				last := statements[len(statements)-1]
				if last.Status != vex.StatusNotAffected && last.Status != vex.StatusFixed {
					continue
				}
				return &excuse{
					status: types.FindingStatus(last.Status), text: statementText(last),
					source: document.source, author: document.Author,
				}
			}
		}
	}
	return nil
}

func statementText(statement vex.Statement) string {
	parts := []string{string(statement.Status)}
	if statement.Justification != "" {
		parts = append(parts, string(statement.Justification))
	}
	text := strings.Join(parts, ": ")
	for _, more := range []string{statement.ImpactStatement, statement.StatusNotes} {
		if more = strings.TrimSpace(more); more != "" {
			text += " (" + more + ")"
		}
	}
	return text
}
