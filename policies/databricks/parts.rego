package hallmark.databricks

import data.hallmark.image

# METADATA
# title: R must have what notebooks need of it
# description: Rserve lets Spark talk to a local R; hwriterPlus shows results in notebooks.
# custom:
#   severity: high
#   remedy: Add RUN apt-get install -y r-base r-base-dev, and RUN R -e "install.packages(c('hwriter', 'TeachingDemos', 'htmltools', 'Rserve'))" with hwriterPlus from CRAN's archive.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/R/Dockerfile
#   effective: 2025-01-01
deny.r contains sprintf("the image is to run R, and lacks: %s", [concat(", ", missing)]) if {
	r_claimed
	missing := array.concat(
		[name | some name in ["R"]; not input.facts.commands[name]],
		[name | some name in r_packages; not r_has(name)],
	)
	count(missing) > 0
}

r_packages := ["Rserve", "hwriterPlus"]

r_claimed if "r" in input.params.parts

r_claimed if {
	some name in r_packages
	r_has(name)
}

r_has(name) if {
	some folder in ["/usr/lib/R/library", "/usr/lib/R/site-library", "/usr/local/lib/R/library", "/usr/local/lib/R/site-library"]
	input.facts.files[sprintf("%s/%s", [folder, name])]
}

# METADATA
# title: SSH must have a server
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y openssh-server.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/ssh/Dockerfile
#   effective: 2025-01-01
deny.ssh contains "the image is to take SSH, and has no sshd" if {
	"ssh" in input.params.parts
	not sshd
}

# METADATA
# title: SSH must be started by an init script, for a user
# description: ENTRYPOINT and CMD are not run, so nothing in the image starts the server.
# custom:
#   severity: low
#   remedy: Add RUN useradd --create-home --shell /bin/bash --groups sudo ubuntu, and give the launch an init script with service ssh start.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/ssh/Dockerfile
#   effective: 2025-01-01
deny.ssh_start contains "sshd is in the image: an init script must start it" if sshd

deny.ssh_start contains {"message": "sshd is in the image, and no user but root has a shell to log in to", "file": "/etc/passwd"} if {
	sshd
	count({user.name | some user in input.facts.users; user.uid != 0; user.name != "libraries"; regex.match(`/(ba|da|z)?sh$`, user.shell)}) == 0
}

sshd if input.facts.commands.sshd

sshd if image.file("/usr/sbin/sshd")

# METADATA
# title: FUSE must have its command
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y fuse.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/dbfsfuse/Dockerfile
#   effective: 2025-01-01
deny.fuse contains "the image is to mount DBFS, and fusermount is not on PATH" if {
	"fuse" in input.params.parts
	not fusermount
}

# METADATA
# title: FUSE needs to know its user
# description: What is mounted belongs to the user whom USER names, and in the container that is always root.
# custom:
#   severity: medium
#   remedy: Add ENV USER=root.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/dbfsfuse/Dockerfile
#   effective: 2025-01-01
deny.fuse_user contains sprintf("the image has FUSE, and the variable USER is %s", [shown]) if {
	fuse
	shown := object.get({e.name: e.value | some e in input.facts.config.env}, "USER", "not set")
	shown != "root"
}

fuse if "fuse" in input.params.parts

fuse if fusermount

fusermount if {
	some name in ["fusermount", "fusermount3"]
	input.facts.commands[name]
}
