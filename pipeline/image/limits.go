package image

import "fmt"

// Limits bounds what an image may ask of the machine that reads it. A zero field takes its default.
type Limits struct {
	// Layers is how many layers an image may have. Default 512.
	Layers int `json:"layers,omitempty" yaml:"layers,omitempty"`
	// Entries is how many entries one layer may have. Default 2,000,000.
	Entries int `json:"entries,omitempty" yaml:"entries,omitempty"`
	// ImageEntries is how many entries all layers may have together. Default 4,000,000.
	ImageEntries int64 `json:"image_entries,omitempty" yaml:"image_entries,omitempty"`
	// PathBytes is how long a path or a link's target may be. Default 4096, Linux's own limit; at most 65535.
	PathBytes int `json:"path_bytes,omitempty" yaml:"path_bytes,omitempty"`
	// NameBytes is how long all paths and links of all layers may be together. Default 512 MiB; at most 4 GiB - 1.
	NameBytes int64 `json:"name_bytes,omitempty" yaml:"name_bytes,omitempty"`
	// AttributeBytes is how long one entry's extended attributes may be together. Default 256 KiB.
	AttributeBytes int64 `json:"attribute_bytes,omitempty" yaml:"attribute_bytes,omitempty"`
	// LayerBytes is how long one layer may be uncompressed, and all its files together. Default 32 GiB.
	LayerBytes int64 `json:"layer_bytes,omitempty" yaml:"layer_bytes,omitempty"`
	// ImageBytes is how long all layers may be together, uncompressed. Default 128 GiB.
	ImageBytes int64 `json:"image_bytes,omitempty" yaml:"image_bytes,omitempty"`
	// Ratio is how many bytes one compressed byte may become, judged from the first RatioFloor bytes on. Default 500.
	Ratio int64 `json:"ratio,omitempty" yaml:"ratio,omitempty"`
	// RatioFloor is how many uncompressed bytes are read before Ratio is judged. Default 1 GiB.
	RatioFloor int64 `json:"ratio_floor,omitempty" yaml:"ratio_floor,omitempty"`
	// BodyBytes is how large the well-known files that facts need (package databases, passwd, entry points) may be,
	// in all layers together, and each of them. Default 64 MiB.
	BodyBytes int64 `json:"body_bytes,omitempty" yaml:"body_bytes,omitempty"`
	// FileBytes is how large a file that an analyzer wants may be. Default 8 GiB.
	FileBytes int64 `json:"file_bytes,omitempty" yaml:"file_bytes,omitempty"`
	// MemoryBytes is how many bytes of files may be in memory for analyzers at once; files larger than an eighth of
	// it go through a temporary file. Default 64 MiB.
	MemoryBytes int64 `json:"memory_bytes,omitempty" yaml:"memory_bytes,omitempty"`
	// ConfigBytes is how large the image's manifest and configuration may each be. Default 8 MiB.
	ConfigBytes int64 `json:"config_bytes,omitempty" yaml:"config_bytes,omitempty"`
	// Facts is how many files, packages, commands, users and the like the facts of an image may list in all.
	// Default 200,000.
	Facts int `json:"facts,omitempty" yaml:"facts,omitempty"`
}

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

func (l Limits) withDefaults() Limits {
	orInt := func(value *int, or int) {
		if *value == 0 {
			*value = or
		}
	}
	orInt64 := func(value *int64, or int64) {
		if *value == 0 {
			*value = or
		}
	}
	orInt(&l.Layers, 512)
	orInt(&l.Entries, 2_000_000)
	orInt(&l.PathBytes, 4096)
	orInt64(&l.ImageEntries, 4_000_000)
	orInt64(&l.NameBytes, 512*mib)
	orInt64(&l.AttributeBytes, 256*kib)
	orInt64(&l.LayerBytes, 32*gib)
	orInt64(&l.ImageBytes, 128*gib)
	orInt64(&l.Ratio, 500)
	orInt64(&l.RatioFloor, gib)
	orInt64(&l.BodyBytes, 64*mib)
	orInt64(&l.FileBytes, 8*gib)
	orInt64(&l.MemoryBytes, 64*mib)
	orInt64(&l.ConfigBytes, 8*mib)
	orInt(&l.Facts, 200_000)
	l.PathBytes = min(l.PathBytes, longestName)
	l.NameBytes = min(l.NameBytes, mostNames)
	return l
}

// key is the part of the limits that a cached record depends on.
func (l Limits) key() string { return fmt.Sprintf("%+v", l) }
