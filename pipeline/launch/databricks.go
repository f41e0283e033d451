package launch

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// The steps are those of the platform's document on container services: the image is downloaded, a container is made of
// it, the runtime is copied in, init scripts run. A driver and its questions follow.

// RuntimePlaces are where the runtime goes: to the platform's own place, or beside it where the image has that already.
var RuntimePlaces = []string{"/databricks/spark", "/databricks/hallmark-spark"}

const (
	// DriverWithin bounds the start of the driver in short launches, ScriptWithin one init script.
	DriverWithin = 3 * time.Minute
	ScriptWithin = 5 * time.Minute

	localMaster  = "local[*]"
	answerBegins = "hallmark: the answer begins"
	answerEnds   = "hallmark: the answer ends"
	driverSays   = "hallmark: the driver runs "
)

// DriverBound bounds the start of the driver: in a launch that may take long, because the machine is slow, that may, too.
func (s Spec) DriverBound() time.Duration {
	return cmp.Or(s.DriverTime, max(DriverWithin, s.Timeout/3))
}

// Unknown is what a launch with the profile databricks cannot know of the platform.
const Unknown = "it has not seen the real runtime's own libraries and their versions, DBFS and FUSE, the workspace, its network and its policies"

// Script is an init script.
type Script struct {
	Path   string // in the image, or on this machine; absolute
	Inside bool   // it is the image's own
}

// Name is what people read.
func (s Script) Name() string {
	if s.Inside {
		return "file:" + s.Path
	}
	return filepath.Base(s.Path)
}

// ScriptResult is how an init script ended.
type ScriptResult struct {
	Name     string        `json:"name"`
	Digest   string        `json:"digest,omitempty"` // of what was run; empty: it could not be read
	Note     string        `json:"note,omitempty"`   // why there is no digest
	ExitCode int           `json:"exit_code"`
	Output   string        `json:"output,omitempty"` // bounded tail
	Elapsed  time.Duration `json:"elapsed_ns"`
}

// databricksEnv is what everything in the container sees besides the image's own environment.
func databricksEnv(env Environment) []string {
	return append([]string{
		"SPARK_LOCAL_IP=127.0.0.1", // there is no other network, and the host's name need not resolve
		// What the platform tells init scripts.
		"DB_CLUSTER_ID=hallmark", "DB_CLUSTER_NAME=hallmark", "DB_IS_DRIVER=TRUE", "DB_IS_JOB_CLUSTER=FALSE",
		"DB_CONTAINER_IP=127.0.0.1", "DB_DRIVER_IP=127.0.0.1",
	}, quickJava(env)...)
}

// Survey is what the image offers a driver.
type Survey struct {
	Java        string // path; empty: none on PATH
	JavaVersion string // 17.0.13; empty: java did not say
	Python      string // path; empty: none
	R           string // path of Rscript; empty: none
}

// surveyed asks bash alone, so that nothing else can be missing.
const surveyed = `
say() { printf 'hallmark-%s=%s\n' "$1" "$2"; }
say java "$(command -v java)"
say r "$(command -v Rscript)"
for python in ${PYSPARK_PYTHON:-/databricks/python3/bin/python /databricks/python3/bin/python3 python3}; do
  found="$(command -v "$python")" && say python "$found" && break
done
java=$(java -version 2>&1) && say version "${java//$'\n'/ }"
:
`

// SurveyExec asks the image what it offers.
func SurveyExec() Exec { return Exec{Args: []string{"bash", "-c", surveyed}} }

var javaVersion = regexp.MustCompile(`version "([^"]+)"`)

// ParseSurvey reads what SurveyExec printed.
func ParseSurvey(text string) Survey {
	var s Survey
	for _, line := range foreign.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = foreign.Short(value, 200); key {
		case "hallmark-java":
			s.Java = value
		case "hallmark-python":
			s.Python = value
		case "hallmark-r":
			s.R = value
		case "hallmark-version":
			if match := javaVersion.FindStringSubmatch(value); match != nil {
				s.JavaVersion = match[1]
			}
		}
	}
	return s
}

