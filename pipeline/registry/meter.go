package registry

import (
	"fmt"
	"io"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// stride is how many bytes pass between two reports of progress.
const stride = 1 << 20

// counted tells of the bytes of one blob as they are read for sending.
type counted struct {
	io.ReadCloser
	upload *blobUpload
	task   *progress.Task
	read   int64
	told   int64
}

func (m *counted) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.read += int64(n)
	m.upload.count.bytesSent.Add(int64(n))
	if m.read-m.told >= stride || err != nil {
		m.told = m.read
		m.task.Advance(m.read, m.upload.blob.size)
		m.upload.moved()
	}
	return n, err
}

// undo takes back what was counted for an attempt that came to nothing.
func (m *counted) undo() {
	if m != nil {
		m.upload.count.bytesSent.Add(-m.read)
		m.read, m.told = 0, 0
	}
}

// size is a number of bytes as people read it, in powers of ten as registries and disks count.
func size(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	case bytes >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%d B", bytes)
}
