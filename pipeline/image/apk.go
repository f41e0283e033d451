package image

import "strings"

// apkPackages reads apk's database of installed packages: one-letter fields, whose case matters, and a paragraph for
// each package. https://wiki.alpinelinux.org/wiki/Apk_spec#Syntax
func apkPackages(body []byte) (_ []byte, packages []Package) {
	for stanza := range stanzas(string(body), "P", "V", "A", "o") {
		name, version, origin := strings.Clone(stanza["P"]), strings.Clone(stanza["V"]), strings.Clone(stanza["o"])
		if name == "" || version == "" {
			continue
		}
		if origin == "" {
			origin = name
		}
		packages = append(packages, Package{
			Name: name, Version: version, Manager: "apk", Arch: strings.Clone(stanza["A"]),
			Source: origin, SourceVersion: version,
		})
	}
	return nil, packages
}
