// Package policies carries the packs that come with the program: one folder a pack, and lib, the helpers that packs share.
//
// It is data: package check knows how to read it. docs/policies.md is made from it.
package policies

import "embed"

// FS holds the packs by folder.
//
//go:embed base databricks databricks-gpu lib promotion spark
var FS embed.FS
