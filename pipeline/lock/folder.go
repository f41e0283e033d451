package lock

import (
	"errors"
	"os"
	"time"
)

// TryFolder takes a folder if nobody else has it. Readers of the folder are not kept out. Whoever gets it must Close what
// is returned, or Remove the folder with it.
func TryFolder(path string) (held *os.File, free bool, err error) {
	file, err := openFolder(path)
	if err != nil {
		return nil, false, err
	}
	if free, err = try(file); err != nil || !free {
		return nil, false, errors.Join(err, file.Close())
	}
	return file, true, nil
}

// Replace renames a file, closed, to a name that another file may have, which somebody may be reading: readers see the one
// or the other. Where the system does not let a file go that is being read, it tries again for a while.
func Replace(from, to string) error {
	return persist(func() error { return os.Rename(from, to) }, busy)
}

// patient is how long a file that somebody reads is waited for.
const patient = 2 * time.Second

// persist does something until it works, or fails for another reason than that somebody else is at it.
func persist(work func() error, busy func(error) bool) error {
	began, pause := time.Now(), time.Millisecond
	for {
		err := work()
		if err == nil || !busy(err) || time.Since(began) >= patient {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, 100*time.Millisecond)
	}
}
