package check

import (
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// readData gathers the pack's data files: data/ports.yaml is data.<pack>.ports to its rules. A list of facts about the
// world ages, so each file must say where it comes from and when that was looked up.
func (s *source) readData() (map[string]any, error) {
	out := map[string]any{}
	from := map[string]string{}
	for _, file := range s.names(isData) {
		name := strings.TrimSuffix(path.Base(file), path.Ext(file))
		if !ruleName.MatchString(name) {
			return nil, s.at(file, 0, 0, "a data file's name must be lower-case letters, digits and _, because rules speak of it as data.<pack>.<name>")
		}
		if other, taken := from[name]; taken {
			return nil, s.at(file, 0, 0, "%s holds data of the same name", other)
		}
		from[name] = file
		content, err := s.readDataFile(file)
		if err != nil {
			return nil, err
		}
		out[name] = content
	}
	return out, nil
}

func (s *source) readDataFile(file string) (map[string]any, error) {
	node, p := s.document(file)
	if p != nil {
		return nil, p
	}
	if node.Kind != yaml.MappingNode {
		return nil, s.at(file, node.Line, node.Column, "a data file must be a mapping with source, date and what they are about")
	}
	v, p := s.valueIn(file, node)
	if p != nil {
		return nil, p
	}
	content := v.(map[string]any) //nolint:forcetypeassert // a mapping node
	if source, ok := content["source"].(string); !ok || strings.TrimSpace(source) == "" {
		return nil, s.at(file, 1, 0, "source is missing: say where this data comes from, a URL or a document")
	}
	date, _ := content["date"].(string)
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return nil, s.at(file, 1, 0, "date is missing or not written YYYY-MM-DD: say when the source was looked up")
	}
	return content, nil
}
