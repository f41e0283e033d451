package rpmdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// readNDB reads rpm's own format: a header and slots of 16 bytes in the first pages, each slot pointing at a blob. See
// lib/backend/ndb/rpmpkg.c of rpm.
func readNDB(ctx context.Context, body io.ReaderAt, size int64, collect func([]byte) error) error {
	const (
		pageSize, slotSize, blockSize = 4096, 16, 16
		maxSlotPages                  = 2048 // half a million packages
	)
	head, err := at(body, size, 0, 32)
	if err != nil {
		return fmt.Errorf("its NDB header is cut off: %w", err)
	}
	version, pages := binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[12:])
	if version != 0 || pages == 0 || pages > maxSlotPages {
		return fmt.Errorf("its NDB header names version %d and %d pages of slots", version, pages)
	}
	slots, err := at(body, size, 0, int64(pages)*pageSize)
	if err != nil {
		return fmt.Errorf("its NDB slots: %w", err)
	}
	for slot := slots[32:]; len(slot) >= slotSize; slot = slot[slotSize:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if string(slot[:4]) != "Slot" {
			return errors.New("an NDB slot does not begin with its mark")
		}
		index, block := binary.LittleEndian.Uint32(slot[4:]), binary.LittleEndian.Uint32(slot[8:])
		if index == 0 { // free
			continue
		}
		head, err := at(body, size, int64(block)*blockSize, 16)
		if err != nil {
			return fmt.Errorf("the NDB blob of package %d: %w", index, err)
		}
		if string(head[:4]) != "BlbS" || binary.LittleEndian.Uint32(head[4:]) != index {
			return fmt.Errorf("the NDB blob of package %d is another one's", index)
		}
		blob, err := at(body, size, int64(block)*blockSize+16, int64(binary.LittleEndian.Uint32(head[12:])))
		if err != nil {
			return fmt.Errorf("the NDB blob of package %d: %w", index, err)
		}
		if err := collect(blob); err != nil {
			return err
		}
	}
	return nil
}
