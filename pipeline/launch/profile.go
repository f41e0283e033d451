package launch

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Profile is how an image is started on a target.
type Profile string

const (
	// Spark starts Spark's master and worker through the image's entry point, as its pass-through commands.
	Spark Profile = "spark"
	// Service starts the image's own command.
	Service Profile = "service"
	// Databricks does what Databricks Container Services document: it ignores the image's entry point and command, copies
	// a runtime in, runs init scripts as root, and starts a driver.
	Databricks Profile = "databricks"
)

var profiles = []Profile{Spark, Service, Databricks}

// Environment looks up a variable of the image's configuration.
type Environment func(name string) (value string, set bool)

// Plan is what a profile starts on a target that runs containers.
type Plan struct {
	// Processes start one after the other, each when the one before is ready. When the first ends, all is over.
	Processes []Process
	// Env is added to the image's own for everything that runs.
	Env []string
}

// Process is one of them.
type Process struct {
	Name string // master
	// Args are given to the image's entry point; nil: its own command.
	Args []string
	// Ready lists the pages that must answer before the process counts as up.
	Ready []Page
}

// Page is a page that must answer.
type Page struct {
	Name     string // "the master's page"
	Port     int
	Path     string
	Contains string
}

// URL is the page's address inside the cluster.
func (p Page) URL() string { return fmt.Sprintf("http://127.0.0.1:%d%s", p.Port, p.Path) }

// Ports and sizes of the Spark cluster. All of it lives in one container with a network of its own, so fixed ports
// cannot collide; the heaps are as small as SparkPi works with, so that modest limits suffice.
const (
	masterPort   = 7077
	masterUI     = 8080
	workerUI     = 8081
	masterURL    = "spark://127.0.0.1:7077"
	daemonHeap   = "256m"
	executorHeap = "512m"
	workerMemory = "1g"
	defaultHome  = "/opt/spark"
	javaOptions  = "JAVA_TOOL_OPTIONS"
)

// PlanFor is what the profile starts, given the image's environment and the limits.
func PlanFor(profile Profile, env Environment, limits Limits) Plan {
	if profile == Service {
		return Plan{Processes: []Process{{Name: "service"}}}
	}
	if profile == Databricks {
		return Plan{Env: databricksEnv(env)} // its steps are no processes that go on
	}
	class := path.Join(sparkHome(env), "bin", "spark-class")
	cores := 2
	if limits.CPUs > 0 {
		cores = max(1, int(limits.CPUs))
	}
	added := []string{
		"SPARK_LOCAL_IP=127.0.0.1", // there is no other network, and the host's name need not resolve
		"SPARK_DAEMON_MEMORY=" + daemonHeap,
	}
	return Plan{
		Env: append(added, quickJava(env)...),
		Processes: []Process{
			{
				Name: "master",
				Args: []string{class, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", strconv.Itoa(masterPort), "--webui-port", strconv.Itoa(masterUI)},
				Ready: []Page{
					{Name: "the master's page", Port: masterUI, Path: "/", Contains: "Spark Master at " + masterURL},
				},
			},
			{
				Name: "worker",
				Args: []string{
					class, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port", strconv.Itoa(workerUI),
					"--cores", strconv.Itoa(cores), "--memory", workerMemory, "--work-dir", path.Join(sparkHome(env), "work-dir"), masterURL,
				},
				Ready: []Page{
					{Name: "the worker's page", Port: workerUI, Path: "/", Contains: "Spark Worker at 127.0.0.1:"},
					{Name: "the worker in the master's list", Port: masterUI, Path: "/json/", Contains: `"aliveworkers" : 1`},
				},
			},
		},
	}
}

// quickJava are the options of JVMs that live for seconds. Without the second compiler they need half the processor time;
// what they load and run is the same. An image that has options of its own keeps them.
func quickJava(env Environment) []string {
	if _, set := env(javaOptions); set {
		return nil
	}
	return []string{javaOptions + "=-XX:TieredStopAtLevel=1"}
}

func sparkHome(env Environment) string {
	if home, set := env("SPARK_HOME"); set && strings.HasPrefix(home, "/") {
		return home
	}
	return defaultHome
}

// Exec is a command for a target that runs containers.
type Exec struct {
	Args []string
	// Entry says that the command goes through the image's entry point.
	Entry bool
}

// ExecFor is what a probe runs in the container. HTTP probes run nothing: a target has its own way to fetch a page.
func ExecFor(profile Profile, env Environment, probe Probe) Exec {
	switch probe.Kind {
	case SparkPi:
		examples := path.Join(sparkHome(env), "examples", "jars", "*")
		return Exec{Entry: true, Args: []string{
			path.Join(sparkHome(env), "bin", "spark-submit"), "--master", masterURL,
			"--driver-memory", executorHeap, "--executor-memory", executorHeap, "--conf", "spark.ui.enabled=false",
			// The jar's name holds versions that nobody has told us: take the folder, and no jar of the application's own.
			"--driver-class-path", examples, "--conf", "spark.executor.extraClassPath=" + examples,
			"--class", "org.apache.spark.examples.SparkPi", "spark-internal", strconv.Itoa(probe.Partitions),
		}}
	case Python:
		args := []string{pythonOf(profile, env), "-c", pythonHarness, probe.Code}
		switch profile {
		case Spark:
			args = append(args, masterURL, sparkHome(env))
		case Databricks:
			args = append(args, localMaster, sparkHome(env), "runtime")
		}
		return Exec{Args: args}
	case Scala:
		return Exec{Args: shellArgs(probe.Code)}
	case SQL:
		return Exec{Args: shellArgs(sqlCode, "HALLMARK_SQL="+probe.Code)}
	case Pip:
		return Exec{Args: pipArgs(env, probe)}
	default:
		args := append([]string(nil), probe.Args...)
		if profile == Spark && strings.Contains(args[0], "/") && !path.IsAbs(args[0]) {
			args[0] = path.Join(sparkHome(env), args[0])
		}
		return Exec{Args: args}
	}
}

// pythonHarness runs the code that is its first argument. Where a master is given, the code finds a session on that
// cluster as "spark", made when it is first named, so that code without Spark costs no JVM. A fourth argument says that
// the PySpark below the given home goes before one that the image brings.
const pythonHarness = `
import glob, os, sys

def own():
    home = os.path.join(sys.argv[3], "python")
    return [home] + glob.glob(os.path.join(home, "lib", "*.zip"))

if len(sys.argv) > 4:
    sys.path[:0] = own()

class Names(dict):
    def __missing__(self, name):
        if name != "spark" or len(sys.argv) < 3:
            raise KeyError(name)
        try:
            import pyspark
        except ImportError:
            sys.path[:0] = own()
        from pyspark.sql import SparkSession
        settings = {"spark.ui.enabled": "false", "spark.driver.memory": "512m", "spark.executor.memory": "512m"}
        builder = SparkSession.builder.appName("hallmark").master(sys.argv[2])
        for key, value in settings.items():
            builder = builder.config(key, value)
        self["spark"] = session = builder.getOrCreate()
        return session

names = Names(__name__="__main__", __builtins__=__builtins__)
try:
    exec(compile(sys.argv[1], "<probe>", "exec"), names)
finally:
    if "spark" in names:
        names["spark"].stop()
`
