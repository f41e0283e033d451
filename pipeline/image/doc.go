// Package image reads an image: one walk over each layer serves facts, packages and scanners, and what a layer
// held is kept in a cache, so that a layer seen before is neither decompressed nor opened again.
//
// It takes any v1.Image (an OCI layout folder, a docker-save archive, a registry's image) and gives Contents:
// all tar headers, the bodies of a few small well-known files, and what the given analyzers said of the files that
// they wanted. Contents.Facts derives the documented JSON that policies judge.
//
// It trusts no byte of an image: every size is bounded by Limits, every layer is hashed against its diff id, and a
// hostile image ends in a *verdict.Error that blames the image and says where.
//
// It must not know policies, vulnerabilities, registries or any scanner's types.
package image
