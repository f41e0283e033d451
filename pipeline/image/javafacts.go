package image

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// mostHomes bounds how many release files are parsed.
const mostHomes = 1000

// javaFacts lists every folder that holds bin/java: a JDK, a JRE, or the jre folder of a JDK 8, which counts as a part
// of its JDK.
func (t *tree) javaFacts(commands map[string]CommandFact, limits Limits) ([]JavaFact, error) {
	homes := []JavaFact{}
	onPath := commands["java"].Target
	for id := range t.nodes {
		n := &t.nodes[id]
		if n.removed || !strings.HasSuffix(n.path, "/bin/java") {
			continue
		}
		target, ok := t.find(n.path, true)
		if !ok || t.typeOf(target) != Regular || t.entry(target).Mode&0o111 == 0 {
			continue
		}
		home := strings.TrimSuffix(n.path, "/bin/java")
		release, hasRelease := t.body(home + "/release")
		if !hasRelease {
			if path.Base(home) == "jre" && t.holdsJava(path.Dir(home)) {
				continue
			}
			if home == "usr" || home == "usr/local" { // a command, not a home
				continue
			}
		}
		if len(homes) == mostHomes {
			return nil, tooManyFacts(limits)
		}
		v := variables(release)
		homes = append(homes, JavaFact{
			Home: "/" + home, Version: v["JAVA_VERSION"], RuntimeVersion: v["JAVA_RUNTIME_VERSION"], Vendor: v["IMPLEMENTOR"],
			OnPath: onPath != "" && onPath == t.absolute(target), Layer: int(t.nodes[target].layer),
		})
	}
	slices.SortFunc(homes, func(a, b JavaFact) int { return cmp.Compare(a.Home, b.Home) })
	return homes, nil
}

func (t *tree) holdsJava(home string) bool {
	_, ok := t.find(home+"/bin/java", true)
	return ok
}
