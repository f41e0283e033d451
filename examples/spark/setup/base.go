package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// system is a distribution's base image, made from the distribution's own packages.
type system struct {
	name     string   // as Dockerfiles call it
	folder   string   // of its layout, in the cache
	suite    string   // as mmdebstrap calls it
	archive  string   // where its mirrors are
	suites   []string // its archives, as they stand on a mirror
	sections string
	include  string   // what mmdebstrap's least variant leaves out of this distribution
	manual   bool     // its images have the folder of manuals, without manuals: Java's packages put links there
	keyring  *keyring // nil: this machine's own
}

// systems are the bases that the examples are built from, the one of the Spark example first.
var systems = []system{
	{
		name: "debian:bookworm-slim", folder: "base", suite: "bookworm", archive: "http://deb.debian.org", sections: "main",
		suites: []string{"debian bookworm", "debian bookworm-updates", "debian-security bookworm-security"},
	},
	{
		name: "ubuntu:24.04", folder: "base-ubuntu-24.04", suite: "noble", archive: "http://archive.ubuntu.com", sections: "main universe",
		suites:  []string{"ubuntu noble", "ubuntu noble-updates", "ubuntu noble-security"},
		include: "apt,ubuntu-keyring",
		manual:  true,
		keyring: &ubuntuKeys,
	},
}

func systemNamed(name string) (system, error) {
	var names []string
	for _, s := range systems {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	return system{}, fmt.Errorf("no base is called %s: there are %s", name, strings.Join(names, ", "))
}

// slim leaves out what Debian's slim images leave out: documents in every language but the licences.
var slim = []string{
	"path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright",
	"path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*", "path-exclude=/usr/share/locale/*",
	"path-exclude=/usr/share/lintian/*", "path-exclude=/usr/share/linda/*", "path-exclude=/usr/share/groff/*",
}

// base returns the digest of the system's root file system in the cache, making it where it is missing.
func (s system) base(ctx context.Context, cache, mirror string, fresh bool) (string, error) {
	dir := filepath.Join(cache, s.folder)
	if digest, err := baseDigest(dir); err == nil && !fresh {
		fmt.Fprintf(os.Stderr, "setup: the base %s is there: %s (made earlier; -fresh makes it again)\n", s.name, digest)
		return digest, nil
	}
	if err := install(ctx, "mmdebstrap", "debian-archive-keyring"); err != nil {
		return "", err
	}
	defer step("making the root file system of %s from %s", s.name, mirror)()
	epoch, err := s.newestRelease(ctx, mirror)
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "base-*.tmp")
	if err != nil {
		return "", fmt.Errorf("making a working folder: %w", err)
	}
	defer os.RemoveAll(work)
	keys := ""
	if s.keyring != nil {
		file, remove, err := s.keyring.fetch(ctx, mirror)
		if err != nil {
			return "", err
		}
		defer remove()
		keys = file
	}
	tar := filepath.Join(work, "root.tar")
	if err := s.debootstrap(ctx, tar, mirror, keys, epoch); err != nil {
		return "", err
	}
	made := filepath.Join(work, "base")
	digest, err := s.writeBase(made, tar, epoch)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("replacing the older base: %w", err)
	}
	if err := os.Rename(made, dir); err != nil {
		return "", fmt.Errorf("putting the new base into place: %w", err)
	}
	return digest, nil
}

// baseDigest is the digest of the one image in the layout dir.
func baseDigest(dir string) (string, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	if len(manifest.Manifests) != 1 {
		return "", fmt.Errorf("%s holds %d images, want one", dir, len(manifest.Manifests))
	}
	return manifest.Manifests[0].Digest.String(), nil
}

