package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestDatabricksPlanStartsNothingOfTheImage(t *testing.T) {
	t.Parallel()
	plan := PlanFor(Databricks, env(), Limits{})
	if len(plan.Processes) != 0 || !slices.Contains(plan.Env, "DB_IS_DRIVER=TRUE") || !slices.Contains(plan.Env, "SPARK_LOCAL_IP=127.0.0.1") {
		t.Errorf("got %+v", plan)
	}
}

func TestDatabricksExecs(t *testing.T) {
	t.Parallel()
	image := env("SPARK_HOME=/databricks/spark", "PYSPARK_PYTHON=/databricks/python3/bin/python")
	for _, test := range []struct {
		probe Probe
		want  string // beginning and end
		end   string
	}{
		{Probe{Kind: Python, Code: "print(1)"}, "/databricks/python3/bin/python -c ", " print(1) local[*] /databricks/spark runtime"},
		{Probe{Kind: Scala, Code: "println(1)"}, "bash -c ", " hallmark println(1)"},
		{Probe{Kind: SQL, Code: "SELECT 1"}, "bash -c export ", " HALLMARK_SQL=SELECT 1"},
		{Probe{Kind: Pip, From: "/dev/x/a.whl", Code: "import a"}, "bash -c ", " /databricks/spark"},
		{Probe{Kind: Pip, From: "/dev/wheels", Args: []string{"a", "b==1"}}, "bash -c ", " /databricks/spark a b==1"},
		{Probe{Kind: Command, Args: []string{"bin/x"}}, "bin/x", ""},
	} {
		got := ExecFor(Databricks, image, test.probe)
		text := strings.Join(got.Args, " ")
		if got.Entry || !strings.HasPrefix(text, test.want) || !strings.HasSuffix(text, test.end) {
			t.Errorf("%s: got %+v", test.probe.Kind, got)
		}
	}
	if got := ExecFor(Databricks, env(), Probe{Kind: Python, Code: "1"}); got.Args[0] != "python3" {
		t.Errorf("without PYSPARK_PYTHON: %v", got.Args)
	}
}

