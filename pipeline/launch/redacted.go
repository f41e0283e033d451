package launch

import (
	"bytes"
	"io"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// redacted takes known secrets out of what is written, line by line.
type redacted struct {
	to      io.Writer
	partial []byte
}

func (r *redacted) Write(data []byte) (int, error) {
	r.partial = append(r.partial, data...)
	cut := bytes.LastIndexByte(r.partial, '\n') + 1
	if cut == 0 && len(r.partial) < longestLine {
		return len(data), nil
	}
	if cut == 0 {
		cut = len(r.partial)
	}
	if _, err := io.WriteString(r.to, secret.Redact(string(r.partial[:cut]))); err != nil {
		return 0, err
	}
	r.partial = append(r.partial[:0], r.partial[cut:]...)
	return len(data), nil
}

// flush writes a last line without an end.
func (r *redacted) flush() {
	_, _ = io.WriteString(r.to, secret.Redact(string(r.partial)))
	r.partial = nil
}