// install brings missing Debian packages onto this machine, if it may.
func install(ctx context.Context, command string, packages ...string) error {
	if _, err := exec.LookPath(command); err == nil {
		return nil
	}
	packages = append([]string{command}, packages...)
	if os.Getuid() != 0 {
		return fmt.Errorf("%s is not installed: run `sudo apt-get install %s` and try again", command, strings.Join(packages, " "))
	}
	defer step("installing %s", strings.Join(packages, ", "))()
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("running apt-get %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

var dateLine = regexp.MustCompile(`(?m)^Date: (.*)$`)

// newestRelease is when the youngest of the suites was published: the one time stamp that the same packages always have.
func (s system) newestRelease(ctx context.Context, mirror string) (time.Time, error) {
	var newest time.Time
	for _, suite := range s.suites {
		archive, name, _ := strings.Cut(suite, " ")
		url := mirror + "/" + archive + "/dists/" + name + "/InRelease"
		body, err := fetch(ctx, url, 4<<20)
		if err != nil {
			return newest, err
		}
		match := dateLine.FindSubmatch(body)
		if match == nil {
			return newest, fmt.Errorf("%s says no Date: is it a mirror of %s?", url, archive)
		}
		date, err := time.Parse(http.TimeFormat, strings.Replace(string(match[1]), "UTC", "GMT", 1))
		if err != nil {
			return newest, fmt.Errorf("reading the date of %s: %w", url, err)
		}
		if date.After(newest) {
			newest = date
		}
	}
	return newest, nil
}

// debootstrap writes the root file system as a tar that depends on nothing but the packages and the epoch.
func (s system) debootstrap(ctx context.Context, tar, mirror, keys string, epoch time.Time) error {
	args := []string{"--quiet", "--variant=minbase", "--format=tar"}
	for _, option := range slim {
		args = append(args, "--dpkgopt="+option)
	}
	// The host's own name and resolver were put there for the packages' scripts; they are not the image's.
	args = append(args, `--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"`,
		`--customize-hook=rm -f "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old "$1"/etc/*-`)
	if keys != "" {
		// The image's own keyring is a package of its archive; only this machine needs to be told.
		args = append(args, "--keyring="+keys)
	}
	if s.include != "" {
		args = append(args, "--include="+s.include)
	}
	if s.manual {
		args = append(args, `--customize-hook=mkdir -p "$1/usr/share/man/man1"`)
	}
	args = append(args, s.suite, tar)
	for _, suite := range s.suites {
		archive, name, _ := strings.Cut(suite, " ")
		args = append(args, fmt.Sprintf("deb %s/%s %s %s", mirror, archive, name, s.sections))
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it unmounts and cleans up by itself
	cmd.WaitDelay = 20 * time.Second
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(epoch.Unix(), 10))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = os.Stderr, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running mmdebstrap: %w\n%s", err, tail(said.String(), 15))
	}
	return nil
}

// writeBase makes a one-layer image of tar, described as Debian's own images are: the file system, then its CMD.
func (s system) writeBase(dir, tar string, epoch time.Time) (string, error) {
	layer, err := tarball.LayerFromFile(tar, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return "", fmt.Errorf("compressing the root file system: %w", err)
	}
	created := v1.Time{Time: epoch.UTC()}
	image, err := mutate.Append(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1),
		mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "mmdebstrap --variant=minbase " + s.suite}},
		mutate.Addendum{History: v1.History{Created: created, CreatedBy: `CMD ["bash"]`, EmptyLayer: true}})
	if err != nil {
		return "", fmt.Errorf("assembling the base image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return "", fmt.Errorf("assembling the base image: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", runtime.GOARCH, created
	config.Config.Cmd = []string{"bash"}
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return "", fmt.Errorf("assembling the base image: %w", err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", fmt.Errorf("writing the base image's layout: %w", err)
	}
	if err := path.AppendImage(image, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": s.name[strings.Index(s.name, ":")+1:],
	}), layout.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH})); err != nil {
		return "", fmt.Errorf("writing the base image's layout: %w", err)
	}
	digest, err := image.Digest()
	return digest.String(), errors.Join(err)
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
