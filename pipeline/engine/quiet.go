package engine

import (
	"io"
	"sync"

	"github.com/sirupsen/logrus"
)

// quiet keeps what BuildKit's and containerd's client code would log off this process's standard error: everything
// that people need to know comes back as an error or as progress.
var quiet = sync.OnceFunc(func() { logrus.SetOutput(io.Discard) })
