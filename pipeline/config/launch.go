package config

// Launch is one place where the image is launched, and what is asked of it there.
type Launch struct {
	Target      Target      `yaml:"target" doc:"Where: sandbox starts a container on this machine with the engine that built the image; databricks a single-node cluster in a Databricks workspace, which is deleted afterwards."`
	Profile     Profile     `yaml:"profile" doc:"How: spark starts Spark's master and worker through the image's entry point; service starts the image's own command; databricks ignores both, copies a Spark runtime in, runs init scripts as root and starts a driver on local[*], as Databricks Container Services would."`
	Runtime     string      `yaml:"runtime" json:",omitempty" default:"the Spark distribution that the Spark example keeps" format:"path" doc:"With the profile databricks: the folder of the Spark distribution that is copied into the container." example:"/opt/spark-3.5.7-bin-hadoop3"`
	InitScripts []string    `yaml:"init_scripts" json:",omitempty" doc:"With the profile databricks: scripts that run in this order, as root, before the driver starts. file:/PATH is one inside the image; anything else is a file of this machine."`
	Databricks  *Databricks `yaml:"databricks" json:",omitempty" doc:"With the target databricks: the workspace, and the cluster that is asked for."`
	Timeout     Duration    `yaml:"timeout" doc:"How long the launch may take, probes included; with the target databricks 30m where nothing else is written."`
	Limits      Limits      `yaml:"limits" doc:"Resources that the launched container gets at most. With the target databricks, the machine is the limit."`
	Probes      []Probe     `yaml:"probes" doc:"What is asked of the launched container, in this order. The launch passes when all of them pass. Without any, what is started must go on for five seconds; with the profile databricks, the driver must come up."`
}

// Limits bound a launched container. Zero is no limit.
type Limits struct {
	Memory Size    `yaml:"memory" doc:"Memory; the container is killed beyond it."`
	CPUs   float64 `yaml:"cpus" doc:"Processors, in whole ones or parts of one."`
	PIDs   int64   `yaml:"pids" doc:"Processes and threads."`
}

// Probe is one thing asked of a launched container: exactly one field is set.
type Probe struct {
	_ struct{} `one:"true"`

	SparkPi *SparkPi `yaml:"spark-pi" doc:"Runs Spark's own example on the launched cluster and wants a value of Pi. A number is the count of partitions."`
	SQL     *SQL     `yaml:"sql" json:",omitempty" doc:"Runs a statement on a driver and prints the rows, with tabs between the values. A text is the statement. Needs the profile databricks."`
	Scala   *Scala   `yaml:"scala" json:",omitempty" doc:"Runs Scala code on a driver; a session is at hand as spark. A text is the code. Needs the profile databricks."`
	Pip     *Pip     `yaml:"pip" json:",omitempty" doc:"Installs into a virtual environment over the image's Python, as a notebook does, and runs code with it; in the sandbox without a network. A text is the wheel. Needs the profile databricks."`
	R       *R       `yaml:"r" json:",omitempty" doc:"Runs R code on the cluster. A text is the code. Needs the target databricks."`
	Fuse    *Fuse    `yaml:"fuse" json:",omitempty" doc:"Looks into a folder of the workspace's storage from inside the container: below /Workspace, /Volumes or /dbfs. A text is the folder. Needs the target databricks."`
	GPU     *GPU     `yaml:"gpu" json:",omitempty" doc:"Asks nvidia-smi, and has the GPU hold something through CUDA. Needs the target databricks."`
	Run     *Run     `yaml:"run" doc:"Runs a command in the container. A list is the command and its arguments."`
	Python  *Python  `yaml:"python" doc:"Runs Python code in the container; with the profiles spark and databricks, a session is at hand as spark. A text is the code."`
	HTTP    *HTTP    `yaml:"http" doc:"Fetches a page from the container."`
}

// Name is the word of the probe that is set.
func (p Probe) Name() string {
	switch {
	case p.SparkPi != nil:
		return "spark-pi"
	case p.SQL != nil:
		return "sql"
	case p.Scala != nil:
		return "scala"
	case p.Pip != nil:
		return "pip"
	case p.R != nil:
		return "r"
	case p.Fuse != nil:
		return "fuse"
	case p.GPU != nil:
		return "gpu"
	case p.Run != nil:
		return "run"
	case p.Python != nil:
		return "python"
	case p.HTTP != nil:
		return "http"
	default:
		return ""
	}
}

// SparkPi asks the cluster for Pi.
type SparkPi struct {
	_ struct{} `short:"partitions"`

	Partitions int      `yaml:"partitions" required:"true" doc:"Partitions to compute over: more take longer." example:"20"`
	Timeout    Duration `yaml:"timeout" doc:"How long it may take."`
}

