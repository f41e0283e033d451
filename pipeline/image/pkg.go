package image

// Package is one package that the image's package manager lists as installed.
type Package struct {
	Name string `json:"name" jsonschema_description:"Name of the binary package."`
	// Version is whole: for dpkg [epoch:]upstream[-revision], for apk version-rN.
	Version string `json:"version" jsonschema_description:"Whole version: for dpkg [epoch:]upstream[-revision], for apk version-rN."`
	Manager string `json:"manager" jsonschema:"enum=dpkg,enum=apk,enum=rpm" jsonschema_description:"The package manager whose database lists it."`
	Arch    string `json:"arch,omitempty" jsonschema_description:"Architecture as the package manager writes it."`
	// Source is the source package (apk: the origin); the binary package's own name where the database names none.
	Source string `json:"source" jsonschema_description:"Source package (apk: origin); the package's own name where the database names none."`
	// SourceVersion is the source package's version, where it differs from the binary's it is what the database says.
	SourceVersion string `json:"source_version" jsonschema_description:"Version of the source package."`
	// Layer is the index of the layer that brought this version; -1 where unknown.
	Layer int `json:"layer" jsonschema_description:"Index of the layer that brought this version."`
	// Database is the path of the file that lists it, absolute.
	Database string `json:"database,omitempty" jsonschema_description:"Absolute path of the file that lists it."`
}
