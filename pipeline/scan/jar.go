package scan

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum that Maven repositories index, not a security measure
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/aquasecurity/trivy/pkg/digest"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/licensing"
	"golang.org/x/net/html/charset"
)

// Limits for foreign archives. Real ones stay far below: Spark's largest jar holds 15,000 entries.
const (
	maxJarDepth      = 6         // archives inside archives
	maxJarEntries    = 500_000   // entries of one archive
	maxJarInner      = 512 << 20 // one archive inside another, uncompressed
	maxJarTotal      = 4 << 30   // all of them below one file together
	jarInMemory      = 8 << 20   // a larger inner archive goes through a temporary file
	maxPomProperties = 64 << 10
	maxPom           = 4 << 20
)

func isJar(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".jar", ".war", ".ear", ".par":
		return true
	}
	return false
}

func readJar(file string, size int64, body io.ReaderAt) *record {
	walk := jarWalk{}
	own, err := walk.archive(file, size, body, 0)
	result := &record{Type: ftypes.Jar, Libraries: walk.packages}
	switch {
	case errors.Is(err, zip.ErrFormat):
		// Empty placeholders and stubs are no archives; nothing is missed by leaving them out.
		return nil
	case err != nil:
		result.Problem = err.Error()
	default:
		result.Unidentified = !own && walk.classes
	}
	return result
}

// jarWalk collects what one file on disk holds, through any number of archives inside it.
type jarWalk struct {
	packages []ftypes.Package
	seen     map[string]bool
	total    int64
	classes  bool // the outermost archive itself holds compiled code
}

// archive reads one archive and says whether it tells its own coordinates.
func (w *jarWalk) archive(file string, size int64, body io.ReaderAt, depth int) (own bool, err error) {
	zipped, err := zip.NewReader(body, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return false, err
	}
	if len(zipped.File) > maxJarEntries {
		return false, fmt.Errorf("the archive %s holds %d entries, more than %d", file, len(zipped.File), maxJarEntries)
	}
	licenses := map[string][]string{}
	first := len(w.packages)
	for _, entry := range zipped.File {
		switch base := path.Base(entry.Name); {
		case base == "pom.properties":
			pkg, valid, err := pomProperties(entry, file)
			if err != nil {
				return false, err
			}
			if valid {
				own = true
				w.add(pkg)
			}
		case base == "pom.xml":
			if name := embeddedPom(entry.Name); name != "" {
				licenses[name] = pomLicenses(entry)
			}
		case isInner(entry.Name):
			if err := w.inner(entry, file, depth); err != nil {
				return false, err
			}
		case depth == 0 && !w.classes && strings.HasSuffix(base, ".class"):
			w.classes = true
		}
	}
	added := w.packages[first:]
	if len(added) == 0 {
		return own, nil
	}
	sum, err := fileSHA1(body, size)
	if err != nil {
		return false, err
	}
	for i := range added {
		if added[i].FilePath == file {
			added[i].Digest = sum
		}
		if names := licenses[added[i].Name]; len(added[i].Licenses) == 0 && len(names) > 0 {
			added[i].Licenses = licensing.NormalizeLicenses(names)
		}
	}
	return own, nil
}

func (w *jarWalk) add(pkg ftypes.Package) {
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	if key := pkg.Name + "\x00" + pkg.Version + "\x00" + pkg.FilePath; !w.seen[key] {
		w.seen[key] = true
		w.packages = append(w.packages, pkg)
	}
}

func isInner(name string) bool {
	switch path.Ext(name) {
	case ".jar", ".war", ".ear":
		return !strings.HasSuffix(name, "/")
	}
	return false
}