// Run runs a command.
type Run struct {
	_ struct{} `short:"args"`

	Args    []string `yaml:"args" required:"true" doc:"The command and its arguments, without a shell." example:"[bin/spark-submit, --version]"`
	Expect  string   `yaml:"expect" doc:"Text that the output must contain; empty: the exit code 0 is enough." example:"version 4"`
	Matches string   `yaml:"matches" json:",omitempty" doc:"Regular expression (RE2) that the output must match." example:"version [34][.]"`
	Exit    int      `yaml:"exit" json:",omitempty" doc:"Exit code that the command must end with."`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// Python runs Python code.
type Python struct {
	_ struct{} `short:"code"`

	Code    string   `yaml:"code" required:"true" doc:"The code." example:"print(spark.range(100).count())"`
	Expect  string   `yaml:"expect" doc:"Text that the output must contain; empty: that it ends well is enough." example:"100"`
	Matches string   `yaml:"matches" json:",omitempty" doc:"Regular expression (RE2) that the output must match."`
	Exit    int      `yaml:"exit" json:",omitempty" doc:"Exit code that the code must end with."`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// SQL runs a statement.
type SQL struct {
	_ struct{} `short:"query"`

	Query   string   `yaml:"query" required:"true" doc:"The statement." example:"SELECT sum(id) FROM range(100)"`
	Expect  string   `yaml:"expect" doc:"Text that the printed rows must contain; empty: that it ends well is enough." example:"4950"`
	Matches string   `yaml:"matches" doc:"Regular expression (RE2) that the printed rows must match."`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// Scala runs Scala code.
type Scala struct {
	_ struct{} `short:"code"`

	Code    string   `yaml:"code" required:"true" doc:"The code. What is expected of it, it must print." example:"println(spark.range(100).count())"`
	Expect  string   `yaml:"expect" doc:"Text that the code must print; empty: that it ends well is enough." example:"100"`
	Matches string   `yaml:"matches" doc:"Regular expression (RE2) that what it prints must match."`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// Pip installs Python packages for one notebook.
type Pip struct {
	_ struct{} `short:"from"`

	From     string   `yaml:"from" format:"path" doc:"A wheel, or a folder that holds wheels, on this machine. With the target databricks a path in the workspace; without it, the packages come from the index." example:"wheels/tool-1.0-py3-none-any.whl"`
	Packages []string `yaml:"packages" doc:"What to install, where from is no wheel." example:"[tool]"`
	Code     string   `yaml:"code" doc:"Python code that is run with what was installed; a session is at hand as spark." example:"import tool"`
	Expect   string   `yaml:"expect" doc:"Text that the code must print, or pip where there is no code."`
	Matches  string   `yaml:"matches" doc:"Regular expression (RE2) that it must match."`
	Timeout  Duration `yaml:"timeout" doc:"How long it may take."`
}

// R runs R code.
type R struct {
	_ struct{} `short:"code"`

	Code    string   `yaml:"code" required:"true" doc:"The code." example:"cat(sum(1:10))"`
	Expect  string   `yaml:"expect" doc:"Text that the code must print; empty: that it ends well is enough." example:"55"`
	Matches string   `yaml:"matches" doc:"Regular expression (RE2) that what it prints must match."`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// Fuse looks into a mounted folder.
type Fuse struct {
	_ struct{} `short:"path"`

	Path    string   `yaml:"path" doc:"The folder." example:"/Volumes/main/ops/test"`
	Write   bool     `yaml:"write" doc:"Also write a file there, read it back, and remove it."`
	Expect  string   `yaml:"expect" json:",omitempty" doc:"Text that must stand in what is said of the folder: how many names it holds, and the first ten of them; empty: that it can be read is enough." example:"init.sh"`
	Matches string   `yaml:"matches" json:",omitempty" doc:"Regular expression (RE2) that it must match."`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// GPU asks the GPU.
type GPU struct {
	_ struct{} `short:"expect"`

	Expect  string   `yaml:"expect" doc:"Text that the tool's line must contain, such as the GPU's name; empty: that it works is enough." example:"A10G"`
	Matches string   `yaml:"matches" json:",omitempty" doc:"Regular expression (RE2) that the tool's line and CUDA's must match." example:"A10G|L4"`
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// HTTP fetches a page.
type HTTP struct {
	Port    int      `yaml:"port" required:"true" doc:"Port in the container." example:"8080"`
	Path    string   `yaml:"path" doc:"Path of the page."`
	Status  int      `yaml:"status" doc:"Status that the answer must have."`
	Expect  string   `yaml:"expect" doc:"Text that the page must contain." example:"Workers (1)"`
	Timeout Duration `yaml:"timeout" doc:"How long to try until the page answers as it should."`
}
