package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// The release of Spark that the example builds, as PyPI serves it. The Dockerfile pins the same file.
const (
	sparkVersion = "3.5.7"
	sdist        = "pyspark-" + sparkVersion + ".tar.gz"
	sdistSHA256  = "80e36514e0c5c126d35a26adf4f405cd4a69de96a8ea8a3c1e9a65fce2fb4eaa"
	distName     = "spark-dist-" + sparkVersion
	// sdistLimit bounds what unpacking may write: the package unpacks to about 400 MB.
	sdistLimit = 2 << 30
)

// sparkDist puts the parts of the Spark distribution that the image needs into the cache.
func sparkDist(ctx context.Context, cache, index string) error {
	dir := filepath.Join(cache, distName)
	if _, err := os.Stat(dir); err == nil {
		fmt.Fprintf(os.Stderr, "setup: the Spark %s distribution is there\n", sparkVersion)
		return nil
	}
	archive := filepath.Join(cache, sdist)
	if !checkSum(archive, sdistSHA256) {
		url, err := sdistURL(ctx, index)
		if err != nil {
			return err
		}
		done := step("downloading %s (about 300 MB)", sdist)
		if err := download(ctx, url, archive, sdistSHA256); err != nil {
			return err
		}
		done()
	}
	defer step("unpacking %s", sdist)()
	work := dir + ".tmp"
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clearing an unfinished distribution: %w", err)
	}
	if err := unpack(ctx, archive, work); err != nil {
		os.RemoveAll(work)
		return err
	}
	return os.Rename(work, dir)
}

var href = regexp.MustCompile(`href="([^"#]*/` + regexp.QuoteMeta(sdist) + `)[#"]`)

// sdistURL asks the package index where the source package is.
func sdistURL(ctx context.Context, index string) (string, error) {
	page := strings.TrimRight(index, "/") + "/pyspark/"
	body, err := fetch(ctx, page, 16<<20)
	if err != nil {
		return "", err
	}
	match := href.FindSubmatch(body)
	if match == nil {
		return "", fmt.Errorf("%s lists no %s", page, sdist)
	}
	if found := string(match[1]); strings.Contains(found, "://") {
		return found, nil
	}
	return "", fmt.Errorf("%s gives a relative address for %s: name an index with absolute ones (PIP_INDEX_URL)", page, sdist)
}

// place maps a path of the source package to one of the distribution; false: the image does not need it.
func place(name string) (string, bool) {
	_, name, _ = strings.Cut(path.Clean(name), "/") // the package's own folder
	switch top, rest, _ := strings.Cut(name, "/"); {
	case name == "lib/pyspark.zip" || strings.HasPrefix(name, "lib/py4j-"):
		return "python/" + name, true
	case top == "pyspark" && rest != "" && !strings.HasPrefix(rest, "python/"):
		return "python/" + name, true
	case top == "deps" && rest != "" && !strings.HasSuffix(name, ".cmd"):
		switch folder, _, _ := strings.Cut(rest, "/"); folder {
		case "jars", "bin", "sbin", "examples", "data", "licenses":
			return rest, true
		}
	}
	return "", false
}

// unpack writes the needed files of the archive below dir, regular files and folders only.
func unpack(ctx context.Context, archive, dir string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("reading %s: %w", archive, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // nothing in the archive can reach out of it
	if err != nil {
		return err
	}
	defer root.Close()
	reader := tar.NewReader(io.LimitReader(zipped, sdistLimit))
	for ctx.Err() == nil {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", archive, err)
		}
		to, needed := place(header.Name)
		if !needed || header.Typeflag != tar.TypeReg {
			continue
		}
		if err := write(root, to, header, reader); err != nil {
			return fmt.Errorf("unpacking %s: %w", header.Name, err)
		}
	}
	return ctx.Err()
}

func write(root *os.Root, to string, header *tar.Header, body io.Reader) error {
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if header.Mode&0o111 != 0 || strings.HasPrefix(to, "bin/") || strings.HasPrefix(to, "sbin/") {
		mode = 0o755
	}
	file, err := root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, body); err != nil {
		file.Close()
		return err
	}
	if err := file.Chmod(mode); err != nil { // whatever this machine's umask is
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return root.Chtimes(to, header.ModTime, header.ModTime)
}
