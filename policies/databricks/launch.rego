package hallmark.databricks

# METADATA
# title: ENTRYPOINT is not run
# description: The platform starts the container its own way; what must happen at the start belongs into an init script.
# custom:
#   severity: low
#   remedy: Remove the ENTRYPOINT, or move what it does into the Dockerfile or into an init script.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.entrypoint contains sprintf("the platform ignores ENTRYPOINT %s", [json.marshal(input.facts.config.entrypoint)]) if {
	count(input.facts.config.entrypoint) > 0
}

# METADATA
# title: CMD is not run
# description: Ubuntu's own image has one, a shell, which does no harm.
# custom:
#   severity: low
#   remedy: Remove the CMD with CMD [], or move what it does into the Dockerfile or into an init script.
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.cmd contains sprintf("the platform ignores CMD %s", [json.marshal(input.facts.config.cmd)]) if {
	count(input.facts.config.cmd) > 0
}

# METADATA
# title: Large images time out now and then
# custom:
#   severity: low
#   remedy: Join RUN steps that install and clean up, leave out caches and compilers, or preload the image in an instance pool.
#   source: https://github.com/databricks/containers/issues/142
#   effective: 2025-01-01
deny.size contains finding if {
	input.facts.size.uncompressed >= input.params.size_mb * 1000000
	largest := max([layer.bytes | some layer in input.facts.layers])
	some layer in input.facts.layers
	layer.bytes == largest
	finding := {
		"message": sprintf("the image has %d MB, its largest layer %d MB; from %d MB on nodes have been seen to give up", [
			floor(input.facts.size.uncompressed / 1000000), floor(largest / 1000000), input.params.size_mb,
		]),
		"layer": layer.index,
	}
}
