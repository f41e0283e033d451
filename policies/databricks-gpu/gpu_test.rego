package hallmark.databricks_gpu_test

import data.hallmark.databricks_gpu
import data.hallmark.databricks_gpu.deny
import data.hallmark.databricks_gpu.refuse
import data.hallmark.testing

good := testing.facts_with({
	"config": {"env": [
		{"name": "PATH", "value": "/usr/bin", "secret_like": false},
		{"name": "CUDA_VERSION", "value": "12.6.3", "secret_like": false},
	]},
	"commands": {"R": {"path": "/usr/bin/R", "target": "/usr/lib/R/bin/R", "mode": "0755", "uid": 0, "layer": 0}},
	"packages": [package_named("cuda-cudart-12-6"), package_named("cuda-compat-12-6"), package_named("libnvidia-container1")],
	"files": {"/usr/local/cuda-12.6": testing.dir("0755"), "/usr/local/cuda": link("/usr/local/cuda-12.6")},
})

package_named(name) := {"name": name, "version": "1", "manager": "dpkg", "arch": "amd64", "layer": 0}

link(target) := {"type": "symlink", "mode": "0777", "uid": 0, "gid": 0, "size": 0, "target": target, "resolves_to": target, "layer": 0}

facts(part) := object.union(good, {"facts": part})

asked(runtime, given) := object.union(given, {"params": {"runtime": runtime}})

installed(names) := facts({"packages": [package_named(name) | some name in names]})

# bare has nothing of CUDA, plain has no variable.
plain := facts({"config": {"env": []}})

bare := json.patch(object.union(plain, {"facts": {"packages": []}}), [
	{"op": "remove", "path": ["facts", "files", "/usr/local/cuda"]},
	{"op": "remove", "path": ["facts", "files", "/usr/local/cuda-12.6"]},
])

old(version) := facts({
	"config": {"env": [{"name": "CUDA_VERSION", "value": version, "secret_like": false}]},
	"packages": [], "files": {"/usr/local/cuda-12.6": testing.file("0644")},
})

test_refuse_runtimes_that_are_none if {
	said := refuse with input as {"params": {"runtime": "newest"}}
	said == {`the runtime "newest" is no version such as 16.4`}
}

test_refuse_runtimes_for_machine_learning if {
	said := refuse with input as {"params": {"runtime": "16.4.x-gpu-ml-scala2.12"}}
	count(said) == 1
	none := refuse with input as {"params": {"runtime": "16.4.x-scala2.12"}}
	count(none) == 0
}

test_refuse_what_takes_no_containers if {
	every runtime, why in {
		"7.3.x-hls-scala2.12": "one for genomics", "15.4.x-gpu-aarch64-scala2.12": "for ARM processors",
		"6.0": "too old", "5.5.x-scala2.11": "too old", "5.x-scala2.11": "too old",
	} {
		said := refuse with input as {"params": {"runtime": runtime}}
		count(said) == 1
		some text in said
		contains(text, why)
	}
	every runtime in ["6.1", "6.x-scala2.11", "9.1", "17.3"] {
		none := refuse with input as {"params": {"runtime": runtime}}
		count(none) == 0
	}
}

test_cuda_denies_none if count(deny.cuda) == 1 with input as bare

test_cuda_allows_each_of_its_signs if {
	deny.cuda == set() with input as good
	deny.cuda == set() with input as plain
	deny.cuda == set() with input as json.patch(plain, [{"op": "replace", "path": "/facts/packages", "value": []}])
	deny.cuda == set() with input as object.union(bare, {"facts": {"files": {"/usr/local/cuda": testing.dir("0755")}}})
}

test_cuda_is_what_the_base_says_first if {
	databricks_gpu.cuda == [12, 6] with input as good
	databricks_gpu.cuda == [12, 6] with input as plain
	not databricks_gpu.cuda with input as bare
}

test_cuda_runtime_denies_older_ones if {
	deny.cuda_runtime == {"CUDA 11.7 is older than 11.8, the oldest that goes with runtime 16.4"} with input as old("11.7.1")
	deny.cuda_runtime == {"CUDA 11.0 is older than 11.7, the oldest that goes with runtime 13.3"} with input as asked("13.3.x-scala2.12", old("11.0.3"))
}

test_cuda_runtime_allows_later_ones_and_runtimes_without_a_pair if {
	deny.cuda_runtime == set() with input as good
	deny.cuda_runtime == set() with input as old("11.8.0")
	deny.cuda_runtime == set() with input as asked("9.1", old("11.0.3"))
	deny.cuda_runtime == set() with input as bare
}

test_cuda_unpaired_denies_what_no_document_says if {
	deny.cuda_unpaired == {"no document pairs a CUDA with runtime 9.1; the image has 12.6"} with input as asked("9.1", good)
}

test_cuda_unpaired_allows_pairs_and_no_cuda if {
	deny.cuda_unpaired == set() with input as good
	deny.cuda_unpaired == set() with input as asked("9.1", bare)
}

test_cuda_one_denies_two if {
	deny.cuda_one == {"the image has several: CUDA 11.8, 12.6"} with input as installed(["cuda-cudart-11-8"])
}

test_cuda_one_allows_one if deny.cuda_one == set() with input as good

test_driver_denies_packages_and_files if {
	deny.driver == {"packages of the driver are installed: libnvidia-compute-535, nvidia-driver-535"} with input as installed(["nvidia-driver-535", "libnvidia-compute-535", "bash"])
	deny.driver == {{"message": "a file of the driver", "file": "/usr/lib64/libcuda.so.535.54.03"}} with input as facts({"files": {"/usr/lib64/libcuda.so.535.54.03": testing.file("0755")}})
	count(deny.driver) == 1 with input as facts({"files": {"/usr/bin/nvidia-smi": testing.file("0755")}})
}

test_driver_allows_compatibility_packages_and_places_for_mounts if {
	deny.driver == set() with input as good
	empty := object.union(testing.file("0755"), {"size": 0})
	deny.driver == set() with input as facts({"files": {"/usr/bin/nvidia-smi": empty}})
}

test_r_denies_none if deny.r == {"R is not on PATH"} with input as json.patch(good, [{"op": "remove", "path": "/facts/commands/R"}])

test_r_allows_it if deny.r == set() with input as good
