package build

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// entry is one entry of an archive in a test.
type entry struct {
	name, body, link string
	kind             byte
	pax              map[string]string
}

func archiveOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.body)), Mode: 0o644, PAXRecords: e.pax}
		if err := errors.Join(w.WriteHeader(header), func() error { _, err := io.WriteString(w, e.body); return err }()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// savedImage is an image of some layers, with the archives that Docker would write of it.
type savedImage struct {
	layers []string
	diffs  []digest.Digest
	config string
	id     digest.Digest
}

func newSavedImage(t testing.TB, layers ...string) savedImage {
	t.Helper()
	s := savedImage{layers: layers, diffs: []digest.Digest{}}
	config := ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}}
	for _, layer := range layers {
		s.diffs = append(s.diffs, digest.FromString(layer))
		config.History = append(config.History, ocispecs.History{CreatedBy: "COPY"})
	}
	config.RootFS = ocispecs.RootFS{Type: "layers", DiffIDs: s.diffs}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	s.config, s.id = string(text), digest.FromBytes(text)
	return s
}

func listing(t testing.TB, config string, layers ...string) entry {
	t.Helper()
	text, err := json.Marshal([]any{map[string]any{"Config": config, "RepoTags": nil, "Layers": layers}})
	if err != nil {
		t.Fatal(err)
	}
	return entry{name: "manifest.json", body: string(text)}
}

// old is the archive of a Docker before version 25: a layer that is in it already is a link.
func (s savedImage) old(t testing.TB) []entry {
	var all []entry
	var names []string
	for i, layer := range s.layers {
		folder := strings.Repeat(string(rune('a'+i)), 64)
		names = append(names, folder+"/layer.tar")
		all = append(all, entry{name: folder + "/", kind: tar.TypeDir}, entry{name: folder + "/VERSION", body: "1.0"}, entry{name: folder + "/json", body: "{}"})
		if first := slices.Index(s.layers, layer); first < i {
			all = append(all, entry{name: names[i], kind: tar.TypeSymlink, link: "../" + names[first]})
		} else {
			all = append(all, entry{name: names[i], body: layer})
		}
	}
	return append(all, entry{name: s.id.Encoded() + ".json", body: s.config}, listing(t, s.id.Encoded()+".json", names...))
}

// new is the archive of a Docker since version 25, an OCI layout too.
func (s savedImage) new(t testing.TB) []entry {
	var names []string
	all := []entry{{name: "blobs/", kind: tar.TypeDir}, {name: "blobs/sha256/" + s.id.Encoded(), body: s.config}}
	for i, layer := range s.layers {
		names = append(names, "blobs/sha256/"+s.diffs[i].Encoded())
		if slices.Index(s.layers, layer) == i {
			all = append(all, entry{name: names[i], body: layer})
		}
	}
	return append(all, entry{name: "index.json", body: "{}"}, listing(t, "blobs/sha256/"+s.id.Encoded(), names...),
		entry{name: "oci-layout", body: "{}"}, entry{name: "repositories", body: "{}"})
}

