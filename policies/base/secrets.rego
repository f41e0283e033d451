package hallmark.base

import data.hallmark.image

# METADATA
# title: The environment must not hold secrets
# description: Whoever can pull an image can read its environment, and so can every process in it.
# custom:
#   severity: critical
#   remedy: Remove the ENV or ARG, rotate the secret, and pass it when the container starts, or to the build as a secret mount.
#   source: NIST SP 800-190, section 4.1.4; CIS Docker Benchmark 1.6, 4.10
#   effective: 2025-01-01
deny.secret_env contains message if {
	some e in input.facts.config.env
	e.secret_like
	message := sprintf("the environment variable %s looks like a secret (%s)", [e.name, object.get(e, "reason", "by its value")])
}

# METADATA
# title: The history must not hold secrets
# description: The instructions that built an image travel with it, with the values of their build arguments.
# custom:
#   severity: critical
#   remedy: Pass the secret to the build as a secret mount (RUN --mount=type=secret), and rotate it.
#   source: https://docs.docker.com/build/building/secrets/
#   effective: 2025-01-01
deny.secret_history contains finding if {
	some step in input.facts.history
	step.secret_like
	finding := {
		"message": sprintf("the step %q holds what looks like a secret (%s)", [
			substring(step.created_by, 0, 120), object.get(step, "reason", "by its value"),
		]),
		"layer": step.layer,
	}
}

# METADATA
# title: The image must not hold private keys
# description: A key in an image is a key for everybody who can pull it, and one host key for all containers.
# custom:
#   severity: critical
#   remedy: Remove the key in the step that makes it, replace the key, and mount keys when the container starts.
#   source: NIST SP 800-190, section 4.1.4
#   effective: 2025-01-01
deny.private_keys contains {"message": sprintf("%s is a private key by its name", [path]), "file": path} if {
	some path, fact in input.facts.files
	fact.type == "file"
	regex.match(`/\.ssh/(id_[a-z0-9_]+|identity)$|^/etc/ssh/ssh_host_[a-z0-9]+_key$|\.ppk$`, path)
}

# METADATA
# title: The image must not hold credential files
# custom:
#   severity: critical
#   remedy: Remove the file in the step that makes it, rotate what it holds, and give credentials when the container starts.
#   source: NIST SP 800-190, section 4.1.4
#   effective: 2025-01-01
deny.credential_files contains finding if {
	some path, fact in input.facts.files
	fact.type == "file"
	fact.size > 0
	some known in data.base.credentials.files
	endswith(path, known.path)
	finding := {"message": sprintf("%s holds credentials (%s)", [path, known.of]), "file": path}
}

# METADATA
# title: The image must not hold a Git repository
# description: A repository holds every file that was ever committed, and often a remote's credentials in its configuration.
# custom:
#   severity: medium
#   remedy: Add .git to .dockerignore, or copy only what the image needs.
#   source: https://docs.docker.com/build/concepts/context/#dockerignore-files
#   effective: 2025-01-01
deny.git_folder contains {"message": sprintf("%s is a Git repository", [folder]), "file": path} if {
	some path, _ in input.facts.files
	endswith(path, "/.git/HEAD")
	folder := trim_suffix(path, "/HEAD")
}

# METADATA
# title: The image must not hold passwords
# description: A password hash in an image is the same in every container, and can be guessed at leisure.
# custom:
#   severity: high
#   remedy: Lock the account (passwd --lock), and give passwords, if any, when the container starts.
#   source: CIS Docker Benchmark 1.6, 4.10
#   effective: 2025-01-01
deny.password_hash contains {"message": sprintf("the user %s has a password", [user.name]), "file": "/etc/shadow"} if {
	some user in input.facts.users
	user.password == "set"
}

# METADATA
# title: No account may be open without a password
# custom:
#   severity: critical
#   remedy: Lock the account (passwd --lock).
#   source: CIS Distribution Independent Linux Benchmark 2.0, 6.2.1
#   effective: 2025-01-01
deny.empty_password contains {"message": sprintf("anyone may become %s: its password is empty", [user.name]), "file": "/etc/shadow"} if {
	some user in input.facts.users
	user.password == "empty"
}

# METADATA
# title: The image must not ask for Docker's socket
# description: Whoever can write to Docker's socket is root on the host.
# custom:
#   severity: high
#   remedy: Remove the volume, and give the container what it needs by other means.
#   source: CIS Docker Benchmark 1.6, 5.32
#   effective: 2025-01-01
deny.docker_socket contains {"message": sprintf("the volume %s is, or holds, Docker's socket", [volume])} if {
	some volume in input.facts.config.volumes
	regex.match(`(^|/)docker\.sock$|^/(var/)?run/?$`, volume)
}

deny.docker_socket contains {"message": sprintf("%s stands in the image", [path]), "file": path} if {
	some path, _ in input.facts.files
	image.base(path) == "docker.sock"
}
