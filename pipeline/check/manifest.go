package check

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// About says what a pack judges.
type About string

const (
	// AboutImage packs judge an image's facts before anything is tagged.
	AboutImage About = "image"
	// AboutPromotion packs judge a subject's evidence before a golden tag moves.
	AboutPromotion About = "promotion"
)

// manifest is what pack.yaml says.
type manifest struct {
	name, version, title, description string
	about                             About
	files                             []string
	params                            []Param
	nameNode                          *yaml.Node
}

var (
	packName    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,40}$`)
	packVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)
	ruleName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)
)

// readManifest reads pack.yaml strictly.
func (s *source) readManifest() (*manifest, error) {
	if _, ok := s.files[manifestName]; !ok {
		return nil, &Problem{
			File: s.shown, Message: "there is no " + manifestName + " in this folder",
			Suggestion: "A pack is a folder with pack.yaml, *.rego, data/*.yaml and *_test.rego; see docs/policies.md.",
		}
	}
	node, p := s.document(manifestName)
	if p != nil {
		return nil, p
	}
	m := &manifest{about: AboutImage}
	about := string(AboutImage)
	p = s.mapping(manifestName, node, manifestName, map[string]func(*yaml.Node) *Problem{
		"name": func(n *yaml.Node) *Problem {
			m.nameNode = n
			return s.text(manifestName, "name", &m.name)(n)
		},
		"version": func(n *yaml.Node) *Problem {
			if p := s.text(manifestName, "version", &m.version)(n); p != nil {
				return p
			}
			if !packVersion.MatchString(m.version) {
				return s.at(manifestName, n.Line, n.Column, "version must be three numbers, such as 1.0.0")
			}
			return nil
		},
		"title":       s.text(manifestName, "title", &m.title),
		"description": s.text(manifestName, "description", &m.description),
		"about": func(n *yaml.Node) *Problem {
			if p := s.text(manifestName, "about", &about)(n); p != nil {
				return p
			}
			if m.about = About(about); m.about != AboutImage && m.about != AboutPromotion {
				return s.at(manifestName, n.Line, n.Column, "about must be %q or %q", AboutImage, AboutPromotion)
			}
			return nil
		},
		"files":  func(n *yaml.Node) *Problem { return s.readFiles(n, m) },
		"params": func(n *yaml.Node) *Problem { return s.readParams(n, m) },
	})
	switch {
	case p != nil:
		return nil, p
	case m.name == "":
		return nil, s.at(manifestName, 1, 0, "name is missing")
	case !packName.MatchString(m.name):
		return nil, s.at(manifestName, m.nameNode.Line, m.nameNode.Column, "name must be lower-case letters, digits, _ and -, beginning with a letter")
	case m.name == sharedFolder || m.name == "image" || m.name == "testing":
		return nil, s.at(manifestName, m.nameNode.Line, m.nameNode.Column, "the name %q is taken by the shared helpers", m.name)
	case m.version == "":
		return nil, s.at(manifestName, 1, 0, "version is missing")
	case m.title == "":
		return nil, s.at(manifestName, 1, 0, "title is missing")
	}
	return m, nil
}

func (s *source) readFiles(node *yaml.Node, m *manifest) *Problem {
	if node.Kind != yaml.SequenceNode {
		return s.at(manifestName, node.Line, node.Column, "files must be a list of globs")
	}
	for _, item := range node.Content {
		var glob string
		if p := s.text(manifestName, "a glob", &glob)(item); p != nil {
			return p
		}
		if !strings.HasPrefix(glob, "/") {
			p := s.at(manifestName, item.Line, item.Column, "the glob %q must begin with /: paths are those inside the image", foreign.Spelled(glob))
			p.Suggestion = fmt.Sprintf("Write %q, or %q for any folder.", "/"+glob, "/**/"+glob)
			return p
		}
		m.files = append(m.files, glob)
	}
	return nil
}
