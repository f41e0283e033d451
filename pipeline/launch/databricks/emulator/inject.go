package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

// Duration is a time.Duration that JSON writes as Go does: "1.5s".
type Duration time.Duration

// UnmarshalJSON reads "1.5s".
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("a duration is a text like 1.5s: %w", err)
	}
	parsed, err := time.ParseDuration(s)
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q is no duration like 1.5s", s)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalJSON writes "1.5s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Next says what becomes of the next cluster that is started.
type Next struct {
	// End terminates it.
	End *End `json:"end,omitempty"`
	// LoseDriver loses its driver so long after it was RUNNING.
	LoseDriver *Duration `json:"lose_driver,omitempty"`
	// Hang leaves it in PENDING until somebody deletes it.
	Hang bool `json:"hang,omitempty"`
	// Slow is added to PENDING, SlowEnd to TERMINATING, SlowCommands to each command.
	Slow         Duration `json:"slow,omitempty"`
	SlowEnd      Duration `json:"slow_end,omitempty"`
	SlowCommands Duration `json:"slow_commands,omitempty"`
	// Drop breaks the connection of clusters/create after the cluster was made.
	Drop bool `json:"drop,omitempty"`
	// NoMachine starts nothing for it.
	NoMachine bool `json:"no_machine,omitempty"`
	// Count is for how many clusters this holds; 0: one.
	Count int `json:"count,omitempty"`
}

// End is how a cluster terminates.
type End struct {
	Code       string            `json:"code"`
	Type       string            `json:"type,omitempty"` // empty: CLIENT_ERROR
	Parameters map[string]string `json:"parameters,omitempty"`
	// Running waits for RUNNING; else it ends in PENDING.
	Running bool     `json:"running,omitempty"`
	After   Duration `json:"after,omitempty"`
	// Events happen before it.
	Events []Happening `json:"events,omitempty"`
}

// Happening is an event that is made up: SPARK_EXCEPTION with what the driver says, for example.
type Happening struct {
	Type               string `json:"type"`
	DriverStateMessage string `json:"driver_state_message,omitempty"`
}

func (e *End) ended() *Ended {
	kind := e.Type
	if kind == "" {
		kind = byClient
	}
	return &Ended{Code: e.Code, Type: kind, Parameters: e.Parameters, events: e.Events}
}

// Next tells the emulator what becomes of the clusters that are started next; several are taken in their order.
func (s *Server) Next(n Next) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, n)
}

// take is what becomes of the cluster that starts now; the lock is held.
func (s *Server) take() Next {
	if len(s.next) == 0 {
		return Next{}
	}
	n := s.next[0]
	if s.next[0].Count--; s.next[0].Count <= 0 {
		s.next = s.next[1:]
	}
	return n
}

// Fault is what happens to requests instead of, or besides, what they ask for.
type Fault struct {
	// Method and Path choose requests; empty: any. Path may hold * and ?, as file names do, within one part.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Status is answered, with an error body of the platform's, or a page as its gateways send where HTML says so;
	// 0: the request is served.
	Status  int    `json:"status,omitempty"`
	Code    string `json:"error_code,omitempty"`
	Message string `json:"message,omitempty"`
	HTML    bool   `json:"html,omitempty"`
	// RetryAfter is the header of that name, in seconds; negative: none.
	RetryAfter int `json:"retry_after,omitempty"`
	// Delay holds the request up.
	Delay Duration `json:"delay,omitempty"`
	// Drop breaks the connection: "before" the request is served, or "after" it.
	Drop string `json:"drop,omitempty"`
	// Skip is how many requests go unharmed first, Count for how many it holds; 0: one, negative: all.
	Skip  int `json:"skip,omitempty"`
	Count int `json:"count,omitempty"`
}

func (f Fault) check() error {
	if _, err := path.Match(f.Path, ""); err != nil {
		return invalid("path %q is no pattern", f.Path)
	}
	if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		return invalid("status %d is no error", f.Status)
	}
	if f.Drop != "" && f.Drop != "before" && f.Drop != "after" {
		return invalid("drop is before or after, not %q", f.Drop)
	}
	return nil
}

// Inject adds a fault.
func (s *Server) Inject(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// fault does to a request what was injected. drop says that the connection is to break once it is served.
func (s *Server) fault(w http.ResponseWriter, r *http.Request, id string) (drop, answered bool) {
	if strings.HasPrefix(r.URL.Path, adminPath) {
		return false, false
	}
	f := s.matching(r)
	if f == nil {
		return false, false
	}
	_ = pause.For(r.Context(), time.Duration(f.Delay))
	switch {
	case f.Drop == "before":
		panic(http.ErrAbortHandler)
	case f.Drop == "after":
		return true, false
	case f.Status == 0:
		return false, false
	}
	code, message := f.Code, f.Message
	if code == "" {
		code = map[int]string{401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST", 429: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}[f.Status]
	}
	if message == "" {
		message = http.StatusText(f.Status)
	}
	if f.RetryAfter > 0 || f.Status == http.StatusTooManyRequests && f.RetryAfter == 0 {
		w.Header().Set("Retry-After", fmt.Sprint(max(1, f.RetryAfter)))
	}
	if f.HTML {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, "<html><head><title>Error %d</title></head><body><h2>HTTP ERROR %d</h2><p>Reason: <pre>%s</pre></p></body></html>", f.Status, f.Status, message)
		return false, true
	}
	refuse(f.Status, code, "%s", message).write(w, r.URL.Path, id)
	return false, true
}

// matching is the first fault for the request, counted down.
func (s *Server) matching(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		fits, _ := path.Match(f.Path, r.URL.Path)
		if f.Method != "" && f.Method != r.Method || f.Path != "" && !fits {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		found := *f
		if f.Count > 0 {
			if f.Count--; f.Count == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return &found
	}
	return nil
}

// adminPath is where the emulator takes orders; no workspace has it.
const adminPath = "/emulator/v1/"

func (s *Server) admin() {
	s.handle("POST "+adminPath+"next", func(r *request) (any, error) {
		var n Next
		if err := decode(r.body, &n); err != nil {
			return nil, err
		}
		if n.End != nil && n.End.Code == "" {
			return nil, invalid("end has no code")
		}
		s.Next(n)
		return nil, nil
	})
	s.handle("POST "+adminPath+"faults", func(r *request) (any, error) {
		var f Fault
		if err := decode(r.body, &f); err != nil {
			return nil, err
		}
		return nil, s.Inject(f)
	})
	s.handle("DELETE "+adminPath+"faults", func(*request) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults, s.next = nil, nil
		return nil, nil
	})
	s.handle("GET "+adminPath+"state", func(*request) (any, error) { return s.State(), nil })
}

// State is what the emulator knows of itself.
type State struct {
	// Clusters are those that are not permanently deleted; Running counts lives, those of deleted clusters included.
	Clusters map[string]string `json:"clusters"` // id and state
	Running  int               `json:"running"`
	Deleted  int               `json:"deleted"`
	Contexts int               `json:"contexts"`
}

// State says what is left in the workspace.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Clusters: map[string]string{}, Running: s.lives, Deleted: s.deleted}
	for id, c := range s.clusters {
		state.Clusters[id] = c.state
		state.Contexts += len(c.contexts)
	}
	return state
}
