package hallmark.databricks_gpu

import data.hallmark.image
import data.hallmark.words

# number is the runtime's version without the platform's decoration; the pack databricks says which there are.
number := regex.find_all_string_submatch_n(`^([0-9]{1,3}\.(?:[0-9]{1,3}|x))(?:\.x)?(?:$|[^0-9.])`, lower(trim_space(input.params.runtime)), 1)[0][1]

refuse contains sprintf("the runtime %q is one for machine learning, and those do not take containers. Use the standard runtime of the same version", [input.params.runtime]) if {
	machine_learning
}

refuse contains sprintf("the runtime %q is one for genomics, and those do not take containers", [input.params.runtime]) if genomics

refuse contains sprintf("the runtime %q is for ARM processors, and those do not take containers. Use the runtime and a node type for x86-64", [input.params.runtime]) if {
	graviton
}

refuse contains sprintf("the runtime %q is no version such as 16.4", [input.params.runtime]) if {
	standard
	not number
}

refuse contains sprintf("the runtime %s is too old: containers are taken from 6.1 on", [number]) if {
	standard
	before_containers
}

before_containers if to_number(split(number, ".")[0]) < 6

before_containers if number == "6.0"

# What the pack databricks refuses, too: whoever asks this one alone is to hear it before anything is built.
machine_learning if regex.match(`(^|[^a-z])ml([^a-z]|$)|machine`, lower(input.params.runtime))

genomics if regex.match(`hls|genomic`, lower(input.params.runtime))

graviton if regex.match(`aarch64|arm64|graviton`, lower(input.params.runtime))

standard if {
	not machine_learning
	not genomics
	not graviton
}

# METADATA
# title: The image must bring CUDA
# custom:
#   severity: high
#   remedy: Begin the Dockerfile with an image of nvidia/cuda for the runtime's Ubuntu, such as FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/README.md
#   effective: 2025-01-01
deny.cuda contains "CUDA_VERSION is not set, no package cuda-cudart is installed, and there is no /usr/local/cuda" if {
	not cuda
	not image.file("/usr/local/cuda")
}

# METADATA
# title: CUDA must go with the runtime
# custom:
#   severity: high
#   remedy: Begin the Dockerfile with a newer image of nvidia/cuda, such as FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/README.md
#   effective: 2025-01-01
deny.cuda_runtime contains sprintf("CUDA %d.%d is older than %d.%d, the oldest that goes with runtime %s", array.concat(array.concat(cuda, oldest), [number])) if {
	cuda < oldest
}

# METADATA
# title: Whether CUDA goes with the runtime is not documented
# custom:
#   severity: low
#   remedy: Prove it by a launch with the probe gpu.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/README.md
#   effective: 2025-01-01
deny.cuda_unpaired contains sprintf("no document pairs a CUDA with runtime %s; the image has %d.%d", array.concat([number], cuda)) if {
	not oldest
}

oldest := [pair.oldest | some pair in data.databricks_gpu.cuda.pairs; pair.runtime == number][0]

# METADATA
# title: The image must say one CUDA only
# description: A CUDA that was installed beside the base's own hides it, and libraries built for either find the other.
# custom:
#   severity: medium
#   remedy: Change the FROM to the CUDA that is wanted instead of installing another one.
#   source: https://gitlab.com/nvidia/container-images/cuda
#   effective: 2025-01-01
deny.cuda_one contains sprintf("the image has several: CUDA %s", [concat(", ", sort([sprintf("%d.%d", v) | some v in versions]))]) if {
	count(versions) > 1
}

# cuda is the version that the image says first: the base's variable, or else its package or its folder.
cuda := said_version

cuda := min(versions) if {
	not said_version
	count(versions) > 0
}

said_version := version(image.env("CUDA_VERSION"), `^([0-9]{1,3})\.([0-9]{1,3})`)

versions contains said_version

versions contains v if {
	some p in input.facts.packages
	v := version(p.name, `^cuda-cudart-([0-9]{1,3})-([0-9]{1,3})$`)
}

versions contains v if {
	some path, fact in input.facts.files
	fact.type == "dir"
	v := version(path, `^/usr/local/cuda-([0-9]{1,3})\.([0-9]{1,3})$`)
}

version(text, pattern) := [to_number(found[0][1]), to_number(found[0][2])] if {
	found := regex.find_all_string_submatch_n(pattern, text, 1)
	count(found) == 1
}

# METADATA
# title: The NVIDIA driver must not be in the image
# description: The node's own driver is mounted into the container; another one in its place does not fit the kernel's.
# custom:
#   severity: high
#   remedy: Remove the driver's packages from the RUN apt-get install (nvidia-driver-*, nvidia-utils-*, libnvidia-compute-*, the metapackage cuda).
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/README.md
#   effective: 2025-01-01
deny.driver contains sprintf("packages of the driver are installed: %s", [words.few(found)]) if {
	found := sort({p.name |
		some p in input.facts.packages
		regex.match(`^(nvidia-(driver|utils|compute-utils|dkms|kernel)(-.*)?|libnvidia-(compute|gl|cfg1|decode|encode|extra|fbc1)(-.*)?|cuda-drivers(-.*)?|libcuda1|xserver-xorg-video-nvidia(-.*)?)$`, p.name)
	})
	count(found) > 0
}

deny.driver contains {"message": "a file of the driver", "file": path} if {
	some path, fact in input.facts.files
	regex.match(`/(libcuda|libnvidia-ml|libnvidia-ptxjitcompiler)\.so[0-9.]*$|/nvidia-smi$`, path)
	fact.type == "file"
	fact.size > 0
}

# METADATA
# title: The image must have R
# description: The platform sets up the driver with it, whether notebooks use R or not.
# custom:
#   severity: high
#   remedy: Add RUN apt-get update && apt-get install -y r-base.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/cuda-11.8/base/Dockerfile
#   effective: 2025-01-01
deny.r contains "R is not on PATH" if not input.facts.commands.R
