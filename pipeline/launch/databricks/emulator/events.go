package emulator

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is one of clusters/events.
type event struct {
	ClusterID string       `json:"cluster_id"`
	Timestamp int64        `json:"timestamp"`
	Type      string       `json:"type"`
	Details   eventDetails `json:"details"`
}

type eventDetails struct {
	Attributes         *spec        `json:"attributes,omitempty"`
	Cause              string       `json:"cause,omitempty"`
	PreviousAttributes *spec        `json:"previous_attributes,omitempty"`
	ClusterSize        *size        `json:"cluster_size,omitempty"`
	CurrentNumWorkers  int          `json:"current_num_workers,omitempty"`
	TargetNumWorkers   int          `json:"target_num_workers,omitempty"`
	DriverStateMessage string       `json:"driver_state_message,omitempty"`
	InitScripts        *scriptEvent `json:"init_scripts,omitempty"`
	Reason             *reason      `json:"reason,omitempty"`
	User               string       `json:"user,omitempty"`
}

type size struct {
	NumWorkers *int       `json:"num_workers,omitempty"`
	Autoscale  *autoscale `json:"autoscale,omitempty"`
}

func sizeOf(c spec) *size { return &size{NumWorkers: c.NumWorkers, Autoscale: c.Autoscale} }

type scriptEvent struct {
	Cluster         []scriptState `json:"cluster,omitempty"`
	ReportedForNode string        `json:"reported_for_node,omitempty"`
}

type scriptState struct {
	initScript
	Status                   string `json:"status,omitempty"`
	ExecutionDurationSeconds int    `json:"execution_duration_seconds,omitempty"`
	ErrorMessage             string `json:"error_message,omitempty"`
	Stderr                   string `json:"stderr,omitempty"`
}

// event writes one down; the lock is held.
func (c *cluster) event(kind string, details eventDetails) {
	c.events = append(c.events, event{ClusterID: c.id, Timestamp: time.Now().UnixMilli(), Type: kind, Details: details})
}

// fetchFailed is the exit code of a script that could not be had.
const fetchFailed = -1

// scripts says how each script ended; those after a failed one were not executed. Without results they are only named.
func (c *cluster) scripts(results []ScriptResult) *scriptEvent {
	all := &scriptEvent{ReportedForNode: c.instanceID}
	for i, script := range c.spec.InitScripts {
		state := scriptState{initScript: script}
		switch {
		case results == nil:
		case i >= len(results):
			state.Status = "NOT_EXECUTED"
		case results[i].ExitCode == fetchFailed:
			state.Status, state.ErrorMessage = "FAILED_FETCH", results[i].Stderr
		default:
			state.Status, state.ExecutionDurationSeconds = "SUCCEEDED", int(results[i].Elapsed.Seconds())
			if code := results[i].ExitCode; code != 0 {
				state.Status, state.Stderr = "FAILED_EXECUTION", results[i].Stderr
				state.ErrorMessage = "Script exit status is non-zero: " + strconv.Itoa(code)
			}
		}
		all.Cluster = append(all.Cluster, state)
	}
	return all
}

// eventsRequest is what clusters/events takes. limit and offset are the older pagination, and the client's.
type eventsRequest struct {
	ClusterID  string   `json:"cluster_id"`
	StartTime  int64    `json:"start_time,omitempty"`
	EndTime    int64    `json:"end_time,omitempty"`
	Order      string   `json:"order,omitempty"`
	EventTypes []string `json:"event_types,omitempty"`
	Offset     int64    `json:"offset,omitempty"`
	Limit      int64    `json:"limit,omitempty"`
	PageSize   int      `json:"page_size,omitempty"`
	PageToken  string   `json:"page_token,omitempty"`
}

type eventsAnswer struct {
	Events        []event        `json:"events,omitempty"`
	NextPage      *eventsRequest `json:"next_page,omitempty"`
	TotalCount    int64          `json:"total_count"`
	NextPageToken string         `json:"next_page_token,omitempty"`
	PrevPageToken string         `json:"prev_page_token,omitempty"`
}

// Sizes of pages, of the platform's reference.
const (
	usualEvents = 50
	mostEvents  = 500
)

func (s *Server) listEvents(asked eventsRequest) (any, error) {
	c, err := s.find(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	return page(c.events, asked)
}

// page is one page of the events that are asked for.
func page(all []event, asked eventsRequest) (eventsAnswer, error) {
	limit, offset := asked.Limit, asked.Offset
	switch {
	case asked.Limit < 0 || asked.Limit > mostEvents || asked.PageSize < 0 || asked.PageSize > mostEvents:
		return eventsAnswer{}, invalid("The page must have at most %d events.", mostEvents)
	case asked.Offset < 0:
		return eventsAnswer{}, invalid("The offset must not be negative.")
	case asked.PageToken != "":
		at, err := openToken(asked.PageToken)
		if err != nil {
			return eventsAnswer{}, err
		}
		offset = at
	}
	if asked.PageSize > 0 {
		limit = int64(asked.PageSize)
	}
	if limit == 0 {
		limit = usualEvents
	}
	var wanted []event
	for _, e := range all {
		if (asked.StartTime == 0 || e.Timestamp >= asked.StartTime) && (asked.EndTime == 0 || e.Timestamp <= asked.EndTime) &&
			(len(asked.EventTypes) == 0 || slices.Contains(asked.EventTypes, e.Type)) {
			wanted = append(wanted, e)
		}
	}
	switch asked.Order {
	case "", "DESC":
		slices.Reverse(wanted)
	case "ASC":
	default:
		return eventsAnswer{}, malformed("Could not parse request object: order %q is neither ASC nor DESC", asked.Order)
	}
	total := int64(len(wanted))
	from := min(offset, total)
	to := min(from+limit, total)
	answer := eventsAnswer{Events: wanted[from:to], TotalCount: total}
	if to < total {
		next := asked
		next.Offset, next.Limit = to, limit
		if asked.PageToken != "" || asked.PageSize > 0 {
			next.Offset, next.Limit, next.PageToken = 0, 0, makeToken(to)
		}
		answer.NextPage, answer.NextPageToken = &next, makeToken(to)
	}
	if from > 0 {
		answer.PrevPageToken = makeToken(max(0, from-limit))
	}
	return answer, nil
}

// makeToken hides an offset: who pages is not to make one up.
func makeToken(offset int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("at:" + strconv.FormatInt(offset, 10)))
}

func openToken(token string) (int64, error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	number, ours := strings.CutPrefix(string(text), "at:")
	offset, parsed := strconv.ParseInt(number, 10, 64)
	if err != nil || !ours || parsed != nil || offset < 0 {
		return 0, invalid("Invalid page token: %.60s", token)
	}
	return offset, nil
}
