package scan

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"io"
	"path"
	"strings"

	"github.com/aquasecurity/trivy/pkg/digest"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/licensing"
	apkversion "github.com/knqyf263/go-apk-version"
)

func isAPK(file string) bool {
	return file == "lib/apk/db/installed" || file == "usr/lib/apk/db/installed"
}

func readAPK(r io.Reader) *record {
	packages, owned, err := parseAPK(r)
	result := &record{Kind: "apk", Packages: packages, Owned: newPathSet(owned)}
	if err != nil {
		result.Problem = err.Error()
	}
	return result
}

// parseAPK reads Alpine's database of installed packages: paragraphs of "X:value" lines.
func parseAPK(r io.Reader) (packages []ftypes.Package, owned []string, err error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	var (
		pkg      ftypes.Package
		folder   string
		seen     = map[string]bool{}
		provides = map[string]string{}
	)
	flush := func() {
		if !pkg.Empty() && !seen[pkg.Name] {
			seen[pkg.Name] = true
			packages = append(packages, pkg)
		}
		pkg = ftypes.Package{}
	}
	for scanner.Scan() {
		line := scanner.Text()
		if len(line) < 2 || line[1] != ':' {
			flush()
			continue
		}
		value := line[2:]
		switch line[0] {
		case 'P':
			pkg.Name = value
		case 'V':
			if apkversion.Valid(value) {
				pkg.Version = value
			}
		case 'o':
			pkg.SrcName, pkg.SrcVersion = value, pkg.Version
		case 'A':
			pkg.Arch = value
		case 'L':
			pkg.Licenses = licensing.NormalizeLicenses(licensing.LaxSplitLicenses(value))
		case 'm':
			pkg.Maintainer = value
		case 'C':
			pkg.Digest = apkChecksum(value)
		case 'F':
			folder = value
		case 'R':
			owned = append(owned, path.Join(folder, value))
		case 'D':
			for _, wanted := range strings.Fields(value) {
				if !strings.HasPrefix(wanted, "!") {
					pkg.DependsOn = append(pkg.DependsOn, bareRequirement(wanted))
				}
			}
		case 'p':
			for _, name := range strings.Fields(value) {
				provides[bareRequirement(name)] = pkg.Name + "@" + pkg.Version
			}
		}
		if pkg.Name != "" && pkg.Version != "" {
			pkg.ID = pkg.Name + "@" + pkg.Version
			provides[pkg.Name] = pkg.ID
		}
	}
	flush()
	for i := range packages {
		packages[i].DependsOn = resolve(packages[i].DependsOn, provides)
	}
	return packages, owned, scanner.Err()
}

// bareRequirement cuts the version off "so:libssl.so.1.1=1.1" or "musl>=1.2".
func bareRequirement(text string) string {
	if at := strings.IndexAny(text, "<>="); at >= 0 {
		return text[:at]
	}
	return text
}

// apkChecksum turns "Q1" and base64 of a SHA-1 (or base64 of an MD5 alone) into "sha1:hex".
func apkChecksum(text string) digest.Digest {
	algorithm := digest.MD5
	if rest, found := strings.CutPrefix(text, "Q1"); found {
		algorithm, text = digest.SHA1, rest
	}
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return digest.NewDigestFromString(algorithm, hex.EncodeToString(sum))
}
