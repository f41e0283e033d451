package registry

import (
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
)

// quiet silences distribution, which logs every request through logrus's standard logger and takes no other one.
// Entries of anybody else pass as before.
var quiet = sync.OnceFunc(func() {
	logger := logrus.StandardLogger()
	logger.SetFormatter(&silencer{next: logger.Formatter})
})

type silencer struct{ next logrus.Formatter }

// mark is on every entry of distribution and on nobody else's, but for those of its sweep of uploads.
const mark = "go.version"

func (s *silencer) Format(entry *logrus.Entry) ([]byte, error) {
	if _, marked := entry.Data[mark]; marked || strings.HasPrefix(entry.Message, "Purge") {
		return nil, nil
	}
	return s.next.Format(entry)
}
