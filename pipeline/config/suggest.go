package config

import (
	"strings"
)

// nearest is the candidate that word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, least := "", max(2, len(word)/3)+1
	for _, candidate := range candidates {
		distance := edits(plain(word), plain(candidate))
		if len(candidate) < 4 {
			distance *= 2 // between short words everything is near
		}
		if distance < least {
			best, least = candidate, distance
		}
	}
	return best
}

// plain drops what people mix up without meaning anything by it.
func plain(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// edits is how many letters must be inserted, dropped, replaced or swapped to make b of a.
func edits(a, b string) int {
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		now := make([]int, len(b)+1)
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j]+cost, last[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}

// elsewhere is the path of a field with that key in another part of the configuration, or "".
func elsewhere(s *shape, key, path string) string {
	for _, f := range s.fields {
		at := join(path, f.key)
		if f.key == key {
			return at
		}
		inner := f.shape
		for inner.elem != nil {
			inner, at = inner.elem, at+"[…]"
		}
		if found := elsewhere(inner, key, at); found != "" {
			return found
		}
	}
	return ""
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
