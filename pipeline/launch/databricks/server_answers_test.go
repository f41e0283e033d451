package databricks

import (
	"net/http"
	"net/http/httptest"
	"strings"
)

// answer replaces the usual one for one request; false: the usual one follows.
type answer func(w http.ResponseWriter, r *http.Request) bool

// script has the next requests of a kind answered otherwise.
func (s *server) script(request string, answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[request] = append(s.scripts[request], answers...)
}

func says(status int, code, message string, headers ...string) answer {
	return func(w http.ResponseWriter, r *http.Request) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		body := map[string]any{"error_code": code, "message": message}
		if strings.HasPrefix(r.URL.Path, "/api/1.2/") {
			body = map[string]any{"error": message}
		}
		write(w, status, body)
		return true
	}
}

// usual lets a request through.
func usual(http.ResponseWriter, *http.Request) bool { return false }

// lost drops the connection without an answer.
func lost(w http.ResponseWriter, _ *http.Request) bool {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
	return true
}

// doneAndLost does what was asked, and drops the connection.
func (s *server) doneAndLost(w http.ResponseWriter, r *http.Request) bool {
	s.usual(httptest.NewRecorder(), r)
	return lost(w, r)
}

// hangs never answers, until the caller has gone.
func hangs(_ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}
