package config

// Launch is one place where the image is launched, and what is asked of it there.
type Launch struct {
	Target  Target   `yaml:"target" doc:"Where: sandbox starts a container on this machine with the engine that built the image."`
	Profile Profile  `yaml:"profile" doc:"How: spark starts Spark's master and worker through the image's entry point; service starts the image's own command."`
	Timeout Duration `yaml:"timeout" doc:"How long the launch may take, probes included."`
	Limits  Limits   `yaml:"limits" doc:"Resources that the launched container gets at most."`
	Probes  []Probe  `yaml:"probes" doc:"What is asked of the launched container, in this order. The launch passes when all of them pass. Without any, what is started must go on for five seconds."`
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
	Run     *Run     `yaml:"run" doc:"Runs a command in the container. A list is the command and its arguments."`
	Python  *Python  `yaml:"python" doc:"Runs Python code in the container; with the profile spark, a session is at hand as spark. A text is the code."`
	HTTP    *HTTP    `yaml:"http" doc:"Fetches a page from the container."`
}

// Name is the word of the probe that is set.
func (p Probe) Name() string {
	switch {
	case p.SparkPi != nil:
		return "spark-pi"
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
	Timeout Duration `yaml:"timeout" doc:"How long it may take."`
}

// Python runs Python code.
type Python struct {
	_ struct{} `short:"code"`

	Code    string   `yaml:"code" required:"true" doc:"The code." example:"print(spark.range(100).count())"`
	Expect  string   `yaml:"expect" doc:"Text that the output must contain; empty: that it ends well is enough." example:"100"`
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
