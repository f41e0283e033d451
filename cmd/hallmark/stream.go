package main

import (
	"io"
	"os"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
)

// stream is standard output or standard error. Where a CI system reads the log for commands, what is written passes a
// guard first: nothing that an image or a registry says becomes one.
type stream struct {
	*os.File
	guarded bool
	isJSON  func() bool
	guard   *ci.Guard
}

// newStream guards file where system reads it. A file that somebody has redirected to is no log: it gets what was written.
func newStream(file *os.File, system ci.System, isJSON func() bool) *stream {
	s := &stream{File: file, isJSON: isJSON}
	if info, err := file.Stat(); err == nil {
		s.guarded = system != ci.None && !info.Mode().IsRegular()
	}
	return s
}

func (s *stream) Write(p []byte) (int, error) {
	if !s.guarded {
		return s.File.Write(p)
	}
	if s.guard == nil { // by now the flags are read
		s.guard = ci.NewGuard(s.File)
		if s.isJSON() {
			s.guard = ci.NewJSONGuard(s.File)
		}
	}
	return s.guard.Write(p)
}

// WriteString and ReadFrom would otherwise be those of the file, past the guard.
func (s *stream) WriteString(text string) (int, error) { return s.Write([]byte(text)) }

func (s *stream) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{s}, r)
}

// flush ends what was written.
func (s *stream) flush() {
	if s.guard != nil {
		_ = s.guard.Flush() // that nobody reads any more is known to who wrote
	}
}
