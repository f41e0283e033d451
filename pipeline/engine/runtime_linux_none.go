//go:build linux && !amd64 && !arm64

package engine

import "embed"

// embedded holds nothing: nobody has tried the engine on this architecture. It takes a runc from PATH.
var embedded embed.FS

const packedRuntime = "none"
