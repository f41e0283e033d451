package build

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// mapSteps says which layer and which history entry each command of the Dockerfile made.
//
// The image's history ends with the Dockerfile's own entries, one for each command, in order, after those of the
// base. So the two lists are laid beside each other from their ends. An entry that belongs to no command (a trigger
// of the base's ONBUILD) or a command without an entry is stepped over, as long as the instructions' names agree.
func mapSteps(commands []instructions.Command, config ocispecs.Image) []Step {
	layers := layersOfHistory(config)
	steps := make([]Step, len(commands))
	at := len(config.History) - 1
	for i := len(commands) - 1; i >= 0; i-- {
		steps[i] = stepOf(commands[i])
		for look := at; look >= 0 && look > at-3; look-- {
			if historyKeyword(config.History[look].CreatedBy) == strings.ToUpper(commands[i].Name()) {
				steps[i].CreatedBy, steps[i].Layer = config.History[look].CreatedBy, layers[look]
				at = look - 1
				break
			}
		}
	}
	return steps
}

func stepOf(command instructions.Command) Step {
	step := Step{Instruction: strings.ToUpper(command.Name())}
	if text, ok := command.(interface{ String() string }); ok {
		step.Instruction, _, _ = strings.Cut(text.String(), "\n")
	}
	if location := command.Location(); len(location) > 0 {
		step.Line, step.EndLine = location[0].Start.Line, location[len(location)-1].End.Line
	}
	return step
}

// layersOfHistory gives each history entry the diff id of its layer, where it has one.
func layersOfHistory(config ocispecs.Image) []string {
	out := make([]string, len(config.History))
	next := 0
	for i, entry := range config.History {
		if !entry.EmptyLayer && next < len(config.RootFS.DiffIDs) {
			out[i] = config.RootFS.DiffIDs[next].String()
			next++
		}
	}
	return out
}

func historyKeyword(createdBy string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(createdBy), " ")
	return strings.ToUpper(word)
}
