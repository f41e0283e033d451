package rpmdb

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
)

// Package is what a header says of one installed package.
type Package struct {
	Name, Version, Release, Arch string
	Epoch                        int
	Vendor, License, SourceRPM   string
	Modularity                   string
	MD5                          string // of header and payload, in hexadecimal
	Provides, Requires           []string

	dirs, bases []string
	dirOf       []uint32
}

// Files are the absolute paths that the package brought.
func (p *Package) Files() ([]string, error) {
	if len(p.bases) != len(p.dirOf) {
		return nil, fmt.Errorf("the package %s has %d file names and %d folders for them", p.Name, len(p.bases), len(p.dirOf))
	}
	files := make([]string, len(p.bases))
	for i, base := range p.bases {
		if int64(p.dirOf[i]) >= int64(len(p.dirs)) {
			return nil, fmt.Errorf("the package %s names folder %d of %d", p.Name, p.dirOf[i], len(p.dirs))
		}
		files[i] = path.Join(p.dirs[p.dirOf[i]], base)
	}
	return files, nil
}

// Tags and types of rpm headers, see rpmtag.h and "Header Structure" in the RPM reference.
const (
	tagMD5, tagName, tagVersion, tagRelease, tagEpoch = 261, 1000, 1001, 1002, 1003
	tagVendor, tagLicense, tagArch, tagSourceRPM      = 1011, 1014, 1022, 1044
	tagProvides, tagRequires                          = 1047, 1049
	tagDirIndexes, tagBaseNames, tagDirNames          = 1116, 1117, 1118
	tagModularity                                     = 5096

	typeInt32, typeString, typeBin, typeStringArray, typeI18NString = 4, 6, 7, 8, 9

	// maxTags is rpm's own limit for the index.
	maxTags = 0xffff
)

var errHeader = errors.New("its header is malformed")

// parseHeader reads a header without its magic: counts, the index of tags, and the data that the index points into.
func parseHeader(blob []byte) (Package, error) {
	if len(blob) < 8 || len(blob) > maxHeader {
		return Package{}, fmt.Errorf("%w: it is %d bytes long", errHeader, len(blob))
	}
	tags, length := int64(binary.BigEndian.Uint32(blob)), int64(binary.BigEndian.Uint32(blob[4:]))
	start := 8 + 16*tags
	if tags < 1 || tags > maxTags || start+length > int64(len(blob)) {
		return Package{}, fmt.Errorf("%w: %d tags and %d bytes of data do not fit into %d bytes", errHeader, tags, length, len(blob))
	}
	data := blob[start : start+length]
	var pkg Package
	texts := map[uint32]*string{
		tagName: &pkg.Name, tagVersion: &pkg.Version, tagRelease: &pkg.Release, tagArch: &pkg.Arch, tagVendor: &pkg.Vendor,
		tagLicense: &pkg.License, tagSourceRPM: &pkg.SourceRPM, tagModularity: &pkg.Modularity,
	}
	lists := map[uint32]*[]string{
		tagProvides: &pkg.Provides, tagRequires: &pkg.Requires, tagBaseNames: &pkg.bases, tagDirNames: &pkg.dirs,
	}
	for i := range tags {
		index := blob[8+16*i:]
		entry := entry{
			tag: binary.BigEndian.Uint32(index), kind: binary.BigEndian.Uint32(index[4:]),
			offset: binary.BigEndian.Uint32(index[8:]), count: binary.BigEndian.Uint32(index[12:]), data: data,
		}
		var err error
		if text := texts[entry.tag]; text != nil {
			*text, err = entry.text()
		} else if list := lists[entry.tag]; list != nil {
			*list, err = entry.list()
		} else {
			switch entry.tag {
			case tagEpoch:
				var numbers []uint32
				if numbers, err = entry.numbers(); err == nil && len(numbers) > 0 {
					pkg.Epoch = int(numbers[0])
				}
			case tagDirIndexes:
				pkg.dirOf, err = entry.numbers()
			case tagMD5:
				var sum []byte
				if sum, err = entry.bytes(int64(entry.count)); err == nil {
					pkg.MD5 = hex.EncodeToString(sum)
				}
			}
		}
		if err != nil {
			return Package{}, err
		}
	}
	for _, text := range texts {
		if *text == "(none)" {
			*text = ""
		}
	}
	return pkg, nil
}

// entry is one line of the index.
type entry struct {
	tag, kind, offset, count uint32
	data                     []byte
}

func (e entry) malformed() error { return fmt.Errorf("%w: tag %d", errHeader, e.tag) }

func (e entry) bytes(length int64) ([]byte, error) {
	if int64(e.offset) > int64(len(e.data)) || length > int64(len(e.data))-int64(e.offset) {
		return nil, e.malformed()
	}
	return e.data[e.offset : int64(e.offset)+length], nil
}

func (e entry) text() (string, error) {
	if e.kind != typeString && e.kind != typeI18NString || int64(e.offset) > int64(len(e.data)) {
		return "", e.malformed()
	}
	text, _, ended := bytes.Cut(e.data[e.offset:], []byte{0})
	if !ended {
		return "", e.malformed()
	}
	return string(text), nil
}

func (e entry) list() ([]string, error) {
	// Each text takes at least its end, so a count larger than the data is a lie.
	if e.kind != typeStringArray || int64(e.offset) > int64(len(e.data)) || int64(e.count) > int64(len(e.data)) {
		return nil, e.malformed()
	}
	texts := make([]string, 0, min(e.count, 1<<16))
	rest := e.data[e.offset:]
	for range e.count {
		text, after, ended := bytes.Cut(rest, []byte{0})
		if !ended {
			return nil, e.malformed()
		}
		texts, rest = append(texts, string(text)), after
	}
	return texts, nil
}

func (e entry) numbers() ([]uint32, error) {
	if e.kind != typeInt32 {
		return nil, e.malformed()
	}
	raw, err := e.bytes(4 * int64(e.count))
	if err != nil {
		return nil, err
	}
	numbers := make([]uint32, e.count)
	for i := range numbers {
		numbers[i] = binary.BigEndian.Uint32(raw[4*i:])
	}
	return numbers, nil
}