func scratchFolder(t testing.TB) layoutFolder {
	t.Helper()
	folder := layoutFolder(t.TempDir())
	if err := os.MkdirAll(folder.blobs(), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// receive reads an archive as a build does, and checks what it left.
func (s savedImage) receive(t testing.TB, body io.Reader, wanted map[digest.Digest]bool) error {
	t.Helper()
	scratch := scratchFolder(t)
	archive, err := readSaved(body, scratch, func(sum digest.Digest) bool { return slices.Contains(s.diffs, sum) && !wanted[sum] })
	if err != nil {
		return err
	}
	config, err := archive.image(s.id, s.diffs, wanted)
	if err != nil {
		return err
	}
	if string(config) != s.config {
		t.Errorf("configuration %s", config)
	}
	for i, sum := range s.diffs {
		text, err := os.ReadFile(scratch.path(sum))
		if wanted[sum] && string(text) != s.layers[i] || !wanted[sum] && err == nil {
			t.Errorf("layer %d: wanted %t, %d bytes, %v", i+1, wanted[sum], len(text), err)
		}
	}
	return nil
}

func all(sums []digest.Digest) map[digest.Digest]bool {
	wanted := map[digest.Digest]bool{}
	for _, sum := range sums {
		wanted[sum] = true
	}
	return wanted
}

func TestSavedArchives(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		layers []string
		wanted []int
	}{
		"all layers":              {[]string{"one", "two", "three"}, []int{0, 1, 2}},
		"some are known":          {[]string{"one", "two", "three"}, []int{1}},
		"only the configuration":  {[]string{"one"}, nil},
		"the same layer twice":    {[]string{"one", "two", "one"}, []int{0, 1, 2}},
		"the same, known already": {[]string{"one", "two", "one"}, []int{1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSavedImage(t, test.layers...)
			wanted := map[digest.Digest]bool{}
			for _, i := range test.wanted {
				wanted[s.diffs[i]] = true
			}
			for form, entries := range map[string][]entry{"old": s.old(t), "new": s.new(t)} {
				if err := s.receive(t, bytes.NewReader(archiveOf(t, entries...)), wanted); err != nil {
					t.Errorf("%s: %v", form, err)
				}
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	s := newSavedImage(t, "one", "two")
	other := newSavedImage(t, "one", "three")
	with := func(more ...entry) []byte { return archiveOf(t, append(more, s.old(t)...)...) }
	without := func(suffix string) []byte {
		return archiveOf(t, slices.DeleteFunc(s.old(t), func(e entry) bool { return strings.HasSuffix(e.name, suffix) })...)
	}
	whole := archiveOf(t, s.old(t)...)
	many := make([]entry, maxSavedEntries+1)
	for i := range many {
		many[i] = entry{name: "d/", kind: tar.TypeDir}
	}
	tests := map[string]struct {
		archive []byte
		says    string
	}{
		"out by name":         {with(entry{name: "../../etc/cron.d/x/layer.tar", body: "x"}), "leads out"},
		"absolute":            {with(entry{name: "/etc/x.json", body: "x"}), "leads out"},
		"out by link":         {with(entry{name: "x/layer.tar", kind: tar.TypeSymlink, link: "../../../etc/shadow"}), "leads out"},
		"out by hard link":    {with(entry{name: "x/layer.tar", kind: tar.TypeLink, link: "/etc/shadow"}), "leads out"},
		"a device":            {with(entry{name: "x/layer.tar", kind: tar.TypeBlock}), "neither file"},
		"a name twice":        {with(entry{name: strings.Repeat("a", 64) + "/layer.tar", body: "x"}), "twice"},
		"two listings":        {with(listing(t, "x.json")), "twice"},
		"too many entries":    {archiveOf(t, many...), "more than 10000 entries"},
		"a blob that lies":    {with(entry{name: "blobs/sha256/" + s.diffs[0].Encoded() + "", body: "not it"}), "holds sha256:"},
		"a blob with no name": {with(entry{name: "blobs/sha256/../sha256/zz", body: "x"}), "blobs/sha256/zz"},
		"no listing":          {without("manifest.json"), "has no manifest.json"},
		"no configuration":    {without(s.id.Encoded() + ".json"), "is not in it"},
		"no layer":            {without("layer.tar"), "layer 1"},
		"another image":       {archiveOf(t, other.old(t)...), "holds the image " + other.id.String()},
		"another layer": {archiveOf(t, append(slices.DeleteFunc(s.old(t), func(e entry) bool { return e.body == "two" }),
			entry{name: strings.Repeat("b", 64) + "/layer.tar", body: "three"})...), "layer 2 is " + digest.FromString("three").String()},
		"a link to itself": {archiveOf(t, entry{name: "x.json", kind: tar.TypeSymlink, link: "x.json"}, listing(t, "x.json")), "is not in it"},
		"a huge listing":   {archiveOf(t, entry{name: "manifest.json", body: strings.Repeat(" ", maxJSON+1)}), "more than"},
		"two images":       {archiveOf(t, entry{name: "manifest.json", body: "[{},{}]"}), "holds 2 images"},
		"not JSON":         {archiveOf(t, entry{name: "manifest.json", body: "{"}), "manifest.json"},
		"cut":              {whole[:700], "unexpected EOF"},
		"empty":            {nil, "has no manifest.json"},
		"no archive":       {bytes.Repeat([]byte("x"), 2048), "invalid tar header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := s.receive(t, bytes.NewReader(test.archive), all(s.diffs))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want something with %q", err, test.says)
			}
		})
	}
}

// Few bytes must not become many: an archive with holes is refused before anything of it is written.
func TestArchiveWithHoles(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "holes.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := newSavedImage(t, "x").receive(t, bytes.NewReader(body), nil); err == nil || !strings.Contains(err.Error(), "holes") {
		t.Errorf("%v", err)
	}
}

func FuzzSaved(f *testing.F) {
	s := newSavedImage(f, "one", "two", "one")
	f.Add(archiveOf(f, s.old(f)...))
	f.Add(archiveOf(f, s.new(f)...))
	f.Add([]byte{})
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		scratch := layoutFolder(filepath.Join(t.TempDir(), "scratch"))
		if err := os.MkdirAll(scratch.blobs(), 0o755); err != nil {
			t.Fatal(err)
		}
		archive, err := readSaved(bytes.NewReader(body), scratch, func(digest.Digest) bool { return false })
		if err == nil {
			_, err = archive.image(s.id, s.diffs, all(s.diffs))
		}
		if err != nil {
			return
		}
		for i, sum := range s.diffs { // accepted: then everything is there and right
			if text, err := os.ReadFile(scratch.path(sum)); err != nil || string(text) != s.layers[i] {
				t.Fatalf("layer %d: %q, %v", i, text, err)
			}
		}
		if left, _ := os.ReadDir(folder); len(left) > 0 {
			t.Fatalf("written outside: %v", left)
		}
	})
}
