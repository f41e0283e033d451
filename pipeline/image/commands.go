package image

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// defaultPath is the PATH that container runtimes give a process where the configuration gives none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (c *Contents) commandFacts(facts *Facts, who account) {
	env := map[string]string{"PATH": defaultPath}
	for _, pair := range c.Config.Config.Env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	env["HOME"] = who.home
	facts.Path = splitPath(env["PATH"])
	facts.Commands = c.commandsOn(facts.Path, who)
	if user := c.userPath(env, who); user != nil && !slices.Equal(user.Path, facts.Path) {
		facts.UserPath, facts.UserCommands = user, c.commandsOn(user.Path, who)
	}
}

// userPath is the PATH after a login of who: /etc/environment first, then what the shell reads in the home folder.
func (c *Contents) userPath(env map[string]string, who account) *PathFact {
	env, source := maps.Clone(env), ""
	if kept, ok := c.tree.body("etc/environment"); ok && setPath(kept, env) {
		source = "/etc/environment"
	}
	if who.home != "" {
		for _, group := range loginProfiles(who.shell) {
			for _, profile := range group {
				file := path.Join("/", who.home, profile)
				if _, there := c.tree.find(file, true); !there {
					continue
				}
				if kept, ok := c.tree.body(file); ok && setPath(kept, env) {
					source = file
				}
				break
			}
		}
	}
	if source == "" {
		return nil
	}
	return &PathFact{Path: splitPath(env["PATH"]), Source: source}
}

// commandsOn looks up every command that who finds in the folders: of several with one name the first counts.
func (c *Contents) commandsOn(folders []string, who account) map[string]CommandFact {
	t, commands := c.tree, map[string]CommandFact{}
	open, seen := map[int32]bool{}, map[int32]bool{}
	for _, folder := range folders {
		at := folder
		if !strings.HasPrefix(at, "/") {
			at = c.Config.Config.WorkingDir + "/" + at // as execvp does
		}
		id, ok := t.find(at, true)
		if !ok || seen[id] || t.typeOf(id) != Directory || !t.reachable(id, who, open) {
			continue
		}
		seen[id] = true
		for child := t.nodes[id].child; child != none; child = t.nodes[child].next {
			name := path.Base(t.nodes[child].path)
			if _, known := commands[name]; known {
				continue
			}
			if fact, ok := t.command(child, who, open); ok {
				fact.Path = path.Join("/", at, name)
				commands[name] = fact
			}
		}
	}
	return commands
}

// command is what node is as a command; ok is false where who cannot run it.
func (t *tree) command(id int32, who account, open map[int32]bool) (CommandFact, bool) {
	if t.typeOf(id) == Symlink {
		target, ok := t.find(t.nodes[id].path, true)
		if !ok {
			return CommandFact{}, false
		}
		id = target
	}
	if t.typeOf(id) != Regular || !t.reachable(t.nodes[id].parent, who, open) {
		return CommandFact{}, false
	}
	entry := t.entry(id)
	if !who.mayExecute(entry) {
		return CommandFact{}, false
	}
	return CommandFact{Target: t.absolute(id), Mode: octal(entry.Mode), UID: entry.UID, Layer: int(t.nodes[id].layer)}, true
}

// reachable says whether who may pass through all folders down to folder id; open remembers answers.
func (t *tree) reachable(id int32, who account, open map[int32]bool) bool {
	if id == none {
		return true
	}
	if answer, known := open[id]; known {
		return answer
	}
	answer := who.mayExecute(t.entry(id)) && t.reachable(t.nodes[id].parent, who, open)
	open[id] = answer
	return answer
}
