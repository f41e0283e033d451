package image

import (
	"iter"
	"slices"
	"strings"
)

// stanzas iterates over the paragraphs of a package database, each with the values of the fields named, which are
// written as dpkg and apk themselves write them. Only a field's first line counts: those that facts need have no more.
func stanzas(text string, fields ...string) iter.Seq[map[string]string] {
	return func(yield func(map[string]string) bool) {
		stanza := map[string]string{}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if strings.TrimSpace(line) == "" {
				if len(stanza) > 0 && !yield(stanza) {
					return
				}
				stanza = map[string]string{}
				continue
			}
			name, value, found := strings.Cut(line, ":")
			if !found {
				continue
			}
			if slices.Contains(fields, name) {
				stanza[name] = strings.TrimSpace(value)
			}
		}
		if len(stanza) > 0 {
			yield(stanza)
		}
	}
}

// dpkgPackages reads dpkg's status file, or one file of distroless' status.d: deb-control(5), dpkg(1) "package states".
func dpkgPackages(body []byte) (_ []byte, packages []Package) {
	for stanza := range stanzas(string(body), "Package", "Version", "Architecture", "Source", "Status") {
		name, version := strings.Clone(stanza["Package"]), strings.Clone(stanza["Version"])
		if name == "" || version == "" || !dpkgInstalled(stanza["Status"]) {
			continue
		}
		source, sourceVersion := dpkgSource(stanza["Source"], name, version)
		packages = append(packages, Package{
			Name: name, Version: version, Manager: "dpkg", Arch: strings.Clone(stanza["Architecture"]),
			Source: strings.Clone(source), SourceVersion: strings.Clone(sourceVersion),
		})
	}
	return nil, packages
}

// dpkgInstalled reads "want flag state". A package whose files are on disk is there, whatever dpkg wanted to do with it;
// "deinstall ok config-files" is not. status.d has no Status at all.
func dpkgInstalled(status string) bool {
	words := strings.Fields(status)
	if len(words) == 0 {
		return true
	}
	switch words[len(words)-1] {
	case "not-installed", "config-files":
		return false
	default:
		return true
	}
}

// dpkgSource reads "name" or "name (version)"; an absent field means that both are the binary package's own.
func dpkgSource(field, name, version string) (string, string) {
	source, rest, found := strings.Cut(field, "(")
	if source = strings.TrimSpace(source); source == "" {
		return name, version
	}
	if found {
		if own := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ")")); own != "" {
			version = own
		}
	}
	return source, version
}
