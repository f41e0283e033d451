package image

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"path"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// keeper takes from a well-known file's body what facts need of it: text to keep, packages, or nothing. What must not
// reach a cache or a report ends here.
type keeper func(body []byte) (kept []byte, packages []Package)

const (
	// smallFile bounds files that are small in every honest image: release files and profiles. Larger ones are ignored.
	smallFile = 64 << 10
	// smallScript bounds the scripts whose text becomes a fact.
	smallScript = 32 << 10
)

// keeperOf returns what is to be done with a regular file's body; nil: nothing.
func keeperOf(file string, size int64) keeper {
	switch file {
	case "etc/os-release", "usr/lib/os-release":
		return whole
	case "etc/passwd", "etc/group":
		return withoutHashes
	case "etc/shadow":
		return shadowStates
	case "etc/environment":
		return pathAssignments
	case pamSu:
		return whole
	case "var/lib/dpkg/status":
		return dpkgPackages
	case "lib/apk/db/installed", "usr/lib/apk/db/installed":
		return apkPackages
	}
	dir, base := path.Split(file)
	switch {
	case dir == "var/lib/dpkg/status.d/" && !strings.HasSuffix(base, ".md5sums"):
		return dpkgPackages // one package a file, as distroless images have them
	case base == "release" && size < smallFile:
		return javaRelease
	case profiles[base] && size < smallFile:
		return pathAssignments
	case size < smallScript && isScriptName(dir, base):
		return script
	default:
		return nil
	}
}

// isScriptName says whether a script there may be what starts the image: by its name, or by lying where Dockerfiles
// put such scripts. Which one it is stands in the configuration, which the layer does not know.
func isScriptName(dir, base string) bool {
	switch dir {
	case "", "opt/":
		return true
	case "usr/local/bin/":
		return strings.HasSuffix(base, ".sh") || strings.Contains(base, "entrypoint")
	default:
		return strings.Contains(base, "entrypoint")
	}
}

func whole(body []byte) ([]byte, []Package) { return body, nil }

func script(body []byte) ([]byte, []Package) {
	if !bytes.HasPrefix(body, []byte("#!")) {
		return nil, nil
	}
	return []byte(maskText(string(body))), nil
}

// file reads a regular file's body for facts and analyzers, if one of them wants it.
func (w *walker) file(ctx context.Context, index int, entry Entry, header *tar.Header, body io.Reader) error {
	info := header.FileInfo()
	keep := keeperOf(entry.Path, entry.Size)
	analyzers := w.bench.wanting(entry.Path, info)
	if keep != nil {
		if entry.Size > w.limits.BodyBytes {
			return overLimit(w.object, verdict.Place{File: entry.Path}, "body_bytes", w.limits.BodyBytes,
				"the file is %d bytes long", entry.Size)
		}
		text := make([]byte, entry.Size)
		if _, err := io.ReadFull(body, text); err != nil {
			return w.blame(entry.Path, err)
		}
		if err := w.keep(entry.Path, keep, text); err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	if len(analyzers) > 0 {
		if err := w.bench.work(index, analyzers, entry.Path, info, body); err != nil {
			return w.blame(entry.Path, err)
		}
	}
	return ctx.Err()
}

func (w *walker) keep(file string, keep keeper, text []byte) error {
	kept, packages := keep(text)
	if len(kept) > 0 {
		w.layer.Bodies[file] = kept
	}
	if len(packages) > 0 {
		for i := range packages {
			packages[i].Database = "/" + file
		}
		w.layer.Packages[file] = packages
	}
	return w.budget.spend(w.object, file, 0, 0, 0, int64(len(kept))+packageCost*int64(len(packages)))
}

// packageCost is about what one Package takes in memory.
const packageCost = 256