// inner reads an archive inside an archive. One that is no archive, or is malformed, is left out like a malformed
// file on disk; only a bomb is an error.
func (w *jarWalk) inner(entry *zip.File, outer string, depth int) error {
	file := path.Join(outer, path.Clean("/"+entry.Name))
	switch {
	case depth+1 >= maxJarDepth:
		return fmt.Errorf("%s: archives are nested more than %d deep", file, maxJarDepth)
	case entry.UncompressedSize64 > maxJarInner:
		return fmt.Errorf("%s says that it is %d bytes long, more than %d", file, entry.UncompressedSize64, maxJarInner)
	}
	size := int64(entry.UncompressedSize64)
	if w.total += size; w.total > maxJarTotal {
		return fmt.Errorf("%s: the archives inside hold more than %d bytes together", outer, int64(maxJarTotal))
	}
	reader, err := entry.Open()
	if err != nil {
		return nil
	}
	defer reader.Close()
	limited := io.LimitReader(reader, size)
	if size <= jarInMemory {
		body, err := io.ReadAll(limited)
		if err != nil {
			return nil
		}
		return w.tolerant(file, int64(len(body)), bytes.NewReader(body), depth+1)
	}
	spill, err := os.CreateTemp("", "hallmark-jar-")
	if err != nil {
		return err
	}
	defer os.Remove(spill.Name())
	defer spill.Close()
	if size, err = io.Copy(spill, limited); err != nil {
		return nil
	}
	return w.tolerant(file, size, spill, depth+1)
}

func (w *jarWalk) tolerant(file string, size int64, body io.ReaderAt, depth int) error {
	_, err := w.archive(file, size, body, depth)
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func pomProperties(entry *zip.File, file string) (ftypes.Package, bool, error) {
	reader, err := entry.Open()
	if err != nil {
		return ftypes.Package{}, false, nil
	}
	defer reader.Close()
	scanner := bufio.NewScanner(io.LimitReader(reader, maxPomProperties))
	values := map[string]string{}
	for scanner.Scan() {
		if key, value, found := strings.Cut(strings.TrimSpace(scanner.Text()), "="); found {
			values[key] = value
		}
	}
	if err := scanner.Err(); err != nil {
		return ftypes.Package{}, false, fmt.Errorf("%s in %s cannot be read: %w", entry.Name, file, err)
	}
	group, artifact, version := values["groupId"], values["artifactId"], values["version"]
	if group == "" || artifact == "" || version == "" {
		return ftypes.Package{}, false, nil
	}
	name := group + ":" + artifact
	return ftypes.Package{Name: name, Version: version, FilePath: file}, true, nil
}

var embeddedPomPath = regexp.MustCompile(`^META-INF/maven/([^/]+)/([^/]+)/pom\.xml$`)

// embeddedPom is the "group:artifact" that an archive's pom.xml is of, empty for any other file of that name.
func embeddedPom(name string) string {
	match := embeddedPomPath.FindStringSubmatch(name)
	if match == nil {
		return ""
	}
	return match[1] + ":" + match[2]
}

func pomLicenses(entry *zip.File) []string {
	reader, err := entry.Open()
	if err != nil {
		return nil
	}
	defer reader.Close()
	var pom struct {
		Licenses []struct {
			Name string `xml:"name"`
			URL  string `xml:"url"`
		} `xml:"licenses>license"`
	}
	decoder := xml.NewDecoder(io.LimitReader(reader, maxPom))
	decoder.CharsetReader = charset.NewReaderLabel
	if decoder.Decode(&pom) != nil {
		return nil
	}
	var names []string
	for _, license := range pom.Licenses {
		if name := strings.TrimSpace(license.Name); name != "" {
			names = append(names, name)
		} else if id, known := licensing.SPDXLicenseIDByURL(license.URL); known {
			names = append(names, id)
		}
	}
	return names
}

func fileSHA1(body io.ReaderAt, size int64) (digest.Digest, error) {
	hash := sha1.New() //nolint:gosec // see the import
	if _, err := io.Copy(hash, io.NewSectionReader(body, 0, size)); err != nil {
		return "", err
	}
	return digest.NewDigestFromString(digest.SHA1, hex.EncodeToString(hash.Sum(nil))), nil
}
