package reasons

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// The table has every code of the platform's SDK, and no other.
func TestTableAgreesWithTheSDK(t *testing.T) {
	t.Parallel()
	var code compute.TerminationReasonCode
	var known []string
	for _, value := range code.Values() {
		known = append(known, string(value))
	}
	if len(known) < 187 {
		t.Fatalf("the SDK names only %d codes: is it the list that was meant?", len(known))
	}
	for _, code := range known {
		if _, ok := Lookup(code); !ok {
			t.Errorf("the SDK has the code %s, and data/*.yaml does not: say there what it means", code)
		}
	}
	for _, code := range Codes() {
		if !slices.Contains(known, code) {
			t.Errorf("data/*.yaml has the code %s, and the SDK does not", code)
		}
	}
}

func TestTypesAndEventsAreTheSDKs(t *testing.T) {
	t.Parallel()
	var kind compute.TerminationReasonType
	for _, value := range kind.Values() {
		if got, fallback := Unknown("NEW_CODE", string(value)), Unknown("NEW_CODE", "of no kind"); got == fallback {
			t.Errorf("the type %s is answered like one that is not known", value)
		}
	}
	var event compute.EventType
	for _, name := range append(slices.Clone(telling), "INIT_SCRIPTS_STARTED", "INIT_SCRIPTS_FINISHED") {
		if !slices.Contains(event.Values(), compute.EventType(name)) {
			t.Errorf("the SDK has no event %s", name)
		}
	}
	var status compute.InitScriptExecutionDetailsInitScriptExecutionStatus
	for _, value := range status.Values() {
		if strings.HasPrefix(ending(string(value)), "ended as") {
			t.Errorf("the status %s has no words", value)
		}
	}
}

// verb is how a remedy begins: a person shall know what to do.
var verb = regexp.MustCompile(`^(Ask|Build|Choose|Compare|Copy|Correct|Enable|Find|Free|Give|Install|Launch|Look|Make|Open|Raise|Read|Run|Set|Shorten|Take|Wait|Write) `)

// forms are an entry and its refinements, each as people meet it.
func forms(e *entry) []*entry {
	all := []*entry{e}
	for _, w := range e.When {
		all = append(all, e.refined(w))
	}
	return all
}

func TestWords(t *testing.T) {
	t.Parallel()
	sentences := map[string]string{}
	for _, code := range Codes() {
		for _, e := range forms(table()[code]) {
			bare := fill(e.Sentence, nil)
			if before := sentences[bare]; before != "" {
				t.Errorf("%s and %s have one sentence: %s", code, before, bare)
			}
			sentences[bare] = code
			if strings.ContainsAny(bare, "[]{}") || strings.Contains(bare, "  ") || strings.TrimSpace(bare) != bare {
				t.Errorf("%s: without parameters its sentence is %q", code, bare)
			}
			if strings.Contains(bare, code) || regexp.MustCompile(`[A-Z]+_[A-Z]+`).MatchString(bare) {
				t.Errorf("%s: its sentence is written for machines: %s", code, bare)
			}
			if !verb.MatchString(e.Remedy) {
				t.Errorf("%s: its remedy does not start with a verb: %s", code, e.Remedy)
			}
			if e.Class == ClassImage && strings.Contains(e.Remedy, "Run the same command again") {
				t.Errorf("%s: the image's fault does not go away by trying again", code)
			}
		}
	}
}

