package display

import (
	"encoding/json"
	"io"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// jsonLines writes one event a line, in the fields of progress.Event. Masked secrets are hidden; JSON itself makes
// control characters harmless.
type jsonLines struct{ w io.Writer }

func (j jsonLines) event(e progress.Event) {
	e.Name, e.Text, e.Err = secret.Redact(e.Name), secret.Redact(e.Text), secret.Redact(e.Err)
	body, err := json.Marshal(e)
	if err != nil {
		return // texts, numbers and times always marshal
	}
	_, _ = j.w.Write(append(body, '\n'))
}

func (jsonLines) tick(time.Time)  {}
func (jsonLines) close(time.Time) {}