// The survey is bash's own work: it is run by the real one.
func TestSurvey(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	program := func(name, text string) string {
		path := filepath.Join(bin, name)
		if err := os.WriteFile(path, []byte("#!/bin/bash\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	java := program("java", `echo 'openjdk version "1.8.0_392"' >&2`)
	python := program("python3", "")
	for _, test := range []struct {
		name string
		env  []string
		want Survey
	}{
		{"all", []string{"PATH=" + bin}, Survey{Java: java, JavaVersion: "1.8.0_392", Python: python}},
		{"nothing", []string{"PATH=/nosuch"}, Survey{}},
		{"the image's choice of a Python", []string{"PATH=" + bin, "PYSPARK_PYTHON=" + java}, Survey{Java: java, JavaVersion: "1.8.0_392", Python: java}},
		{"a choice that is not there", []string{"PATH=" + bin, "PYSPARK_PYTHON=/nosuch/python"}, Survey{Java: java, JavaVersion: "1.8.0_392"}},
	} {
		args := SurveyExec().Args
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = test.env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", test.name, err, out)
		}
		if got := ParseSurvey(string(out)); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// The shell's harness is run by the real bash, with a spark-shell that shows what it is given.
func TestShellHarness(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	shell := filepath.Join(home, "bin", "spark-shell")
	if err := os.Mkdir(filepath.Dir(shell), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(shell, []byte("#!/bin/bash\necho \"$@\"\nread -r paste file\ncat \"$file\"\ncat\necho \"$HALLMARK_SQL\"\nexit 65\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for code, args := range map[string][]string{
		"println(\"it's 100%\")\nval a = `x`": shellArgs("println(\"it's 100%\")\nval a = `x`"),
		"SELECT '$x', \"y\"":                  shellArgs(sqlCode, "HALLMARK_SQL=SELECT '$x', \"y\""),
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "SPARK_HOME="+home, "TMPDIR="+home)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 65 {
			t.Errorf("ended with %v", err)
		}
		for _, want := range []string{code, "--master local[*]", `println("` + answerBegins + `");`, "sys.exit(sys.props"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%q is not in what the shell was given:\n%s", want, out)
			}
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no lines": "no lines",
		"Welcome 42\n" + answerBegins + "\nrow\n" + answerEnds + "\nbye":        "row\n",
		"Welcome 42\n" + answerBegins + "\nrow\nerror":                          "row\nerror",
		answerBegins + "\none\n" + answerBegins + "\ntwo\n" + answerEnds + "\n": "two\n",
	} {
		if got := answer(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestJudgeScript(t *testing.T) {
	t.Parallel()
	image, local := Script{Path: "/opt/a.sh", Inside: true}, Script{Path: "/home/me/b.sh"}
	for _, test := range []struct {
		name   string
		script Script
		code   int
		output string
		late   bool
		want   verdict.Verdict
		reason string
	}{
		{"well", local, 0, "x", false, "", ""},
		{"the image's", image, 9, "one\ntwo\n", false, verdict.Fail, `the init script file:/opt/a.sh ended with exit code 9 after 1.5s; the last it wrote was "one / two"`},
		{"the image's, silent", image, 1, "", false, verdict.Fail, "and wrote nothing"},
		{"the user's", local, 9, "two", false, verdict.Inconclusive, `b.sh ended with exit code 9 after 1.5s; the last it wrote was "two"; the script is not part of the image`},
		{"the user's, with a program that the image lacks", local, 127, "b.sh: line 2: systemctl: command not found", false, verdict.Fail, "the program systemctl is missing"},
		{"the network", image, 6, "curl: (6) Could not resolve host: example.com", false, verdict.Inconclusive, "the sandbox has none"},
		{"the disk", image, 1, "cp: No space left on device", false, verdict.Inconclusive, "disk"},
		{"the image's, late", image, 137, "waiting", true, verdict.Inconclusive, "does not end within 5s; the last it wrote was \"waiting\", when the launch's time was over"},
		{"the user's, late", local, 137, "", true, verdict.Inconclusive, "does not end within 5s and wrote nothing"},
	} {
		got := JudgeScript(test.script, ScriptResult{ExitCode: test.code, Output: test.output, Elapsed: 1500 * time.Millisecond}, 5*time.Second, test.late)
		if test.want == "" {
			if got != nil {
				t.Errorf("%s: %v", test.name, got)
			}
			continue
		}
		if got == nil || got.Verdict != test.want || !strings.Contains(got.Reason, test.reason) || got.Remedy == "" {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestScriptsHaveTimeOfTheirOwn(t *testing.T) {
	t.Parallel()
	got := JudgeScript(Script{Path: "/opt/a.sh", Inside: true}, ScriptResult{ExitCode: 137, Output: "waiting"}, ScriptWithin, true)
	if got == nil || got.Verdict != verdict.Fail || !strings.Contains(got.Reason, "does not end within 5m0s") {
		t.Errorf("got %+v", got)
	}
}

func TestNoJava(t *testing.T) {
	t.Parallel()
	for version, reason := range map[string]string{"1.8.0_392": "", "1.8.0_191": "", "17.0.13": "", "11": "", "": "", "1.8.0_181": "asks for 8u191", "1.7.0_80": "asks for 8u191"} {
		got := NoJava(Survey{Java: "/usr/bin/java", JavaVersion: version})
		if (got == nil) != (reason == "") || got != nil && !strings.Contains(got.Reason, reason) {
			t.Errorf("%q: got %+v", version, got)
		}
	}
	if got := NoJava(Survey{}); got == nil || got.Verdict != verdict.Fail || !strings.Contains(got.Reason, "no java") {
		t.Errorf("none: got %+v", got)
	}
}

func TestJudgeDriver(t *testing.T) {
	t.Parallel()
	survey := Survey{Java: "/usr/bin/java", JavaVersion: "11.0.2"}
	up := Output{Text: answerBegins + "\n" + driverSays + "Spark 4.0.1, Scala 2.13, Java 17 on local[*]; 1000 = 1000\n" + answerEnds}
	if err := JudgeDriver(survey, "/opt/spark", up, 0); err != nil {
		t.Error(err)
	}
	if got, err := DriverVersions(up); got != "Spark 4.0.1, Scala 2.13, Java 17 on local[*]" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, test := range []struct {
		out    Output
		ended  time.Duration
		want   verdict.Verdict
		reason string
	}{
		{Output{ExitCode: 1, Text: "java.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main has been compiled by a more recent version of the Java Runtime"}, 0, verdict.Fail, "with the image's Java 11.0.2 (/usr/bin/java) and the Spark of /opt/spark: the Java in the image is too old for org/apache/spark/launcher/Main"},
		{Output{ExitCode: 0, Text: "Welcome\nbye"}, 0, verdict.Fail, `the last it wrote was "Welcome / bye"`},
		{Output{ExitCode: 1}, 0, verdict.Fail, "it wrote nothing"},
		{Output{ExitCode: 137, Text: "Welcome"}, DriverWithin, verdict.Inconclusive, `within 3m0s, and still at work; the last it wrote was "Welcome"`},
		{Output{ExitCode: 137}, 5 * time.Minute, verdict.Inconclusive, "within 5m0s, and still at work; it wrote nothing"},
		{Output{ExitCode: 137, Text: "x: command not found"}, DriverWithin, verdict.Inconclusive, "still at work: the program x is missing"},
		{Output{ExitCode: 137, Text: "No space left on device"}, DriverWithin, verdict.Inconclusive, "disk"},
		{Output{ExitCode: 137, Text: up.Text}, DriverWithin, verdict.Inconclusive, "still at work"},
		{Output{ExitCode: 1, Text: "No space left on device"}, 0, verdict.Inconclusive, "disk"},
		{Output{Text: strings.Replace(up.Text, "1000 = 1000", "1000 = 999", 1)}, 0, verdict.Fail, "does not start"},
	} {
		got := JudgeDriver(survey, "/opt/spark", test.out, test.ended)
		if got != nil && got.Verdict == verdict.Inconclusive && got.Code == CodeDriver {
			t.Errorf("%+v: nobody knows whose fault it is, and the code is the driver's", test.out)
		}
		if got == nil || got.Verdict != test.want || !strings.Contains(got.Reason, test.reason) || got.Remedy == "" {
			t.Errorf("%+v: got %+v", test.out, got)
		}
	}
}

func TestDriverBound(t *testing.T) {
	t.Parallel()
	for spec, want := range map[*Spec]time.Duration{
		{Timeout: time.Minute}: DriverWithin, {Timeout: 9 * time.Minute}: DriverWithin, {Timeout: 30 * time.Minute}: 10 * time.Minute,
		{Timeout: 30 * time.Minute, DriverTime: time.Second}: time.Second,
	} {
		if got := spec.DriverBound(); got != want {
			t.Errorf("of %s: %s, want %s", spec.Timeout, got, want)
		}
	}
}

func TestJudgeDatabricksProbes(t *testing.T) {
	t.Parallel()
	between := func(text string) string {
		return "Welcome 42\n" + answerBegins + "\n" + text + "\n" + answerEnds + "\n"
	}
	for _, test := range []struct {
		name   string
		probe  Probe
		out    Output
		want   verdict.Verdict
		reason string
	}{
		{"rows", Probe{Kind: SQL, Code: "SELECT 1", Contains: "4950\ta"}, Output{Text: between("a\tb\n4950\ta")}, verdict.Pass, ""},
		{"other rows", Probe{Kind: SQL, Code: "SELECT 1", Contains: "42"}, Output{Text: between("a")}, verdict.Fail, `does not contain "42"`},
		{"an expression", Probe{Kind: Scala, Code: "x", Matches: "^a+\n$"}, Output{Text: between("aaa")}, verdict.Pass, ""},
		{"no such name", Probe{Kind: Scala, Code: "x"}, Output{ExitCode: 65, Text: "/tmp/a.scala:3: error: not found: value x"}, verdict.Fail, "the Scala code names x"},
		{"no Python", Probe{Kind: Python, Code: "1"}, Output{NoCommand: true, ExitCode: 127, Text: "python3: not found"}, verdict.Fail, "no Python in the image"},
		{"no bash", Probe{Kind: Scala, Code: "1"}, Output{NoCommand: true, ExitCode: 127}, verdict.Fail, "no command bash"},
		{"installed", Probe{Kind: Pip, From: "/w/a.whl", Code: "import a", Contains: "hi"}, Output{Text: "Successfully installed\n" + answerBegins + "\nhi\n"}, verdict.Pass, ""},
		{"installed, and silent", Probe{Kind: Pip, From: "/w/a.whl", Code: "import a", Contains: "installed"}, Output{Text: "Successfully installed\n" + answerBegins + "\n"}, verdict.Fail, "does not contain"},
		{"no environment", Probe{Kind: Pip, From: "/w/a.whl"}, Output{ExitCode: 71, Text: "ensurepip is not available\n" + noVenv}, verdict.Fail, `cannot make a virtual environment, which a notebook's pip needs: "ensurepip is not available"`},
		{"no version", Probe{Kind: Pip, From: "/w", Args: []string{"a"}}, Output{ExitCode: 72, Text: "ERROR: No matching distribution found for a\n" + noPip}, verdict.Fail, "pip does not install /w a: "},
		{"a network", Probe{Kind: Pip, From: "/w", Args: []string{"a"}}, Output{ExitCode: 72, Text: "Failed to establish a new connection\n" + noPip}, verdict.Inconclusive, "the sandbox has none"},
		{"code that raises", Probe{Kind: Pip, From: "/w/a.whl", Code: "1/0"}, Output{ExitCode: 1, Text: "ZeroDivisionError: division by zero"}, verdict.Fail, "ZeroDivisionError"},
	} {
		probe, err := test.probe.check(Databricks)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got := judge(probe, test.out)
		if got.verdict != test.want || !strings.Contains(got.reason, test.reason) || got.verdict != verdict.Pass && got.remedy == "" {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestDatabricksProbesAreChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		probe   Probe
		profile Profile
		name    string
		err     string
	}{
		{Probe{Kind: SQL, Code: "SELECT\n  1"}, Databricks, "sql SELECT 1", ""},
		{Probe{Kind: Scala, Code: "x"}, Databricks, "scala", ""},
		{Probe{Kind: Pip, From: "/home/me/wheels", Args: []string{"a"}}, Databricks, "pip wheels a", ""},
		{Probe{Kind: SQL, Code: "SELECT 1"}, Spark, "", "needs the profile databricks"},
		{Probe{Kind: Pip, From: "x"}, Service, "", "needs the profile databricks"},
		{Probe{Kind: Scala, Code: " "}, Databricks, "", "scala has no code"},
		{Probe{Kind: Pip}, Databricks, "", "no wheel and no folder"},
		{Probe{Kind: Pip, Args: []string{"six"}}, Databricks, "pip six", ""},
		{Probe{Kind: R, Code: "cat(1)"}, Databricks, "r", ""},
		{Probe{Kind: R}, Databricks, "", "r has no code"},
		{Probe{Kind: Fuse, Path: "/Volumes/a"}, Databricks, "fuse /Volumes/a", ""},
		{Probe{Kind: Fuse, Path: "dbfs"}, Databricks, "", "does not begin with /"},
		{Probe{Kind: GPU}, Databricks, "gpu", ""},
		{Probe{Kind: SparkPi, Partitions: 2}, Databricks, "", "profile spark"},
	} {
		got, err := test.probe.check(test.profile)
		if test.err == "" && (err != nil || got.Name != test.name) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%+v: got %q, %v", test.probe, got.Name, err)
		}
	}
}

func TestNotInstalled(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]verdict.Verdict{
		"WARNING: Retrying after connection broken by 'ConnectTimeoutError(<x>, 'Connection to pypi.org timed out. (connect timeout=15)')'": verdict.Inconclusive,
		"ReadTimeoutError: HTTPSConnectionPool(host='files.pythonhosted.org', port=443): Read timed out.":                                   verdict.Inconclusive,
		"ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))":                                        verdict.Inconclusive,
		"SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))":                                                         verdict.Inconclusive,
		"ConnectionResetError(104, 'Connection reset by peer')":                                                                             verdict.Inconclusive,
		"ERROR: HTTP error 503 while getting https://pypi.org/simple/six/":                                                                  verdict.Inconclusive,
		"HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded with url: /simple/six/":                                       verdict.Inconclusive,
		"ERROR: HTTP error 404 while getting https://pypi.org/simple/six/":                                                                  verdict.Fail,
		"ERROR: No matching distribution found for six":                                                                                     verdict.Fail,
	} {
		probe := Probe{Kind: Pip, Args: []string{"six"}}
		if got := NotInstalled(probe, output); got.Verdict != want || got.Remedy == "" {
			t.Errorf("%s: %s", output, got.Verdict)
		}
		if got := judgePip(probe, Output{ExitCode: 72, Text: output + "\n" + noPip}); got.verdict != want || got.remedy == "" {
			t.Errorf("%s: in the sandbox %s", output, got.verdict)
		}
	}
}
