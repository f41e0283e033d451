package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
)

// The files that name the operating system, in the order in which one layer's answers are merged. The order is
// fixed so that the same image always gives the same answer; which answer wins follows ftypes.OS.Merge.
var osFiles = []struct {
	path string
	read func(text string) *record
}{
	{"etc/debian_version", firstLine(ftypes.Debian)},
	{"etc/redhat-release", redHatRelease(nil, ftypes.RedHat)},
	{"etc/centos-release", redHatRelease(redHatFamilies["centos"], "")},
	{"etc/rocky-release", redHatRelease(redHatFamilies["rocky"], "")},
	{"etc/almalinux-release", redHatRelease(redHatFamilies["almalinux"], "")},
	{"etc/fedora-release", redHatRelease(redHatFamilies["fedora"], "")},
	{"usr/lib/fedora-release", redHatRelease(redHatFamilies["fedora"], "")},
	{"etc/oracle-release", redHatRelease(nil, ftypes.Oracle)},
	{"etc/system-release", amazonRelease},
	{"usr/lib/system-release", amazonRelease},
	{"etc/lsb-release", ubuntuRelease},
	{"var/lib/ubuntu-advantage/status.json", ubuntuExtended},
	{"etc/alpine-release", firstLine(ftypes.Alpine)},
	{"etc/os-release", osRelease},
	{"usr/lib/os-release", osRelease},
	{"etc/apk/repositories", apkRepositories},
}

func osFile(path string) func(string) *record {
	for _, file := range osFiles {
		if file.path == path {
			return file.read
		}
	}
	return nil
}

func named(family ftypes.OSType, version string) *record {
	if family == "" || version == "" {
		return nil
	}
	return &record{OS: &ftypes.OS{Family: family, Name: version}}
}

func firstLine(family ftypes.OSType) func(string) *record {
	return func(text string) *record {
		line, _, _ := strings.Cut(text, "\n")
		return named(family, strings.TrimSuffix(line, "\r"))
	}
}

// osReleaseFamilies maps ID of os-release(5) to the family that the detectors know. Debian and Ubuntu are missing
// on purpose: their own files tell the point release, which os-release does not.
var osReleaseFamilies = map[string]ftypes.OSType{
	"rhel": ftypes.RedHat, "centos": ftypes.CentOS, "rocky": ftypes.Rocky, "almalinux": ftypes.Alma,
	"ol": ftypes.Oracle, "fedora": ftypes.Fedora, "alpine": ftypes.Alpine, "bottlerocket": ftypes.Bottlerocket,
	"opensuse-tumbleweed": ftypes.OpenSUSETumbleweed, "opensuse-leap": ftypes.OpenSUSELeap,
	"opensuse": ftypes.OpenSUSELeap, "sles": ftypes.SLES, "sle-micro": ftypes.SLEMicro, "sl-micro": ftypes.SLEMicro,
	"sle-micro-rancher": ftypes.SLEMicro, "photon": ftypes.Photon, "wolfi": ftypes.Wolfi,
	"chainguard": ftypes.Chainguard, "azurelinux": ftypes.Azure, "mariner": ftypes.CBLMariner, "echo": ftypes.Echo,
	"minimos": ftypes.MinimOS, "coreos": ftypes.CoreOS, "activestate": ftypes.ActiveState,
}

