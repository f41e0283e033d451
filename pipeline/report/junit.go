package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The format is what all systems read, within the schema by which Jenkins' xUnit plugin refuses reports: it has no place
// for the file and line of a case, so they stand in its name.
type junitSuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Time     string   `xml:"time,attr"`
	Suites   []*junitSuite
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	At       string      `xml:"timestamp,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Class     string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"`
	Skipped   *junitSkip    `xml:"skipped,omitempty"`
	Failure   *junitFailure `xml:"failure,omitempty"`
	Error     *junitFailure `xml:"error,omitempty"`
	SystemOut string        `xml:"system-out,omitempty"`
}

type junitSkip struct {
	Message string `xml:"message,attr,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// Bounds of a JUnit report: systems show what they read on one page.
const (
	junitFindings = 1000
	junitText     = 4 << 10
)

// JUnit writes a run as test results: its steps, the findings that block, the probes. What is the image's fault is a
// failure, what is not is an error.
func JUnit(w io.Writer, r Report) error {
	r = redacted(r)
	all := junitSuites{Name: "hallmark", Time: seconds(r.Elapsed)}
	all.add(r.junitSteps())
	all.add(r.junitFindings())
	for _, l := range r.Launches {
		all.add(l.junit())
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("writing the report as JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuites) add(suite *junitSuite) {
	if len(suite.Cases) == 0 {
		return
	}
	for _, c := range suite.Cases {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	s.Tests, s.Failures, s.Errors = s.Tests+suite.Tests, s.Failures+suite.Failures, s.Errors+suite.Errors
	s.Suites = append(s.Suites, suite)
}

func (r Report) junitSteps() *junitSuite {
	suite := &junitSuite{Name: "steps", Time: seconds(r.Elapsed), At: stamp(r.Started)}
	for _, s := range r.Steps {
		c := junitCase{Name: xmlText(s.Name), Class: "hallmark", Time: seconds(s.Elapsed)}
		switch s.State {
		case Skipped:
			// A step whose evidence stood is as good as done.
			c.SystemOut = xmlText("skipped: " + cmp.Or(s.Reason, s.Detail))
		case NotReached:
			c.Skipped = &junitSkip{xmlText(cmp.Or(s.Reason, "not reached"))}
		case Failed:
			c.fail(s.Verdict, s.Name, s.Reason, s.Output, s.Remedy)
		default:
			c.SystemOut = xmlText(s.Detail)
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

// fail is a failure where the image is at fault, and an error where its surroundings are.
func (c *junitCase) fail(v verdict.Verdict, kind, reason, output, remedy string) {
	f := &junitFailure{Message: xmlText(foreign.Cut(foreign.Line(reason), 500)), Type: xmlText(kind)}
	text := output
	if remedy != "" {
		text = strings.TrimSpace(text + "\nremedy: " + remedy)
	}
	f.Text = xmlText(text)
	if v == verdict.Fail {
		c.Failure = f
	} else {
		c.Error = f
	}
}

func (r Report) junitFindings() *junitSuite {
	suite := &junitSuite{Name: "findings", Time: "0", At: stamp(r.Started)}
	sorted := append([]verdict.Finding(nil), r.Findings...)
	verdict.Sort(sorted)
	for i, f := range sorted {
		if i == junitFindings {
			break
		}
		name := f.ID
		if f.Package != nil {
			name += " in " + f.Package.Name + " " + f.Package.Installed
		}
		if place := f.Place.String(); place != "" {
			name += " [" + place + "]"
		}
		c := junitCase{Name: xmlText(foreign.Line(name)), Class: xmlText("hallmark." + f.Gate), Time: "0"}
		said := cmp.Or(f.Message, f.Title)
		switch {
		case f.Blocking:
			c.fail(verdict.Fail, string(f.Severity), said, f.Source, f.Remedy)
		case f.Waiver != nil:
			c.Skipped = &junitSkip{xmlText("waived until " + f.Waiver.Until + " by " + f.Waiver.Owner + ": " + f.Waiver.Reason)}
		default:
			c.SystemOut = xmlText(string(f.Severity) + ": " + said)
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

func (l Launch) junit() *junitSuite {
	suite := &junitSuite{Name: xmlText("launch " + l.Target + "/" + l.Profile), Time: seconds(l.Elapsed), At: stamp(l.Started)}
	for _, p := range l.Probes {
		c := junitCase{Name: xmlText(p.Name), Class: xmlText("hallmark.launch." + l.Target + "." + l.Profile), Time: seconds(p.Elapsed)}
		switch p.Verdict {
		case verdict.Pass:
			c.SystemOut = xmlText(p.Output)
		case "":
			c.Skipped = &junitSkip{xmlText(cmp.Or(p.Reason, "never asked"))}
		default:
			c.fail(p.Verdict, "probe", p.Reason, p.Output, p.Remedy)
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(d, 0).Seconds()) }

// stamp is a moment as the schema has it: ISO 8601 without a zone.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

// xmlText is a text that XML can hold, and no terminal sequence that a page would pass on.
func xmlText(text string) string {
	text = foreign.Bound(foreign.Text(text), junitText)
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}
