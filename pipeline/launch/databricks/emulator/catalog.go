package emulator

import (
	"maps"
	"slices"
	"strings"
)

// nodeType is a kind of machine, with the fields of clusters/list-node-types.
type nodeType struct {
	Category            string    `json:"category"`
	Description         string    `json:"description"`
	InstanceTypeID      string    `json:"instance_type_id"`
	IsDeprecated        bool      `json:"is_deprecated"`
	IsGraviton          bool      `json:"is_graviton"`
	IsIoCacheEnabled    bool      `json:"is_io_cache_enabled"`
	MemoryMb            int       `json:"memory_mb"`
	NodeInstanceType    instance  `json:"node_instance_type"`
	NodeTypeID          string    `json:"node_type_id"`
	NumCores            float64   `json:"num_cores"`
	NumGpus             int       `json:"num_gpus"`
	PhotonDriverCapable bool      `json:"photon_driver_capable"`
	PhotonWorkerCapable bool      `json:"photon_worker_capable"`
	SupportClusterTags  bool      `json:"support_cluster_tags"`
	NodeInfo            *nodeInfo `json:"node_info,omitempty"`
}

type instance struct {
	InstanceTypeID      string `json:"instance_type_id"`
	LocalDisks          int    `json:"local_disks"`
	LocalDiskSizeGb     int    `json:"local_disk_size_gb"`
	LocalNvmeDisks      int    `json:"local_nvme_disks,omitempty"`
	LocalNvmeDiskSizeGb int    `json:"local_nvme_disk_size_gb,omitempty"`
}

type nodeInfo struct {
	Status []string `json:"status"`
}

func node(id, category string, cores float64, memoryMb, disks, diskGb, gpus int) nodeType {
	return nodeType{
		NodeTypeID: id, InstanceTypeID: id, Description: id, Category: category, NumCores: cores, MemoryMb: memoryMb, NumGpus: gpus, SupportClusterTags: true,
		NodeInstanceType: instance{InstanceTypeID: id, LocalDisks: disks, LocalDiskSizeGb: diskGb},
		IsIoCacheEnabled: disks > 0, PhotonDriverCapable: gpus == 0 && disks > 0, PhotonWorkerCapable: gpus == 0 && disks > 0,
	}
}

func graviton(n nodeType) nodeType { n.IsGraviton = true; return n }

func elsewhere(n nodeType) nodeType {
	n.NodeInfo = &nodeInfo{Status: []string{"NotAvailableInRegion", "NotEnabledOnSubscription"}}
	return n
}

// nodeTypes are a few of each cloud's, among them each kind that a choice must avoid: without a disk, with a GPU, with
// another architecture, not to be had. Sizes are the clouds' own.
var nodeTypes = map[string][]nodeType{
	"aws": {
		node("m5.large", "General Purpose", 2, 8192, 0, 0, 0),
		node("m5d.large", "General Purpose", 2, 8192, 1, 75, 0),
		node("r5d.large", "Memory Optimized", 2, 16384, 1, 75, 0),
		node("i3.xlarge", "Storage Optimized", 4, 31232, 1, 950, 0),
		node("m5d.xlarge", "General Purpose", 4, 16384, 1, 150, 0),
		graviton(node("m6gd.large", "General Purpose", 2, 8192, 1, 118, 0)),
		node("g4dn.xlarge", "GPU Accelerated", 4, 16384, 1, 125, 1),
		node("p3.2xlarge", "GPU Accelerated", 8, 62464, 0, 0, 1),
		elsewhere(node("c5d.large", "Compute Optimized", 2, 4096, 1, 50, 0)),
	},
	"azure": {
		node("Standard_D4s_v5", "General Purpose", 4, 16384, 0, 0, 0),
		node("Standard_DS3_v2", "General Purpose", 4, 14336, 1, 28, 0),
		node("Standard_D4ds_v5", "General Purpose", 4, 16384, 1, 150, 0),
		node("Standard_E4ds_v5", "Memory Optimized", 4, 32768, 1, 150, 0),
		node("Standard_L8s_v3", "Storage Optimized", 8, 65536, 1, 80, 0),
		graviton(node("Standard_D4pds_v6", "General Purpose", 4, 16384, 1, 220, 0)),
		node("Standard_NC4as_T4_v3", "GPU Accelerated", 4, 28672, 1, 176, 1),
		elsewhere(node("Standard_F4s", "Compute Optimized", 4, 8192, 1, 16, 0)),
	},
	"gcp": {
		node("n2-standard-4", "General Purpose", 4, 16384, 0, 0, 0),
		node("n2-highmem-4", "Memory Optimized", 4, 32768, 1, 375, 0),
		node("e2-standard-4", "General Purpose", 4, 16384, 0, 0, 0),
		node("a2-highgpu-1g", "GPU Accelerated", 12, 87040, 1, 375, 1),
	},
}

