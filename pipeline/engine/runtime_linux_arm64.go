package engine

import "embed"

// embedded holds runc.gz for this architecture where the binary was built with it (runtime/build.sh).
//
//go:embed runtime/arm64
var embedded embed.FS

const packedRuntime = "runtime/arm64/runc.gz"