// shellHarness runs Scala code, its first argument, in the runtime's own shell, with a session at hand as spark. The
// shell's exit code says nothing about code that does not compile or that throws: the property does. Whatever else the
// shell prints stands outside the two lines around the answer.
const shellHarness = `
file="${TMPDIR:-/tmp}/hallmark-$$.scala"
printf 'println("%s");\n%s\n;println("%s"); sys.props("hallmark.answered") = "0"\n' "` + answerBegins + `" "$1" "` + answerEnds + `" >"$file" || exit 70
"$SPARK_HOME/bin/spark-shell" --master '` + localMaster + `' --conf spark.ui.enabled=false \
  <<<":paste $file"$'\n''sys.exit(sys.props.getOrElse("hallmark.answered", "65").toInt)'
`

// sqlCode prints the rows of the statement, a line for each after a line of names.
const sqlCode = `{
  val rows = spark.sql(sys.env("HALLMARK_SQL"))
  println(rows.columns.mkString("\t"))
  rows.limit(1000).collect().foreach(row => println(row.mkString("\t")))
}`

// driverCode computes something, and says on what.
const driverCode = `println("` + driverSays + `Spark " + spark.version + ", Scala " + scala.util.Properties.versionNumberString + ", Java " + System.getProperty("java.version") + " on " + spark.sparkContext.master + "; 1000 = " + spark.range(1000).count())`

func shellArgs(code string, env ...string) []string {
	script := shellHarness
	args := []string{"bash", "-c", script, "hallmark", code}
	if len(env) > 0 { // as arguments: bash puts them into the environment of what it starts
		args[2] = `export "${@:2}"` + script
		args = append(args, env...)
	}
	return args
}

// DriverExec starts a driver, has it count, and ends it.
func DriverExec() Exec { return Exec{Args: shellArgs(driverCode)} }

// pythonOf is the Python that code runs with.
func pythonOf(profile Profile, env Environment) string {
	if python, set := env("PYSPARK_PYTHON"); profile == Databricks && set && python != "" {
		return python
	}
	return "python3"
}

const (
	noVenv = "hallmark: no virtual environment"
	noPip  = "hallmark: pip did not install"
)

// pipHarness does what a notebook's %pip does: a virtual environment over the image's Python, made with virtualenv where
// the image has it, as the platform would; then the installation, without a network; then the code, if there is some.
const pipHarness = `
python="$1" from="$2" code="$3" harness="$4" home="$5"; shift 5
venv="${TMPDIR:-/tmp}/hallmark-venv-$$"
if "$python" -c 'import virtualenv' 2>/dev/null; then
  "$python" -m virtualenv --quiet --no-download --system-site-packages "$venv"
else
  "$python" -m venv --system-site-packages "$venv"
fi || { echo '` + noVenv + `'; exit 71; }
if [ -d "$from" ]; then set -- --find-links "$from" "$@"; else set -- "$from" "$@"; fi
"$venv/bin/python" -m pip install --no-index --disable-pip-version-check --root-user-action=ignore "$@" || { echo '` + noPip + `'; exit 72; }
if [ -n "$code" ]; then
  export PYSPARK_PYTHON="$venv/bin/python"
  echo '` + answerBegins + `'
  exec "$venv/bin/python" -c "$harness" "$code" '` + localMaster + `' "$home" runtime
fi
`

func pipArgs(env Environment, probe Probe) []string {
	args := []string{"bash", "-c", pipHarness, "hallmark", pythonOf(Databricks, env), probe.From, probe.Code, pythonHarness, sparkHome(env)}
	return append(args, probe.Args...)
}

// answer is what the code of a probe has printed, without what the shell around it says. Without the lines that tell
// them apart, all of it is.
func answer(text string) string {
	at := strings.LastIndex(text, answerBegins)
	if at < 0 {
		return text
	}
	text = text[at+len(answerBegins):]
	if end := strings.Index(text, answerEnds); end >= 0 {
		text = text[:end]
	}
	return strings.TrimPrefix(text, "\n")
}

// DriverVersions is what the driver said of itself: "Spark 3.5.7, Scala 2.12.18, Java 17.0.13 on local[*]".
func DriverVersions(out Output) (string, error) {
	said := answer(out.Text)
	_, after, found := strings.Cut(said, driverSays)
	versions, count, _ := strings.Cut(after, "; 1000 = ")
	if !found || out.ExitCode != 0 || strings.TrimSpace(count) != "1000" {
		return "", fmt.Errorf("the driver did not count to 1000")
	}
	return foreign.Short(versions, 200), nil
}
