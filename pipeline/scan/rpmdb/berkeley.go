package rpmdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The layout of Berkeley DB pages, see src/dbinc/db_page.h of libdb.
const (
	bdbMagic        = 0x061561 // of a hash database
	bdbPageHeader   = 26
	bdbHashUnsorted = 2 // page types
	bdbOffPage      = 3 // a value that lies in overflow pages
	bdbOverflow     = 7
	bdbHash         = 13
	bdbOffPageSize  = 12
)

// errNoDatabase says that a file is none of the formats.
var errNoDatabase = errors.New("it is neither SQLite, Berkeley DB nor NDB")

// berkeley is a hash database: rpm keeps a package's header as a value in a chain of overflow pages.
type berkeley struct {
	body     io.ReaderAt
	size     int64
	order    binary.ByteOrder
	pageSize int64
	last     int64 // page number
}

func readBerkeley(ctx context.Context, body io.ReaderAt, size int64, head []byte, collect func([]byte) error) error {
	if len(head) < 72 {
		return errNoDatabase
	}
	db := berkeley{body: body, size: size}
	switch {
	case binary.LittleEndian.Uint32(head[12:]) == bdbMagic:
		db.order = binary.LittleEndian
	case binary.BigEndian.Uint32(head[12:]) == bdbMagic:
		db.order = binary.BigEndian
	default:
		return errNoDatabase
	}
	db.pageSize, db.last = int64(db.order.Uint32(head[20:])), int64(db.order.Uint32(head[32:]))
	if db.pageSize < 512 || db.pageSize > 64<<10 || db.pageSize&(db.pageSize-1) != 0 {
		return fmt.Errorf("its Berkeley DB pages are %d bytes long", db.pageSize)
	}
	if db.last >= size/db.pageSize {
		return fmt.Errorf("it ends before page %d of its Berkeley DB", db.last)
	}
	for number := range db.last + 1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := db.page(number)
		if err != nil {
			return err
		}
		if kind := page[25]; kind != bdbHash && kind != bdbHashUnsorted {
			continue
		}
		if err := db.values(page, collect); err != nil {
			return fmt.Errorf("page %d of its Berkeley DB: %w", number, err)
		}
	}
	return nil
}

func (db berkeley) page(number int64) ([]byte, error) {
	return at(db.body, db.size, number*db.pageSize, db.pageSize)
}

// values gives out the large values of one hash page, which lists keys and values in turn.
func (db berkeley) values(page []byte, collect func([]byte) error) error {
	entries := int(db.order.Uint16(page[20:]))
	if entries%2 != 0 || bdbPageHeader+2*entries > len(page) {
		return fmt.Errorf("it lists %d keys and values", entries)
	}
	for i := 1; i < entries; i += 2 {
		offset := int(db.order.Uint16(page[bdbPageHeader+2*i:]))
		if offset >= len(page) {
			return fmt.Errorf("a value stands at %d", offset)
		}
		if page[offset] != bdbOffPage { // small ones are rpm's own counters
			continue
		}
		if offset+bdbOffPageSize > len(page) {
			return fmt.Errorf("a value stands at %d", offset)
		}
		first, length := db.order.Uint32(page[offset+4:]), db.order.Uint32(page[offset+8:])
		blob, err := db.chain(int64(first), int64(length))
		if err != nil {
			return err
		}
		if err := collect(blob); err != nil {
			return err
		}
	}
	return nil
}

// chain puts a value of length bytes together from its overflow pages. Each page gives something, so that a chain that
// bites its own tail ends with the length.
func (db berkeley) chain(number, length int64) ([]byte, error) {
	if length > db.size || length > maxHeader {
		return nil, fmt.Errorf("a value says that it is %d bytes long", length)
	}
	var blob []byte
	for int64(len(blob)) < length {
		if number == 0 || number > db.last {
			return nil, fmt.Errorf("a value of %d bytes ends after %d", length, len(blob))
		}
		page, err := db.page(number)
		if err != nil {
			return nil, err
		}
		used := int(db.order.Uint16(page[22:]))
		if page[25] != bdbOverflow || used == 0 || bdbPageHeader+used > len(page) {
			return nil, fmt.Errorf("page %d is no part of a value", number)
		}
		blob = append(blob, page[bdbPageHeader:bdbPageHeader+used]...)
		number = int64(db.order.Uint32(page[16:]))
	}
	return blob[:length], nil
}
