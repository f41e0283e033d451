package hallmark.databricks

import data.hallmark.image

venv := "/databricks/python3"

# An image claims Python where it is told to bring it, or brings a part of what makes notebooks find it.
python if "python" in input.params.parts

# Databricks' own image for R has the environment too, and nothing in it.
python if {
	input.facts.files[venv]
	not r_claimed
}

python if image.env("PYSPARK_PYTHON")

# Until runtime 8 the environment was one of conda's, below /databricks/conda or anywhere.
python_today if {
	python
	since("venv")
}

# METADATA
# title: Without Python, notebooks run Scala and SQL alone
# custom:
#   severity: low
#   remedy: Add RUN virtualenv --system-site-packages /databricks/python3 and ENV PYSPARK_PYTHON=/databricks/python3/bin/python3.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/python/Dockerfile
#   effective: 2025-01-01
deny.python contains sprintf("Python commands will fail: no %s, no PYSPARK_PYTHON", [venv]) if {
	not python
	not input.facts.files[venv]
}

deny.python contains "Python commands will fail: PYSPARK_PYTHON is not set (this is taken for an image for R)" if {
	not python
	input.facts.files[venv]
}

# METADATA
# title: Python must be a virtual environment in /databricks/python3
# custom:
#   severity: high
#   remedy: Add RUN virtualenv --system-site-packages /databricks/python3, with the Python of the runtime.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/python/Dockerfile
#   effective: 2025-01-01
deny.python_venv contains {"message": sprintf("there is no command %s/bin/python3, or it leads nowhere", [venv]), "file": venv} if {
	python_today
	not present(sprintf("%s/bin/python3", [venv]))
	not present(sprintf("%s/bin/python", [venv]))
}

# present(path) holds for what is there and, where it is a link, leads somewhere.
present(path) if input.facts.files[path].type == "file"

present(path) if input.facts.files[path].resolves_to

# METADATA
# title: Python must have the runtime's version
# description: The runtime brings Python packages with compiled parts; with another version every Python command fails.
# custom:
#   severity: high
#   remedy: Install the Python of the runtime and make the environment with it (virtualenv --python=python3.12 for 16.4).
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/README.md
#   effective: 2025-01-01
deny.python_version contains finding if {
	python_today
	wanted := data.databricks.python.python[runtime.name]
	count(venv_versions) > 0
	not wanted in venv_versions
	finding := {
		"message": sprintf("%s has Python %s; runtime %s runs Python %s", [venv, concat(" and ", venv_versions), number, wanted]),
		"remedy": sprintf("Add RUN virtualenv --python=python%s --system-site-packages %s.", [wanted, venv]),
		"file": venv,
	}
}

# venv_versions are the versions that the environment's links and folders name, 3.12 and the like.
venv_versions contains version if {
	some name in ["python", "python3"]
	fact := input.facts.files[sprintf("%s/bin/%s", [venv, name])]
	version := regex.find_all_string_submatch_n(`/python(3\.[0-9]{1,3})$`, fact.resolves_to, 1)[0][1]
}

venv_versions contains version if {
	some path, fact in input.facts.files
	fact.type == "dir"
	version := regex.find_all_string_submatch_n(`^/databricks/python3/lib/python(3\.[0-9]{1,3})$`, path, 1)[0][1]
}

# METADATA
# title: PYSPARK_PYTHON must lead to the image's Python
# custom:
#   severity: high
#   remedy: Add ENV PYSPARK_PYTHON=/databricks/python3/bin/python3.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/python/Dockerfile
#   effective: 2025-01-01
deny.pyspark_python contains "PYSPARK_PYTHON is not set: Spark looks for a Python of its own" if {
	python
	not image.env("PYSPARK_PYTHON")
}

deny.pyspark_python contains sprintf("PYSPARK_PYTHON is %s, which is not below %s", [value, venv]) if {
	since("venv")
	value := image.env("PYSPARK_PYTHON")
	not startswith(value, sprintf("%s/", [venv]))
}

deny.pyspark_python contains sprintf("PYSPARK_PYTHON is %s, which is not in the image", [value]) if {
	since("venv")
	value := image.env("PYSPARK_PYTHON")
	startswith(value, sprintf("%s/", [venv]))
	not present(value)
}

