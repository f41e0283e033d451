package hallmark.databricks

# runtime is the row of the runtime that the image is meant for.
runtime := [row | some row in data.databricks.runtimes.runtimes; number in row.versions][0]

# number is the runtime's version without the platform's decoration: 16.4 of 16.4.x-scala2.12, of "16.4 LTS", of 16.4-LTS.
number := regex.find_all_string_submatch_n(`^([0-9]{1,3}\.(?:[0-9]{1,3}|x))(?:\.x)?(?:$|[ (_-])`, spelled, 1)[0][1]

spelled := lower(trim_space(input.params.runtime))

# since(what) says whether the runtime asks for something that not all runtimes ask for.
since(what) if position(runtime.name) >= position(data.databricks.since.since[what].runtime)

position(name) := [i | some i, row in data.databricks.runtimes.runtimes; row.name == name][0]

refuse contains sprintf("the runtime %q is one for machine learning, and those do not take containers. Use the standard runtime of the same version, and install the libraries in the image", [input.params.runtime]) if {
	machine_learning
}

refuse contains sprintf("the runtime %q is one for genomics, and those do not take containers", [input.params.runtime]) if genomics

refuse contains sprintf("the runtime %q is for ARM processors, and those do not take containers. Use the runtime and a node type for x86-64", [input.params.runtime]) if {
	graviton
}

refuse contains sprintf("the runtime %s is too old: containers are taken from %s on. %s", [number, data.databricks.runtimes.first, known]) if {
	standard
	before_containers
}

refuse contains sprintf("the runtime %q is not known.%s %s", [input.params.runtime, meant, known]) if {
	standard
	not before_containers
	not runtime
}

machine_learning if regex.match(`(^|[^a-z])ml([^a-z]|$)|machine`, spelled)

genomics if regex.match(`hls|genomic`, spelled)

graviton if regex.match(`aarch64|arm64|graviton`, spelled)

standard if {
	not machine_learning
	not genomics
	not graviton
}

before_containers if {
	parts := split(number, ".")
	to_number(parts[0]) < 6
}

before_containers if number == "6.0"

known := sprintf("Known are %s", [concat(", ", [row.name | some row in data.databricks.runtimes.runtimes])])

# meant names the runtimes of the same major version.
meant := sprintf(" Did you mean %s?", [concat(" or ", near)]) if count(near) > 0

meant := "" if count(near) == 0

near := [row.name |
	major := regex.find_n(`^[0-9]{1,3}`, spelled, 1)[0]
	some row in data.databricks.runtimes.runtimes
	split(row.name, ".")[0] == major
]

refuse contains sprintf("the part %q is not known. Known are %s", [part, concat(", ", parts_known)]) if {
	some part in input.params.parts
	not part in parts_known
}

parts_known := ["fuse", "python", "r", "ssh"]

refuse contains sprintf("the runtime %s does not run on Java %d. It runs on %s", [number, input.params.java, concat(" or ", [sprintf("%d", [n]) | some n in known])]) if {
	input.params.java != 0
	facts := data.databricks.java.java[runtime.name]
	known := array.concat([facts.default], facts.others)
	not input.params.java in known
}

refuse contains sprintf("the distribution %q is not written like debian or debian:12, as /etc/os-release has ID and VERSION_ID", [input.params.distribution]) if {
	not regex.match(`^([a-z0-9._-]+(:[A-Za-z0-9._-]+)?)?$`, input.params.distribution)
}
