package rpmdb

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	upstream "github.com/knqyf263/go-rpmdb/pkg"
)

// header makes a header of tags and values: string, []string, []uint32 or []byte.
func header(values map[uint32]any) []byte {
	var index, data bytes.Buffer
	tags := make([]uint32, 0, len(values))
	for tag := range values {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	for _, tag := range tags {
		kind, count := uint32(0), uint32(1)
		var body []byte
		switch v := values[tag].(type) {
		case string:
			kind, body = typeString, append([]byte(v), 0)
		case []string:
			kind, count = typeStringArray, uint32(len(v))
			for _, text := range v {
				body = append(append(body, text...), 0)
			}
		case []uint32:
			kind, count = typeInt32, uint32(len(v))
			for _, n := range v {
				body = binary.BigEndian.AppendUint32(body, n)
			}
			for data.Len()%4 != 0 {
				data.WriteByte(0)
			}
		case []byte:
			kind, count, body = typeBin, uint32(len(v)), v
		}
		for _, n := range []uint32{tag, kind, uint32(data.Len()), count} {
			_ = binary.Write(&index, binary.BigEndian, n)
		}
		data.Write(body)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	out = binary.BigEndian.AppendUint32(out, uint32(data.Len()))
	return append(append(out, index.Bytes()...), data.Bytes()...)
}

func bash() []byte {
	return header(map[uint32]any{
		tagName: "bash", tagVersion: "5.1.8", tagRelease: "9.el9", tagArch: "x86_64", tagEpoch: []uint32{1},
		tagVendor: "Rocky Enterprise Software Foundation", tagLicense: "GPLv3+", tagSourceRPM: "bash-5.1.8-9.el9.src.rpm",
		tagProvides: []string{"bash", "/bin/sh"}, tagRequires: []string{"libc.so.6()(64bit)"}, tagMD5: []byte{0xab, 0xcd},
		tagDirNames: []string{"/usr/bin/", "/etc/"}, tagBaseNames: []string{"bash", "bashrc"}, tagDirIndexes: []uint32{0, 1},
		tagModularity: "(none)",
	})
}

func sqlite(t testing.TB, blobs ...[]byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		if _, err := db.Exec("INSERT INTO Packages (blob) VALUES (?)", blob); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return file(t, path)
}

func file(t testing.TB, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func ndb(blobs ...[]byte) []byte {
	put := func(b []byte, values ...uint32) {
		for i, v := range values {
			binary.LittleEndian.PutUint32(b[4*i:], v)
		}
	}
	out := make([]byte, 4096)
	copy(out, "RpmP")
	put(out[4:], 0, 1, 1)
	for slot := 32; slot < 4096; slot += 16 {
		copy(out[slot:], "Slot")
	}
	for i, blob := range blobs {
		put(out[32+16*i+4:], uint32(i+1), uint32(len(out)/16), uint32(len(blob)/16+2))
		head := make([]byte, 16)
		copy(head, "BlbS")
		put(head[4:], uint32(i+1), 0, uint32(len(blob)))
		out = append(append(out, head...), blob...)
		out = append(out, make([]byte, (16-len(out)%16)%16)...)
	}
	return out
}

// bdb makes a hash database of pages of 512 bytes with one hash page.
func bdb(order binary.ByteOrder, blobs ...[]byte) []byte {
	const size = 512
	meta, hash := make([]byte, size), make([]byte, size)
	order.PutUint32(meta[12:], bdbMagic)
	order.PutUint32(meta[20:], size)
	meta[25] = 8
	hash[25] = bdbHash
	order.PutUint16(hash[20:], uint16(2*len(blobs)))
	pages := [][]byte{meta, hash}
	for i, blob := range blobs {
		offset := size - 12*(i+1)
		order.PutUint16(hash[bdbPageHeader+4*i+2:], uint16(offset))
		hash[offset] = bdbOffPage
		order.PutUint32(hash[offset+4:], uint32(len(pages)))
		order.PutUint32(hash[offset+8:], uint32(len(blob)))
		for len(blob) > 0 {
			page := make([]byte, size)
			n := copy(page[bdbPageHeader:], blob)
			blob = blob[n:]
			page[25] = bdbOverflow
			order.PutUint16(page[22:], uint16(n))
			if len(blob) > 0 {
				order.PutUint32(page[16:], uint32(len(pages)+1))
			}
			pages = append(pages, page)
		}
	}
	order.PutUint32(meta[32:], uint32(len(pages)-1))
	return bytes.Join(pages, nil)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"sqlite": sqlite(t, bash(), bash()), "ndb": ndb(bash(), bash()),
		"berkeley": bdb(binary.LittleEndian, bash(), bash()), "berkeley, big-endian": bdb(binary.BigEndian, bash(), bash()),
	} {
		packages, err := Read(t.Context(), bytes.NewReader(body), int64(len(body)))
		if err != nil || len(packages) != 2 {
			t.Errorf("%s: %v, %d packages", name, err, len(packages))
			continue
		}
		p := packages[1]
		if p.Name != "bash" || p.Version != "5.1.8" || p.Release != "9.el9" || p.Epoch != 1 || p.MD5 != "abcd" || p.Modularity != "" ||
			p.SourceRPM != "bash-5.1.8-9.el9.src.rpm" || !slices.Equal(p.Provides, []string{"bash", "/bin/sh"}) {
			t.Errorf("%s: %+v", name, p)
		}
		if files, err := p.Files(); err != nil || !slices.Equal(files, []string{"/usr/bin/bash", "/etc/bashrc"}) {
			t.Errorf("%s: %v %v", name, files, err)
		}
	}
}

// The databases of real distributions that go-rpmdb tests itself with give the same packages here.
func TestRealDatabases(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/knqyf263/go-rpmdb").Output()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	err = filepath.WalkDir(filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "Packages" && d.Name() != "Packages.db" && d.Name() != "rpmdb.sqlite" {
			return err
		}
		// The module cache is read-only and go-rpmdb opens by name: give it a copy.
		body := file(t, path)
		if len(body) > 12<<20 {
			return nil // the small ones show the same
		}
		copied := filepath.Join(t.TempDir(), d.Name())
		if err := os.WriteFile(copied, body, 0o600); err != nil {
			return err
		}
		theirs, err := upstream.Open(copied)
		if err != nil {
			return nil // broken on purpose
		}
		want, err := theirs.ListPackages()
		_ = theirs.Close()
		if err != nil {
			return nil
		}
		got, err := Read(t.Context(), bytes.NewReader(body), int64(len(body)))
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %v, %d packages, go-rpmdb finds %d", path, err, len(got), len(want))
			return nil
		}
		compared++
		for i, p := range got {
			files, err := p.Files()
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			theirFiles, _ := want[i].InstalledFileNames()
			same := p.Name == want[i].Name && p.Version == want[i].Version && p.Release == want[i].Release && p.Arch == want[i].Arch &&
				p.Epoch == want[i].EpochNum() && p.Vendor == want[i].Vendor && p.License == want[i].License &&
				p.SourceRPM == want[i].SourceRpm && p.MD5 == want[i].SigMD5 && slices.Equal(files, theirFiles) &&
				slices.Equal(p.Requires, want[i].Requires) && slices.Equal(p.Provides, want[i].Provides)
			if !same {
				t.Errorf("%s: %+v, go-rpmdb says %+v", path, p, want[i])
				break
			}
		}
		return nil
	})
	if err != nil || compared < 5 {
		t.Errorf("%v, only %d databases compared", err, compared)
	}
	t.Logf("%d databases", compared)
}

