package inside

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

const (
	// bodyLimit bounds what is read of a page: what it must contain has to stand in there.
	bodyLimit = 256 << 10
	// askAgain is the wait between two attempts, attemptLimit the time that one may take.
	askAgain     = 100 * time.Millisecond
	attemptLimit = 10 * time.Second
)

// page is what is asked for.
type page struct {
	url      string
	status   int
	contains string
	matches  string

	pattern *regexp.Regexp
}

// get asks for the page until it is as it should be, or its time is over: then it reports the last answer.
func get(ctx context.Context, page page, within time.Duration) (Report, error) {
	if page.matches != "" {
		pattern, err := regexp.Compile(page.matches)
		if err != nil {
			return Report{}, err
		}
		page.pattern = pattern
	}
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	client := &http.Client{
		Timeout:   attemptLimit,
		Transport: &http.Transport{DisableKeepAlives: true}, // no proxy: the page is in this very container
		// A redirect is an answer of its own: its status can be asked for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var last Report
	for {
		report := attempt(ctx, client, page.url)
		if page.wants(report) {
			return report, nil
		}
		if ctx.Err() == nil || last == (Report{}) { // the attempt that the deadline cut off says nothing
			last = report
		}
		if pause.For(ctx, askAgain) != nil {
			last.TimedOut = true
			return last, nil
		}
	}
}

func attempt(ctx context.Context, client *http.Client, url string) Report {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Report{Error: err.Error()}
	}
	response, err := client.Do(request)
	if err != nil {
		return Report{Error: short(err, url)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	report := Report{Status: response.StatusCode, Body: strings.ToValidUTF8(string(body), "\uFFFD")}
	if err != nil {
		report.Error = fmt.Sprintf("the page breaks off: %v", err)
	}
	return report
}

func (p page) wants(got Report) bool {
	return got.Status == p.status && strings.Contains(got.Body, p.contains) && (p.pattern == nil || p.pattern.MatchString(got.Body))
}

// short takes the address out of an error of net/http, where it stands twice.
func short(err error, url string) string {
	text := strings.ReplaceAll(err.Error(), `Get "`+url+`": `, "")
	if _, cause, found := strings.Cut(text, "connect: "); found {
		return cause
	}
	return text
}