// What is tried again, and whom it is laid at, is decided here a second time, by the kind of the code.
func TestClasses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		codes string
		class Class
		retry string // yes, no, or either
	}{
		{`DOCKER_(INVALID|CONTAINER|IMAGE_TOO).*|CONTAINER_LAUNCH_FAILURE|SPARK_(ERROR|STARTUP_FAILURE)|DRIVER_UN(REACHABLE|RESPONSIVE|HEALTHY)|EXECUTION_COMPONENT_UNHEALTHY|NFS_MOUNT_FAILURE|DBFS_COMPONENT_UNHEALTHY|INIT_SCRIPT_FAILURE`, ClassImage, "no"},
		{`DOCKER_IMAGE_PULL_FAILURE|GLOBAL_INIT_SCRIPT_FAILURE|INVALID_(ARGUMENT|SPARK_IMAGE)|SECRET_(PERMISSION_DENIED|RESOLUTION_ERROR|CREATION_FAILURE)|.*_DUE_TO_MISCONFIG|.*KMS.*|EOS_SPARK_IMAGE|INSTANCE_POOL_NOT_FOUND`, ClassConfiguration, "no"},
		{`.*THROTTL.*|.*STOCKOUT|.*INSUFFICIENT_(INSTANCE_)?CAPACITY.*|SPOT_INSTANCE_TERMINATION|INTERNAL_ERROR|RATE_LIMITED|TEMPORARILY_UNAVAILABLE|COMMUNICATION_LOST|ALLOCATION_TIMEOUT.*`, ClassSurroundings, "yes"},
		{`.*QUOTA_EXCEEDED.*`, ClassSurroundings, "either"},
		{`SUBNET_EXHAUSTED_FAILURE|.*_FREE_ADDRESSES_.*|.*IP_SPACE_EXHAUSTED`, ClassSurroundings, "no"}, // they come back when somebody's clusters end, not within minutes
		{`USER_REQUEST|INACTIVITY|JOB_FINISHED|WORKSPACE_UPDATE|USER_INITIATED_VM_TERMINATION`, ClassEnded, "no"},
	} {
		pattern, met := regexp.MustCompile("^("+test.codes+")$"), 0
		for _, code := range Codes() {
			if !pattern.MatchString(code) {
				continue
			}
			met++
			r, _ := Lookup(code)
			if r.Class != test.class || test.retry != "either" && r.Retry != (test.retry == "yes") {
				t.Errorf("%s: %s, retry %v; want %s, %s", code, r.Class, r.Retry, test.class, test.retry)
			}
		}
		if met < 2 {
			t.Errorf("%s names %d codes", test.codes, met)
		}
	}
	images := 0
	for _, code := range Codes() {
		if r, _ := Lookup(code); r.Class == ClassImage {
			images++
		}
	}
	if images != 13 {
		t.Errorf("%d codes blame the image: whoever adds one says why in this test", images)
	}
}

// A table that somebody broke is refused, with what is wrong with it.
func TestBrokenTables(t *testing.T) {
	t.Parallel()
	const head = "about: a\nsource: b\ndate: 2026-11-22\ncodes:\n"
	const good = "  - {code: A, class: image, retry: false, sentence: the image, remedy: Build it}\n"
	for name, test := range map[string]struct{ text, want string }{
		"an unknown field":         {head + "  - {code: A, class: image, colour: red, sentence: s, remedy: r}\n", "colour"},
		"no sentence":              {head + "  - {code: A, class: image, remedy: r}\n", "missing"},
		"no remedy":                {head + "  - {code: A, class: image, sentence: s}\n", "missing"},
		"no source":                {"about: a\ndate: 2026-11-22\ncodes:\n" + good, "source"},
		"an unknown class":         {head + "  - {code: A, class: nobody, sentence: s, remedy: r}\n", "nobody"},
		"an image tried again":     {head + "  - {code: A, class: image, retry: true, sentence: s, remedy: r}\n", "never worth a retry"},
		"a bare parameter":         {head + "  - {code: A, class: image, sentence: 'the {instance_id}', remedy: r}\n", "brackets"},
		"a full stop":              {head + "  - {code: A, class: image, sentence: s., remedy: r}\n", "full stop"},
		"an unknown error":         {head + "  - {code: A, class: image, as: x, sentence: s, remedy: r}\n", "no code of a launch error"},
		"a code twice":             {head + good + good, "there already"},
		"a broken pattern":         {head + "  - {code: A, class: image, sentence: s, remedy: r, when: [{says: '('}]}\n", "missing closing"},
		"a refinement of no words": {head + "  - {code: A, class: image, sentence: s, remedy: r, when: [{class: image}]}\n", "says nothing"},
		"two documents":            {head + good + "---\n" + head + good, "second document"},
	} {
		_, err := read(fstest.MapFS{"data/x.yaml": {Data: []byte(test.text)}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
	if all, err := read(fstest.MapFS{"data/x.yaml": {Data: []byte(head + good)}}); err != nil || len(all) != 1 {
		t.Errorf("a good table: %v, %v", all, err)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, code := range Codes() {
		for i, e := range forms(table()[code]) {
			again := ""
			if e.Retry {
				again = ", tried again"
			}
			name := code
			if i > 0 {
				name += " where it says " + table()[code].When[i-1].Says
			}
			fmt.Fprintf(&b, "%s\n  %s%s, %s\n  %s.\n  %s.\n", name, e.Class, again, e.errorCode(), e.Sentence, e.Remedy)
		}
	}
	goldentest.Compare(t, filepath.Join("testdata", "table.golden"), b.String())
}
