package advisories

import (
	"archive/zip"
	"bytes"
	"fmt"
)

// Jar is a Java archive that holds nothing but a library's coordinates. To a scanner it is that library: with one of the
// advisories' packages it makes an image fail, for tests and for showing what a failing gate looks like.
func Jar(group, artifact, version string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	// Neither call can fail: the buffer takes everything, and the name is short.
	file, _ := w.Create("META-INF/maven/" + group + "/" + artifact + "/pom.properties")
	fmt.Fprintf(file, "groupId=%s\nartifactId=%s\nversion=%s\n", group, artifact, version)
	_ = w.Close()
	return out.Bytes()
}