func TestHostileDatabases(t *testing.T) {
	t.Parallel()
	looped := bdb(binary.LittleEndian, bash())
	binary.LittleEndian.PutUint32(looped[2*512+16:], 2) // the chain bites its tail
	binary.LittleEndian.PutUint32(looped[512+512-12+8:], uint32(len(looped)))
	if packages, err := Read(t.Context(), bytes.NewReader(looped), int64(len(looped))); err == nil && len(packages) != 1 {
		t.Errorf("a chain that bites its tail: %d packages", len(packages))
	}
	long := bytes.Clone(looped)
	binary.LittleEndian.PutUint32(long[512+512-12+8:], uint32(len(looped)+1))
	view := func() []byte {
		path := filepath.Join(t.TempDir(), "view.sqlite")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("CREATE VIEW Packages AS WITH RECURSIVE x(blob) AS (SELECT x'00' UNION ALL SELECT blob FROM x) SELECT blob FROM x"); err != nil {
			t.Fatal(err)
		}
		_ = db.Close()
		return file(t, path)
	}()
	lying := bash()
	binary.BigEndian.PutUint32(lying, 0x7fffffff)
	for name, body := range map[string][]byte{
		"empty": {}, "short": []byte("x"), "text": bytes.Repeat([]byte("no database "), 100), "endless view": view,
		"a value longer than the file": long, "a header that lies": sqlite(t, lying), "an empty header": ndb([]byte{}),
		"cut NDB": ndb(bash())[:4100], "cut Berkeley DB": bdb(binary.LittleEndian, bash())[:1100],
		"SQLite without the table": sqlite(t)[:1024],
	} {
		if packages, err := Read(t.Context(), bytes.NewReader(body), int64(len(body))); err == nil {
			t.Errorf("%s: %d packages", name, len(packages))
		}
	}
	odd := header(map[uint32]any{tagName: "a", tagDirNames: []string{"/"}, tagBaseNames: []string{"x"}, tagDirIndexes: []uint32{0xffffffff}})
	pkg, err := parseHeader(odd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pkg.Files(); err == nil {
		t.Error("a folder that is not there is accepted")
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(bash())
	f.Fuzz(func(t *testing.T, blob []byte) {
		if pkg, err := parseHeader(blob); err == nil {
			_, _ = pkg.Files()
		}
	})
}

func FuzzPages(f *testing.F) {
	f.Add(ndb(bash()))
	f.Add(bdb(binary.LittleEndian, bash()))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !bytes.HasPrefix(body, []byte("SQLite")) {
			_, _ = Read(t.Context(), bytes.NewReader(body), int64(len(body)))
		}
	})
}
