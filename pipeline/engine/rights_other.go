//go:build !linux

package engine

// lacking are rights that only Linux divides root into.
func lacking() []string { return nil }
