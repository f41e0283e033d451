package launch

import (
	"strings"
	"testing"
)

func env(pairs ...string) Environment {
	return func(name string) (string, bool) {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value, true
			}
		}
		return "", false
	}
}

func TestSparkPlan(t *testing.T) {
	t.Parallel()
	plan := PlanFor(Spark, env("SPARK_HOME=/srv/spark"), Limits{CPUs: 3.5})
	if len(plan.Processes) != 2 || plan.Processes[0].Name != "master" || plan.Processes[1].Name != "worker" {
		t.Fatalf("processes %+v", plan.Processes)
	}
	master, worker := strings.Join(plan.Processes[0].Args, " "), strings.Join(plan.Processes[1].Args, " ")
	if !strings.HasPrefix(master, "/srv/spark/bin/spark-class org.apache.spark.deploy.master.Master ") {
		t.Errorf("master: %s", master)
	}
	for _, want := range []string{"/srv/spark/bin/spark-class org.apache.spark.deploy.worker.Worker", "--cores 3", "--work-dir /srv/spark/work-dir", "spark://127.0.0.1:7077"} {
		if !strings.Contains(worker, want) {
			t.Errorf("%q is not in the worker's %s", want, worker)
		}
	}
	for _, process := range plan.Processes {
		if len(process.Ready) == 0 {
			t.Errorf("nothing says when the %s is up", process.Name)
		}
	}
}

func TestSparkPlanLeavesTheImagesOwnJavaOptions(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]bool{"": true, "JAVA_TOOL_OPTIONS=-Xint": false} {
		added := strings.Join(PlanFor(Spark, env(own), Limits{}).Env, " ")
		if strings.Contains(added, "JAVA_TOOL_OPTIONS=") != want {
			t.Errorf("image with %q: %s", own, added)
		}
	}
}

func TestServicePlanIsTheImagesOwnCommand(t *testing.T) {
	t.Parallel()
	plan := PlanFor(Service, env(), Limits{})
	if len(plan.Processes) != 1 || plan.Processes[0].Args != nil || len(plan.Env) != 0 {
		t.Errorf("got %+v", plan)
	}
}

func TestExecFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		profile Profile
		probe   Probe
		want    string // beginning
		entry   bool
	}{
		{"Pi goes through the entry point", Spark, piProbe, "/opt/spark/bin/spark-submit --master spark://127.0.0.1:7077 ", true},
		{"a relative path is one in SPARK_HOME", Spark, Probe{Kind: Command, Args: []string{"bin/spark-submit", "--version"}}, "/opt/spark/bin/spark-submit --version", false},
		{"a plain name is one on PATH", Spark, Probe{Kind: Command, Args: []string{"java", "-version"}}, "java -version", false},
		{"an absolute path stays", Spark, Probe{Kind: Command, Args: []string{"/bin/true"}}, "/bin/true", false},
		{"a service knows no SPARK_HOME", Service, Probe{Kind: Command, Args: []string{"bin/x"}}, "bin/x", false},
		{"Python", Service, Probe{Kind: Python, Code: "print(1)"}, "python3 -c ", false},
	} {
		got := ExecFor(test.profile, env("SPARK_HOME=relative"), test.probe)
		if !strings.HasPrefix(strings.Join(got.Args, " "), test.want) || got.Entry != test.entry {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
	if pi := ExecFor(Spark, env(), Probe{Kind: SparkPi, Partitions: 7}); pi.Args[len(pi.Args)-1] != "7" {
		t.Errorf("partitions: %v", pi.Args)
	}
}
