package hallmark.base

import data.hallmark.image
import data.hallmark.words

# METADATA
# title: Ports that give the machine away must not be exposed
# custom:
#   severity: high
#   remedy: Remove the EXPOSE and the service behind it; use exec of the runtime to reach a container.
#   source: CIS Docker Benchmark 1.6, 5.7 and 5.9
#   effective: 2025-01-01
deny.exposed_ports contains sprintf("port %s is exposed: %s", [exposed, known.service]) if {
	some exposed in input.facts.config.exposed_ports
	some known in data.base.ports.ports
	split(exposed, "/")[0] == sprintf("%d", [known.port])
}

# METADATA
# title: The image must say what it is
# custom:
#   severity: low
#   remedy: Add the LABEL to the Dockerfile, or give it to the build.
#   source: https://github.com/opencontainers/image-spec/blob/v1.1.0/annotations.md
#   effective: 2025-01-01
deny.labels contains sprintf("labels are missing: %s", [words.few(missing)]) if {
	missing := [label |
		some label in input.params.required_labels
		trim_space(object.get(input.facts.config.labels, label, "")) == ""
	]
	count(missing) > 0
}

# METADATA
# title: The image must be within its size
# description: Every node that starts the image pulls it first; large ones time out.
# custom:
#   severity: medium
#   remedy: Leave out what is not used, build in several stages, or raise the parameter size_mib.
#   source: https://docs.docker.com/build/building/best-practices/
#   effective: 2025-01-01
deny.size contains finding if {
	size := words.mib(input.facts.size.uncompressed)
	size > input.params.size_mib
	largest := max([layer.bytes | some layer in input.facts.layers])
	some layer in input.facts.layers
	layer.bytes == largest
	finding := {
		"message": sprintf("the image has %d MiB, %d are allowed; its largest layer has %d MiB", [
			size, input.params.size_mib, words.mib(largest),
		]),
		"layer": layer.index,
	}
}

# METADATA
# title: The image must not have too many layers
# description: Runtimes have a hard limit, 127 for overlayfs in Docker; every layer costs a request at each pull.
# custom:
#   severity: low
#   remedy: Join RUN instructions, or build in several stages.
#   source: https://docs.docker.com/engine/storage/drivers/overlayfs-driver/
#   effective: 2025-01-01
deny.layers contains sprintf("the image has %d layers, %d are allowed", [count(input.facts.layers), input.params.max_layers]) if {
	count(input.facts.layers) > input.params.max_layers
}

# METADATA
# title: The image must be for a known platform
# custom:
#   severity: high
#   remedy: Build for linux and one of the architectures in the parameter architectures.
#   source: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md
#   effective: 2025-01-01
deny.platform contains sprintf("the image is for %s/%s", [input.facts.platform.os, input.facts.platform.architecture]) if {
	not known_platform
}

known_platform if {
	input.facts.platform.os == "linux"
	input.facts.platform.architecture in input.params.architectures
}

# METADATA
# title: The operating system must be known
# description: Without an os-release file nobody can say which vulnerabilities the image's packages have.
# custom:
#   severity: medium
#   remedy: Keep /etc/os-release of the base, or set the parameter allow_no_os for images made from scratch.
#   source: https://www.freedesktop.org/software/systemd/man/latest/os-release.html
#   effective: 2025-01-01
deny.os_known contains "the image has no os-release file that names its operating system" if {
	not input.params.allow_no_os
	input.facts.os.id == ""
}

# METADATA
# title: The operating system must still be supported
# description: After a release's last day nobody mends its packages.
# custom:
#   severity: medium
#   remedy: Move to a base of a newer release.
#   source: https://endoflife.date
#   effective: 2025-01-01
deny.os_supported contains sprintf("support for %s %s ended on %s", [input.facts.os.id, release.version, release.until]) if {
	some release in data.base.releases.releases[input.facts.os.id]
	release_matches(input.facts.os.version_id, release.version)
	time.now_ns() >= time.add_date(time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [release.until])), 0, 0, 1)
}

release_matches(version, release) if version == release

release_matches(version, release) if startswith(version, sprintf("%s.", [release]))

# METADATA
# title: PATH must hold absolute folders only
# description: A relative folder on PATH runs whatever lies where the container happens to stand.
# custom:
#   severity: medium
#   remedy: Write every folder of PATH from the root, and leave no empty element.
#   source: https://cwe.mitre.org/data/definitions/426.html
#   effective: 2025-01-01
deny.path contains sprintf("PATH holds %q, which is not an absolute folder", [element]) if {
	some element in split(image.env("PATH"), ":")
	not startswith(element, "/")
}

# METADATA
# title: Bases must be pinned by digest
# description: A tag moves; the same Dockerfile then gives another image, and nobody can say what was tested.
# custom:
#   severity: medium
#   remedy: Write the digest behind the base's tag in FROM, such as debian:13@sha256:<digest>.
#   source: https://docs.docker.com/build/building/best-practices/#pin-base-image-versions
#   effective: 2025-01-01
deny.base_pinned contains {"message": sprintf("the base %s is not pinned%s", [base.ref, resolved(base)]), "line": base.line} if {
	some base in input.build.bases
	movable(base)
	not latest(base.ref)
}

# METADATA
# title: Bases must have a version
# custom:
#   severity: medium
#   remedy: Name a version and a digest in FROM, such as debian:13@sha256:<digest>.
#   source: https://docs.docker.com/build/building/best-practices/#pin-base-image-versions
#   effective: 2025-01-01
deny.base_latest contains {"message": sprintf("the base %s means whatever is the latest%s", [base.ref, resolved(base)]), "line": base.line} if {
	some base in input.build.bases
	movable(base)
	latest(base.ref)
}

# movable(base) holds for tags in a registry. A folder that the project gives to the build is no worse than its own files.
movable(base) if {
	not base.pinned
	not startswith(base.ref, "oci-layout://")
}

resolved(base) := sprintf(" (it was %s this time)", [base.digest]) if base.digest != ""

resolved(base) := "" if base.digest == ""

latest(ref) if endswith(ref, ":latest")

latest(ref) if not contains(image.base(ref), ":")

# METADATA
# title: What is added from the network must have a checksum
# description: Without one, the image holds whatever the far side answers on the day of the build.
# custom:
#   severity: medium
#   remedy: Write ADD --checksum=sha256:…, or copy a file that stands in the build context.
#   source: https://docs.docker.com/reference/dockerfile/#add---checksum
#   effective: 2025-01-01
deny.remote_add contains {"message": sprintf("%q has no checksum", [substring(step.instruction, 0, 160)]), "line": step.line} if {
	some step in input.build.steps
	regex.match(`(?i)^ADD\s.*\bhttps?://`, step.instruction)
	not contains(step.instruction, "--checksum=")
}
