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

// sweeping is how its sweep's entries begin.
var sweeping = []string{"PurgeUploads starting", "Purge uploads finished", "Upload files in "}

func (s *silencer) Format(entry *logrus.Entry) ([]byte, error) {
	if _, distributions := entry.Data[mark]; distributions {
		return nil, nil
	}
	for _, start := range sweeping {
		if strings.HasPrefix(entry.Message, start) {
			return nil, nil
		}
	}
	return s.next.Format(entry)
}
