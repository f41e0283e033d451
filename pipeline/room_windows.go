package pipeline

import "golang.org/x/sys/windows"

// roomIn is how many bytes this user may still write to the volume of folder.
func roomIn(folder string) (int64, error) {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	var room uint64
	if err := windows.GetDiskFreeSpaceEx(name, &room, nil, nil); err != nil {
		return 0, err
	}
	return int64(room), nil //nolint:gosec // no volume holds more
}
