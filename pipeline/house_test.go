package pipeline_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/hallmark-ci/hallmark/"

// storeys is the house from bottom to top: a package may import packages of lower storeys, never one beside it.
// The most specific path wins; a package that no line covers fails the test, so that every new room gets a storey.
var storeys = []struct {
	path   string
	storey int
}{
	{"pipeline/subject", 0},
	{"pipeline/verdict", 0},
	{"pipeline/secret", 0},
	{"pipeline/progress", 0},
	{"pipeline/lock", 0},
	{"pipeline/foreign", 0},
	{"pipeline/goldentest", 0},
	{"pipeline/pause", 0},
	{"pipeline/registry", 1},
	{"pipeline/image", 1},
	{"pipeline/evidence", 1},
	{"pipeline/engine", 1},
	{"pipeline/report", 1},
	{"pipeline/config", 2},
	{"pipeline/display", 2},
	{"pipeline/ci", 2},
	{"policies", 1},
	{"pipeline/build", 2},
	{"pipeline/check", 2},
	{"pipeline/scan", 2},
	{"pipeline/sign", 2},
	{"pipeline/launch", 2},
	{"pipeline/promote", 2},
	{"pipeline", 3},
	{"cmd/hallmark", 4},
	{"examples", 4},
	{"bench", 4},
	{"test", 4},
}

// foreign lists the libraries whose types must stay in their own rooms.
var foreign = map[string][]string{
	"github.com/aquasecurity/trivy": {"pipeline/scan"},
	"github.com/sigstore":           {"pipeline/sign"},
	"github.com/Azure":              {"pipeline/registry"},
	"github.com/theupdateframework": {"pipeline/sign"},
	"github.com/databricks":         {"pipeline/launch/databricks"},
	"github.com/moby/buildkit":      {"pipeline/engine", "pipeline/build", "pipeline/launch/sandbox", "pipeline/display"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestArrowsRunDownwards(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		from := strings.TrimPrefix(pkg.ImportPath, module)
		room, storey, known := place(from)
		if !known {
			t.Errorf("%s stands on no storey of the house: add it to storeys in this test and to docs/architecture.md", from)
			continue
		}
		for _, imported := range pkg.Imports {
			to, own := strings.CutPrefix(imported, module)
			if !own {
				checkForeign(t, from, imported)
				continue
			}
			below, belowStorey, _ := place(to)
			sameRoom := room == below || strings.HasPrefix(from, to+"/") || strings.HasPrefix(to, from+"/")
			upwards := belowStorey > storey
			beside := belowStorey == storey && !sameRoom && storey != 0
			if upwards || beside && room != "pipeline" {
				t.Errorf("%s (storey %d) imports %s (storey %d): arrows run downwards only; move what both need below both", from, storey, to, belowStorey)
			}
		}
	}
}

func checkForeign(t *testing.T, from, imported string) {
	t.Helper()
	for library, rooms := range foreign {
		if imported != library && !strings.HasPrefix(imported, library+"/") {
			continue
		}
		for _, room := range rooms {
			if from == room || strings.HasPrefix(from, room+"/") {
				return
			}
		}
		t.Errorf("%s imports %s, whose types belong in %s", from, imported, strings.Join(rooms, ", "))
	}
}

func place(path string) (room string, storey int, known bool) {
	for _, s := range storeys {
		if (path == s.path || strings.HasPrefix(path, s.path+"/")) && len(s.path) > len(room) {
			room, storey, known = s.path, s.storey, true
		}
	}
	// A folder below pipeline that has no line of its own must not slip in under pipeline's.
	if room == "pipeline" && path != "pipeline" {
		return "", 0, false
	}
	return room, storey, known
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	var all []listed
	for {
		var pkg listed
		switch err := decoder.Decode(&pkg); {
		case errors.Is(err, io.EOF):
			if len(all) < 10 {
				t.Fatalf("go list named only %d packages: the test would prove nothing", len(all))
			}
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, pkg)
	}
}