# METADATA
# title: Python must have its second environment, python-lsp
# description: From runtime 12.2 on every PySpark command fails without it.
# custom:
#   severity: high
#   remedy: Add RUN virtualenv --system-site-packages /databricks/python-lsp && /databricks/python-lsp/bin/pip install python-lsp-server.
#   source: https://github.com/databricks/containers/issues/171
#   effective: 2025-01-01
deny.python_lsp contains {"message": "there is no command /databricks/python-lsp/bin/python3, or it leads nowhere", "file": "/databricks/python-lsp"} if {
	python_today
	since("python_lsp")
	not present("/databricks/python-lsp/bin/python3")
	not present("/databricks/python-lsp/bin/python")
}

# METADATA
# title: Python must have virtualenv, or the launch a setting
# description: Notebook-scoped libraries are put into environments that virtualenv makes on a mount of the driver's.
# custom:
#   severity: high
#   remedy: Add RUN pip install virtualenv, or set spark.databricks.driverNfs.enabled to false in the launch and the parameter driver_nfs to false.
#   source: https://github.com/databricks/containers/blob/release-11.3-LTS/ubuntu/python/Dockerfile
#   effective: 2025-01-01
deny.virtualenv contains "virtualenv is neither on PATH nor in /databricks/python3" if {
	without_virtualenv
	input.params.driver_nfs
}

# METADATA
# title: The launch must carry a setting
# custom:
#   severity: low
#   remedy: 'Give the launch spark_conf: {spark.databricks.driverNfs.enabled: "false"}, or add RUN pip install virtualenv.'
#   source: https://github.com/databricks/containers/blob/release-11.3-LTS/ubuntu/python/Dockerfile
#   effective: 2025-01-01
deny.driver_nfs contains "there is no virtualenv: the cluster works only with spark.databricks.driverNfs.enabled false" if {
	without_virtualenv
	not input.params.driver_nfs
}

without_virtualenv if {
	python_today
	since("virtualenv")
	not input.facts.commands.virtualenv
	not present(sprintf("%s/bin/virtualenv", [venv]))
}

# METADATA
# title: Python must have the packages that notebooks need
# description: Without them the cluster is RUNNING and no Python command starts.
# custom:
#   severity: high
#   remedy: Add RUN /databricks/python3/bin/pip install with the missing packages, in the versions that the runtime's release notes list.
#   source: https://github.com/databricks/containers/issues/131
#   effective: 2025-01-01
deny.python_packages contains {"message": sprintf("packages are missing: %s", [concat(", ", missing)]), "file": venv} if {
	python_today
	input.facts.files[venv]
	missing := [p.name |
		some p in data.databricks.python.packages
		position(runtime.name) >= position(p.since)
		not p.name in installed_python
	]
	count(missing) > 0
}

installed_python contains replace(lower(name), "_", "-") if {
	some path, _ in input.facts.files
	regex.match(`/(site|dist)-packages/[^/]*\.(dist|egg)-info$`, path)
	name := regex.find_n(`^[A-Za-z0-9_.]+`, image.base(path), 1)[0]
}

# METADATA
# title: Python must not be conda's
# custom:
#   severity: high
#   remedy: Make the environment with virtualenv instead of conda, in /databricks/python3.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/gpu/README.md
#   effective: 2025-01-01
deny.conda contains {"message": sprintf("/databricks/conda is in the image; from runtime 9.0 on conda is not supported, and this is %s", [number]), "file": "/databricks/conda"} if {
	since("venv")
	input.facts.files["/databricks/conda"]
}

deny.conda contains {"message": sprintf("%s is an environment of conda's, which runtime %s does not support", [root, number]), "file": path} if {
	since("venv")
	some path, _ in input.facts.files
	endswith(path, "/conda-meta/history")
	root := trim_suffix(path, "/conda-meta/history")
	leads_into(root)
}

leads_into(root) if startswith(image.env("PYSPARK_PYTHON"), sprintf("%s/", [root]))

leads_into(root) if root == venv
