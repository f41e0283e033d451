package image_test

import (
	"archive/tar"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	type layers = []imagetest.Blob
	layer, text, dir := imagetest.Layer, imagetest.Text, imagetest.Dir
	for name, test := range map[string]struct {
		layers layers
		want   map[string]string // path: type, layer, link
	}{
		"folders that no layer names": {
			layers{layer(text("a/b/c", "x"))},
			map[string]string{"/a": "dir -1", "/a/b": "dir -1", "/a/b/c": "file 0"},
		},
		"a file of a higher layer wins": {
			layers{layer(text("a", "x")), layer(text("a", "longer"))},
			map[string]string{"/a": "file 1"},
		},
		"absolute and dotted names": {
			layers{layer(text("/a", "x"), text("./b", "x"), text("c//d/../e", "x"))},
			map[string]string{"/a": "file 0", "/b": "file 0", "/c": "dir -1", "/c/e": "file 0"},
		},
		"a whiteout hides a file": {
			layers{layer(text("d/a", "x"), text("d/b", "x")), layer(imagetest.Whiteout("d/a"))},
			map[string]string{"/d": "dir -1", "/d/b": "file 0"},
		},
		"a whiteout hides a folder": {
			layers{layer(text("d/e/a", "x"), text("d/e/f/b", "x")), layer(imagetest.Whiteout("d/e"))},
			map[string]string{"/d": "dir -1"},
		},
		"a whiteout spares its own layer, wherever it stands": {
			layers{layer(text("a", "x")), layer(text("a", "new"), imagetest.Whiteout("a"))},
			map[string]string{"/a": "file 1"},
		},
		"a whiteout of nothing": {
			layers{layer(imagetest.Whiteout("no/such")), layer(imagetest.Whiteout("a"))},
			map[string]string{},
		},
		"a file comes back": {
			layers{layer(text("a", "x")), layer(imagetest.Whiteout("a")), layer(text("a", "y"))},
			map[string]string{"/a": "file 2"},
		},
		"an opaque folder hides what is below": {
			layers{layer(dir("d"), text("d/a", "x"), text("d/e/f", "x")), layer(text("d/b", "x"), imagetest.Opaque("d"))},
			map[string]string{"/d": "dir 0", "/d/b": "file 1"},
		},
		"an opaque root": {
			layers{layer(text("a", "x"), text("d/b", "x")), layer(text("c", "x"), imagetest.File{Path: ".wh..wh..opq"})},
			map[string]string{"/c": "file 1"},
		},
		"AUFS leftovers are nothing": {
			layers{layer(text(".wh..wh.plnk/1", "x"), text("a", "x"), imagetest.File{Path: ".wh..wh.aufs"})},
			map[string]string{"/.wh..wh.plnk": "dir -1", "/.wh..wh.plnk/1": "file 0", "/a": "file 0"},
		},
		"a file replaces a folder": {
			layers{layer(text("d/a", "x")), layer(text("d", "x"))},
			map[string]string{"/d": "file 1"},
		},
		"a folder replaces a file": {
			layers{layer(text("d", "x")), layer(dir("d"), text("d/a", "x"))},
			map[string]string{"/d": "dir 1", "/d/a": "file 1"},
		},
		"a folder that no layer names replaces a file of a lower layer": {
			layers{layer(text("d", "x")), layer(text("d/a", "x"))},
			map[string]string{"/d": "dir -1", "/d/a": "file 1"},
		},
		"a folder named again keeps what is in it": {
			layers{layer(dir("d"), text("d/a", "x")), layer(dir("d", 0o700))},
			map[string]string{"/d": "dir 1", "/d/a": "file 0"},
		},
		"entries go through linked folders": {
			layers{
				layer(dir("usr/bin"), imagetest.Symlink("bin", "usr/bin"), text("usr/bin/sh", "x")),
				layer(text("bin/ls", "x"), imagetest.Whiteout("bin/sh")),
			},
			map[string]string{"/usr": "dir -1", "/usr/bin": "dir 0", "/bin": "symlink 0 usr/bin", "/usr/bin/ls": "file 1"},
		},
		"an absolute link stays in the root": {
			layers{layer(imagetest.Symlink("lib", "/../../usr/lib"), text("lib/a", "x"))},
			map[string]string{"/lib": "symlink 0 /../../usr/lib", "/usr": "dir -1", "/usr/lib": "dir -1", "/usr/lib/a": "file 0"},
		},
		"a folder replaces a link": {
			layers{layer(text("usr/bin/sh", "x"), imagetest.Symlink("bin", "usr/bin")), layer(dir("bin"), text("bin/ls", "x"))},
			map[string]string{"/usr": "dir -1", "/usr/bin": "dir -1", "/usr/bin/sh": "file 0", "/bin": "dir 1", "/bin/ls": "file 1"},
		},
		"a hard link is the file": {
			layers{layer(text("a", "x"), imagetest.Hardlink("b", "a")), layer(imagetest.Whiteout("a"))},
			map[string]string{"/b": "file 0"},
		},
		"a hard link into a lower layer": {
			layers{layer(text("a", "x")), layer(imagetest.Hardlink("b", "/a"))},
			map[string]string{"/a": "file 0", "/b": "file 0"},
		},
		"a hard link to a symbolic link": {
			layers{layer(imagetest.Symlink("a", "nowhere"), imagetest.Hardlink("b", "a"))},
			map[string]string{"/a": "symlink 0 nowhere", "/b": "symlink 0 nowhere"},
		},
		"a hard link to itself": {
			layers{layer(text("a", "x"), imagetest.Hardlink("a", "a"))},
			map[string]string{"/a": "file 0"},
		},
		"a duplicate entry counts last": {
			layers{layer(text("a", "x"), imagetest.Symlink("a", "b"))},
			map[string]string{"/a": "symlink 0 b"},
		},
		"devices and pipes": {
			layers{layer(
				imagetest.File{Path: "c", Type: tar.TypeChar}, imagetest.File{Path: "b", Type: tar.TypeBlock},
				imagetest.File{Path: "p", Type: tar.TypeFifo},
			)},
			map[string]string{"/c": "char-device 0", "/b": "block-device 0", "/p": "fifo 0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]string{}
			for file, fact := range facts(t, read(t, imagetest.Image(t, v1.Config{}, test.layers...)), "/**").Files {
				got[file] = fmt.Sprintf("%s %d", fact.Type, fact.Layer)
				if fact.Target != "" {
					got[file] += " " + fact.Target
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the merged image differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLinksAreResolvedInsideTheRoot(t *testing.T) {
	t.Parallel()
	link := imagetest.Symlink
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(
		imagetest.Text("etc/passwd", ""), link("climbs", "../../../../etc/passwd"), link("etc/relative", "passwd"),
		link("loop", "loop2"), link("loop2", "/loop"), link("broken", "/no/such"), link("through", "etc/passwd/x"),
		link("dir", "etc/"), link("twice", "dir/relative"), link("self", "."),
	))
	files := facts(t, read(t, img), "/*", "/dir/*", "/dir/passwd", "/self/self/etc/passwd").Files
	for file, want := range map[string]string{
		"/climbs": "/etc/passwd", "/loop": "", "/broken": "", "/through": "", "/dir": "/etc", "/twice": "/etc/passwd",
		"/self": "/", "/dir/relative": "/etc/passwd",
	} {
		if got, ok := files[file]; !ok || got.ResolvesTo != want {
			t.Errorf("%s leads to %q (found: %v), want %q", file, got.ResolvesTo, ok, want)
		}
	}
	for _, file := range []string{"/dir/passwd", "/self/self/etc/passwd"} {
		if files[file].Type != "file" {
			t.Errorf("%s is not found through links", file)
		}
	}
}

func TestFortyLinksAndNoMore(t *testing.T) {
	t.Parallel()
	files := []imagetest.File{imagetest.Text("l0", "")}
	for i := 1; i <= 41; i++ {
		files = append(files, imagetest.Symlink(fmt.Sprintf("l%d", i), fmt.Sprintf("l%d", i-1)))
	}
	got := facts(t, read(t, imagetest.Image(t, v1.Config{}, imagetest.Layer(files...))), "/l*").Files
	if got["/l40"].ResolvesTo != "/l0" || got["/l41"].ResolvesTo != "" {
		t.Errorf("l40 leads to %q, l41 to %q", got["/l40"].ResolvesTo, got["/l41"].ResolvesTo)
	}
}
