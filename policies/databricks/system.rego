package hallmark.databricks

import data.hallmark.image

# METADATA
# title: The image must be for x86-64
# description: Container services do not run on Graviton or other ARM nodes.
# custom:
#   severity: critical
#   remedy: Build with --platform=linux/amd64, or write FROM --platform=linux/amd64.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.architecture contains sprintf("the image is for %s/%s; the nodes are linux/amd64", [input.facts.platform.os, input.facts.platform.architecture]) if {
	[input.facts.platform.os, input.facts.platform.architecture] != ["linux", "amd64"]
}

# METADATA
# title: The image must be built on the runtime's Ubuntu
# description: The runtime's native libraries are copied into the container and find the system's libraries there.
# custom:
#   severity: critical
#   remedy: Begin the Dockerfile with FROM and the runtime's Ubuntu, such as FROM ubuntu:24.04 for 16.4.
#   source: https://github.com/databricks/containers
#   effective: 2025-01-01
deny.os contains finding if {
	not known_system
	not explicit
	finding := {
		"message": sprintf("the image is %s; runtime %s runs on Ubuntu %s", [system, number, concat(" or ", releases)]),
		"remedy": sprintf("Write FROM ubuntu:%s%s.", [releases[count(releases) - 1], instead]),
		"file": "/etc/os-release",
	}
}

# METADATA
# title: The image is built on what Databricks does not test
# custom:
#   severity: low
#   remedy: Begin the Dockerfile with FROM and the runtime's Ubuntu.
#   source: https://github.com/databricks/containers
#   effective: 2025-01-01
deny.os_untested contains sprintf("the image is %s, by the parameter distribution; Databricks documents Ubuntu %s for runtime %s", [system, concat(" or ", releases), number]) if {
	not known_system
	explicit
}

# METADATA
# title: Alpine is legacy
# description: Databricks had Alpine images as an experiment, with Alpine 3.8 and Java 8, and none since.
# custom:
#   severity: low
#   remedy: Move to a runtime of today and to its Ubuntu, such as FROM ubuntu:24.04.
#   source: https://github.com/databricks/containers/tree/master/experimental/alpine
#   effective: 2025-01-01
deny.os_legacy contains sprintf("the image is %s: runtime %s takes it, runtimes from 9.1 on do not", [system, number]) if legacy

releases := data.databricks.systems.systems[runtime.name].ubuntu

known_system if {
	input.facts.os.id == "ubuntu"
	input.facts.os.version_id in releases
}

known_system if legacy

legacy if {
	input.facts.os.id == "alpine"
	data.databricks.systems.systems[runtime.name].alpine
}

instead := "" if input.facts.os.id == ""

instead := sprintf(", or set the parameter distribution to %q and prove it by a launch", [trim_suffix(os_id, ":")]) if input.facts.os.id != ""

os_id := sprintf("%s:%s", [input.facts.os.id, input.facts.os.version_id])

explicit if input.params.distribution in {input.facts.os.id, os_id} - {""}

system := "of an unknown system (it has no os-release file)" if input.facts.os.id == ""

system := input.facts.os.pretty_name if {
	input.facts.os.id != ""
	input.facts.os.pretty_name != ""
}

system := trim_space(sprintf("%s %s", [input.facts.os.id, input.facts.os.version_id])) if {
	input.facts.os.id != ""
	input.facts.os.pretty_name == ""
}

# METADATA
# title: The image must have bash
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y bash.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.bash contains absent(["bash"]) if count(lacking(["bash"])) > 0

# METADATA
# title: The image must have iproute2
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y iproute2.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.iproute2 contains absent(["ip"]) if count(lacking(["ip"])) > 0

# METADATA
# title: The image must have coreutils
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y coreutils.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.coreutils contains absent(coreutils) if count(lacking(coreutils)) > 0

coreutils := ["cat", "chmod", "chown", "cp", "ls", "mkdir", "mv", "rm"]

# METADATA
# title: The image must have procps
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y procps.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.procps contains absent(["ps"]) if count(lacking(["ps"])) > 0

# METADATA
# title: The image must have sudo
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y sudo.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.sudo contains absent(["sudo"]) if count(lacking(["sudo"])) > 0

# METADATA
# title: The image must have acl
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y acl.
#   source: https://github.com/databricks/containers/blob/release-13.3-LTS/ubuntu/minimal/Dockerfile
#   effective: 2025-01-01
deny.acl contains absent(["setfacl"]) if {
	since("acl")
	count(lacking(["setfacl"])) > 0
}

# lacking(commands) are those that are not there, or only as a part of busybox, which takes fewer options.
lacking(commands) := [name | some name in commands; not input.facts.commands[name]]

stripped(commands) := [name |
	some name in commands
	image.base(input.facts.commands[name].target) == "busybox"
]

absent(commands) := sprintf("not on PATH: %s", [concat(", ", lacking(commands))])

# METADATA
# title: Tools must be the whole ones, not those of busybox
# custom:
#   severity: high
#   remedy: Add RUN apk add --no-cache bash coreutils iproute2 procps sudo.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.busybox contains sprintf("only busybox stands behind: %s", [concat(", ", found)]) if {
	found := stripped(array.concat(["bash", "ip", "ps", "sudo"], coreutils))
	count(found) > 0
}

# METADATA
# title: The image must have the user libraries, locked
# description: Libraries of the cluster are installed as this user.
# custom:
#   severity: high
#   remedy: Add RUN useradd libraries && usermod -L libraries.
#   source: https://github.com/databricks/containers/blob/release-13.3-LTS/ubuntu/minimal/Dockerfile
#   effective: 2025-01-01
deny.libraries_user contains {"message": "there is no user called libraries", "file": "/etc/passwd"} if {
	since("libraries")
	not libraries_user
}

deny.libraries_user contains {"message": "the user libraries is not locked: a password opens it", "file": "/etc/shadow"} if {
	since("libraries")
	libraries_user.password in {"empty", "set"}
}

libraries_user := [user | some user in input.facts.users; user.name == "libraries"][0]

# METADATA
# title: LANG and LC_ALL must be C.UTF-8
# custom:
#   severity: medium
#   remedy: Add ENV LANG=C.UTF-8 LC_ALL=C.UTF-8.
#   source: https://github.com/databricks/containers/blob/release-15.4-LTS/ubuntu/minimal/Dockerfile
#   effective: 2025-01-01
deny.locale contains sprintf("%s is %s", [name, shown]) if {
	since("locale")
	some name in ["LANG", "LC_ALL"]
	shown := object.get({e.name: e.value | some e in input.facts.config.env}, name, "not set")
	not lower(replace(shown, "-", "")) == "c.utf8"
}