func osRelease(text string) *record {
	values := map[string]string{}
	for _, line := range lines(text) {
		if key, value, found := strings.Cut(line, "="); found {
			values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	family := osReleaseFamilies[values["ID"]]
	if family == ftypes.CentOS && values["NAME"] == "CentOS Stream" {
		family = ftypes.CentOSStream
	}
	return named(family, values["VERSION_ID"])
}

var (
	releaseLine    = regexp.MustCompile(`(.*) release (\d[\d.]*)`)
	redHatFamilies = map[string]map[string]ftypes.OSType{
		"centos":    {"centos": ftypes.CentOS, "centos linux": ftypes.CentOS},
		"rocky":     {"rocky": ftypes.Rocky, "rocky linux": ftypes.Rocky},
		"almalinux": {"alma": ftypes.Alma, "almalinux": ftypes.Alma, "alma linux": ftypes.Alma},
		"fedora":    {"fedora": ftypes.Fedora, "fedora linux": ftypes.Fedora},
		"oracle":    {"oracle": ftypes.Oracle, "oracle linux": ftypes.Oracle, "oracle linux server": ftypes.Oracle},
	}
)

// redHatRelease reads "NAME release VERSION". With known names only those count; otherwise every name of the Red Hat
// world is tried first and other is the answer for the rest.
func redHatRelease(known map[string]ftypes.OSType, other ftypes.OSType) func(string) *record {
	return func(text string) *record {
		line, _, _ := strings.Cut(text, "\n")
		match := releaseLine.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			return nil
		}
		name := strings.ToLower(match[1])
		if known != nil {
			return named(known[name], match[2])
		}
		if other == ftypes.RedHat {
			for _, families := range redHatFamilies {
				if family := families[name]; family != "" {
					return named(family, match[2])
				}
			}
		}
		return named(other, match[2])
	}
}

func amazonRelease(text string) *record {
	for _, line := range lines(text) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Amazon Linux release 2") && len(fields) >= 5:
			return named(ftypes.Amazon, strings.Join(fields[3:], " "))
		case strings.HasPrefix(line, "Amazon Linux release 2"):
		case strings.HasPrefix(line, "Amazon Linux"):
			return named(ftypes.Amazon, strings.Join(fields[2:], " "))
		}
	}
	return nil
}

func ubuntuRelease(text string) *record {
	ubuntu := false
	for _, line := range lines(text) {
		if line == "DISTRIB_ID=Ubuntu" {
			ubuntu = true
		}
		if release, found := strings.CutPrefix(line, "DISTRIB_RELEASE="); found && ubuntu {
			return named(ftypes.Ubuntu, strings.TrimSpace(release))
		}
	}
	return nil
}

// ubuntuExtended says whether Extended Security Maintenance is on, which has advisories of its own.
func ubuntuExtended(text string) *record {
	var status struct {
		Services []struct{ Name, Status string } `json:"services"`
	}
	if json.Unmarshal([]byte(text), &status) != nil {
		return nil
	}
	for _, service := range status.Services {
		if service.Name == "esm-infra" && service.Status == "enabled" {
			return &record{OS: &ftypes.OS{Family: ftypes.Ubuntu, Extended: true}}
		}
	}
	return nil
}

var apkRepository = regexp.MustCompile(`(?:https*|ftp)://[0-9A-Za-z.-]+/([A-Za-z]+)/v?([0-9A-Za-z_.-]+)/`)

// apkRepositories tells the Alpine release whose repositories are used: the newest one, edge above all. Advisories
// go by it, because a package may come from another release than the base.
func apkRepositories(text string) *record {
	newest := ""
	for _, line := range lines(text) {
		match := apkRepository.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		if ftypes.OSType(match[1]) != ftypes.Alpine {
			return nil
		}
		if newest == "" || newest != "edge" && (match[2] == "edge" || lessRelease(newest, match[2])) {
			newest = match[2]
		}
	}
	if newest == "" {
		return nil
	}
	return &record{Repository: &ftypes.Repository{Family: ftypes.Alpine, Release: newest}}
}

// lessRelease compares two "major.minor" releases number by number.
func lessRelease(a, b string) bool {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(left), len(right)) {
		if len(left[i]) != len(right[i]) {
			return len(left[i]) < len(right[i])
		}
		if left[i] != right[i] {
			return left[i] < right[i]
		}
	}
	return len(left) < len(right)
}

func lines(text string) []string {
	var all []string
	scanner := bufio.NewScanner(bytes.NewReader([]byte(text)))
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	return all
}