// zones are those of the region that each cloud's workspace is in.
var zones = map[string][]string{
	"aws": {"us-west-2a", "us-west-2b", "us-west-2c"}, "azure": {"1", "2", "3"}, "gcp": {"us-central1-a", "us-central1-b"},
}

// runtimes are the versions of the platform's release notes, with the Spark in each.
var runtimes = []struct {
	version, spark string
	scala          []string
	lts            bool
}{
	{"17.3", "4.0.0", []string{"2.13"}, true},
	{"16.4", "3.5.2", []string{"2.12", "2.13"}, true},
	{"15.4", "3.5.0", []string{"2.12"}, true},
	{"14.3", "3.5.0", []string{"2.12"}, true},
	{"13.3", "3.4.1", []string{"2.12"}, true},
	{"12.2", "3.3.2", []string{"2.12"}, true},
	{"11.3", "3.3.0", []string{"2.12"}, true},
	{"10.4", "3.2.1", []string{"2.12"}, true},
	{"9.1", "3.1.2", []string{"2.12"}, true},
}

type sparkVersion struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// sparkVersions are the keys that spark_version takes: each runtime plain, for machine learning, for GPUs, with Photon.
var sparkVersions = func() map[string]sparkVersion {
	all := map[string]sparkVersion{}
	for _, r := range runtimes {
		long := ""
		if r.lts {
			long = " LTS"
		}
		for _, scala := range r.scala {
			for _, kind := range []struct{ key, name, note string }{
				{"", "", ""}, {"cpu-ml-", " ML", ""}, {"gpu-ml-", " ML", "GPU, "}, {"photon-", " Photon", ""}, {"aarch64-", " aarch64", ""},
			} {
				key := r.version + ".x-" + kind.key + "scala" + scala
				all[key] = sparkVersion{key, r.version + long + kind.name + " (includes Apache Spark " + r.spark + ", " + kind.note + "Scala " + scala + ")"}
			}
		}
	}
	return all
}()

// isML says that a runtime is one of those that take no image.
func isML(version string) bool {
	return strings.Contains(version, "-ml-") || strings.Contains(version, "-hls-") || strings.Contains(version, "genomics")
}

func (s *Server) listNodeTypes(*request) (any, error) {
	return map[string]any{"node_types": nodeTypes[s.options.Cloud]}, nil
}

func (s *Server) listSparkVersions(*request) (any, error) {
	versions := []sparkVersion{}
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(sparkVersions))) {
		versions = append(versions, sparkVersions[key])
	}
	return map[string]any{"versions": versions}, nil
}

func (s *Server) listZones(*request) (any, error) {
	all := zones[s.options.Cloud]
	return map[string]any{"zones": all, "default_zone": all[0]}, nil
}

// nodeType finds one of the workspace's.
func (s *Server) nodeType(id string) (nodeType, bool) {
	at := slices.IndexFunc(nodeTypes[s.options.Cloud], func(n nodeType) bool { return n.NodeTypeID == id })
	if at < 0 {
		return nodeType{}, false
	}
	return nodeTypes[s.options.Cloud][at], true
}
