package image

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDpkg(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []Package
	}{
		"nothing":      {"", nil},
		"no version":   {"Package: a\n", nil},
		"half removed": {"Package: a\nVersion: 1\nStatus: deinstall ok half-installed\n", []Package{{Name: "a", Version: "1", Manager: "dpkg", Source: "a", SourceVersion: "1"}}},
		"removed":      {"Package: a\nVersion: 1\nStatus: deinstall ok config-files\n", nil},
		"purged":       {"Package: a\nVersion: 1\nStatus: unknown ok not-installed\n", nil},
		"source":       {"Package: a\nVersion: 1\nSource: b\n", []Package{{Name: "a", Version: "1", Manager: "dpkg", Source: "b", SourceVersion: "1"}}},
		"source with version": {
			"Package: a\r\nVersion: 1:2+b1\r\nSource: b (1:2)\r\nArchitecture: arm64\r\n\r\n\n\nPackage: c\nVersion: 3",
			[]Package{
				{Name: "a", Version: "1:2+b1", Manager: "dpkg", Arch: "arm64", Source: "b", SourceVersion: "1:2"},
				{Name: "c", Version: "3", Manager: "dpkg", Source: "c", SourceVersion: "3"},
			},
		},
		"broken source": {"Package: a\nVersion: 1\nSource: b (\n", []Package{{Name: "a", Version: "1", Manager: "dpkg", Source: "b", SourceVersion: "1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, got := dpkgPackages([]byte(test.text)); !cmp.Equal(test.want, got) {
				t.Errorf("packages differ (-want +got):\n%s", cmp.Diff(test.want, got))
			}
		})
	}
}

func TestApkFieldsHaveCase(t *testing.T) {
	t.Parallel()
	_, got := apkPackages([]byte("P:ssl\nV:3-r0\nA:x86_64\no:openssl\nF:a\na:0:0:755\np:so:x\nv:9\n"))
	want := []Package{{Name: "ssl", Version: "3-r0", Manager: "apk", Arch: "x86_64", Source: "openssl", SourceVersion: "3-r0"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages differ (-want +got):\n%s", diff)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	passwd := "root:x:0:0:root:/root:/bin/bash\n# a comment\n+::::::\nbad:x:none:0::/:/\nshort:x:1\nlegacy:$1$abc$def:5:5::/:/bin/sh\n" +
		"open::6:6::/:/bin/sh\nstar:*:7:7::/:/bin/false\nnoshadow:x:8:8::/:/\nroot:x:9:9::/again:/\nlarge:x:4294967296:0::/:/\n"
	shadow := "root:!!$6$abc:1::::::\nopen:$6$abc:1::::::\nstar:$6$abc:1::::::\n"
	keptPasswd, _ := withoutHashes([]byte(passwd))
	keptShadow, _ := shadowStates([]byte(shadow))
	for _, kept := range []string{string(keptPasswd), string(keptShadow)} {
		if strings.Contains(kept, "$") {
			t.Errorf("a hash is kept: %s", kept)
		}
	}
	got := ""
	for _, u := range parseUsers(string(keptPasswd), string(keptShadow)) {
		got += fmt.Sprintf("%s %d %s %v\n", u.Name, u.UID, u.Password, u.Locked)
	}
	want := "root 0 locked true\nlegacy 5 set false\nopen 6 empty false\nstar 7 locked true\nnoshadow 8 none false\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users differ (-want +got):\n%s", diff)
	}
}

func TestEntriesSurvivePacking(t *testing.T) {
	t.Parallel()
	var b entriesBuilder
	want := []Entry{
		{Path: "a", Type: Regular, Mode: 0o7777, UID: 1, GID: 1<<32 - 1, Size: 1 << 40, Capable: true},
		{Path: strings.Repeat("p", longestName), Link: strings.Repeat("l", longestName), Type: Symlink},
		{Path: ".", Type: Directory},
	}
	for _, entry := range want {
		b.add(entry)
	}
	entries := b.entries()
	unpacked, ok := unpackEntries(packEntries(entries), entries.names)
	if !ok {
		t.Fatal("the entries cannot be unpacked")
	}
	for i, entry := range unpacked.All() {
		if diff := cmp.Diff(want[i], entry); diff != "" {
			t.Error(diff)
		}
	}
	if _, ok := unpackEntries(packEntries(entries), entries.names[1:]); ok {
		t.Error("entries are unpacked that point outside of their names")
	}
}

// consistent checks what every merged file system must be.
func consistent(t *testing.T, tree *tree) {
	t.Helper()
	alive := 0
	for id := range tree.nodes {
		n := &tree.nodes[id]
		if n.removed {
			continue
		}
		alive++
		if at, ok := tree.index[n.path]; !ok || at != int32(id) {
			t.Fatalf("%q is not in the index", n.path)
		}
		if int32(id) == root {
			continue
		}
		parent := &tree.nodes[n.parent]
		if parent.removed || tree.typeOf(n.parent) != Directory || join(parent.path, path.Base(n.path)) != n.path {
			t.Fatalf("%q stands in %q, which is removed (%v) or no folder", n.path, parent.path, parent.removed)
		}
		seen := false
		for child := parent.child; child != none; child = tree.nodes[child].next {
			seen = seen || child == int32(id)
		}
		if !seen {
			t.Fatalf("%q is not among the children of %q", n.path, parent.path)
		}
		if tree.typeOf(int32(id)) == Hardlink {
			t.Fatalf("the hard link %q was not followed", n.path)
		}
		tree.find(n.path, true)
	}
	if alive != len(tree.index) {
		t.Fatalf("%d nodes, %d in the index", alive, len(tree.index))
	}
}

// FuzzMerge makes layers of entries with few names, so that they meet: two bytes an entry, 0xff starts a new layer.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{0x10, 1, 0x21, 2, 0xff, 0x05, 3, 0x42, 9})
	names := []string{"a", "b", "a/b", "b/a", "a/b/a", ".wh.a", "a/.wh.b", "a/.wh..wh..opq", ".wh..wh..opq", ".", "b/.wh.a", "a/b/b", "c/a", "c", "b/b/b", "a/a/a"}
	links := []string{"a", "/b", "../a", "a/b", ".", "..", "b/a", "c"}
	f.Fuzz(func(t *testing.T, program []byte) {
		layers, builder := []LayerRecord{}, entriesBuilder{}
		flush := func() {
			layers = append(layers, LayerRecord{Index: len(layers), DiffID: "sha256:0", Layer: Layer{Entries: builder.entries()}})
			builder = entriesBuilder{}
		}
		for i := 0; i+1 < len(program) && i < 400; i += 2 {
			if program[i] == 0xff {
				flush()
			}
			entry := Entry{Path: names[program[i]%16], Type: Type(1 + program[i+1]%4), Mode: 0o755}
			switch link := links[program[i]>>4%8]; entry.Type {
			case Symlink:
				entry.Link = link
			case Hardlink:
				entry.Link = strings.Trim(path.Clean("/"+link), "/")
			}
			builder.add(entry)
		}
		flush()
		if tree, err := merge(layers, Limits{}.withDefaults()); err == nil {
			consistent(t, tree)
		}
	})
}
