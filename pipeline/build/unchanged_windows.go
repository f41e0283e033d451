package build

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// basicInfo is FILE_BASIC_INFO of the Windows API, times in units of 100 ns since 1601.
type basicInfo struct {
	created, accessed, written, changed int64
	attributes                          uint32
	_                                   uint32
}

// look is what changes with a file, whoever changes it: the time of its last change is not among those that programs set
// in passing, as an unpacker sets the time of the last writing.
func look(path string) (string, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return "", err
	}
	// The reparse point itself, not what it leads to; and folders can only be opened as for a backup.
	file, err := windows.CreateFile(name, windows.FILE_READ_ATTRIBUTES,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return "", fmt.Errorf("looking at %s: %w", path, err)
	}
	defer windows.CloseHandle(file)
	var basic basicInfo
	if err := windows.GetFileInformationByHandleEx(file, windows.FileBasicInfo, (*byte)(unsafe.Pointer(&basic)), uint32(unsafe.Sizeof(basic))); err != nil {
		return "", fmt.Errorf("looking at %s: %w", path, err)
	}
	if basic.attributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 {
		// A folder's times change with whatever is put into it and taken out again.
		return fmt.Sprintf("%x", basic.attributes), nil
	}
	var about windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(file, &about); err != nil {
		return "", fmt.Errorf("looking at %s: %w", path, err)
	}
	size := uint64(about.FileSizeHigh)<<32 | uint64(about.FileSizeLow)
	return fmt.Sprintf("%x %d %d %d", basic.attributes, size, basic.written, basic.changed), nil
}
