package databricks

import (
	"fmt"
	"net/http"
	"strconv"
)

func (s *server) execution(w http.ResponseWriter, r *http.Request, what string) {
	switch what {
	case "contexts/create":
		var body struct {
			ClusterID string `json:"clusterId"`
			Language  string `json:"language"`
		}
		s.body(r, &body)
		id := fmt.Sprintf("context-%d", len(s.contexts)+1)
		s.contexts[id] = &madeContext{cluster: body.ClusterID, language: body.Language}
		write(w, http.StatusOK, map[string]any{"id": id})
	case "contexts/status":
		q := s.query(r, "clusterId", "contextId")
		c := s.contexts[q.Get("contextId")]
		status := "Running"
		if c.language == "python" && s.noPython {
			status = "Error"
		}
		write(w, http.StatusOK, map[string]any{"id": q.Get("contextId"), "status": status})
	case "contexts/destroy":
		var body struct {
			ClusterID string `json:"clusterId"`
			ContextID string `json:"contextId"`
		}
		s.body(r, &body)
		s.contexts[body.ContextID].gone = true
		write(w, http.StatusOK, map[string]any{"id": body.ContextID})
	case "commands/execute":
		var body struct {
			ClusterID string `json:"clusterId"`
			ContextID string `json:"contextId"`
			Language  string `json:"language"`
			Command   string `json:"command"`
		}
		s.body(r, &body)
		c := s.contexts[body.ContextID]
		if c == nil || c.gone && !s.lax || c.language != body.Language || c.cluster != body.ClusterID {
			s.t.Errorf("a command for the context %q of %q in %q", body.ContextID, body.ClusterID, body.Language)
		}
		done := result{kind: "text", data: "100"}
		if s.commands != nil {
			done = s.commands(body.Language, body.Command)
		}
		c.commands = append(c.commands, done)
		write(w, http.StatusOK, map[string]any{"id": strconv.Itoa(len(c.commands))})
	case "commands/status":
		q := s.query(r, "clusterId", "contextId", "commandId")
		n, _ := strconv.Atoi(q.Get("commandId"))
		done := &s.contexts[q.Get("contextId")].commands[n-1]
		if done.polls > 0 {
			done.polls--
			write(w, http.StatusOK, map[string]any{"id": q.Get("commandId"), "status": "Running"})
			return
		}
		results := map[string]any{"resultType": done.kind}
		for key, value := range map[string]any{"data": done.data, "summary": done.summary, "cause": done.cause, "schema": done.schema} {
			if value != nil && value != "" {
				results[key] = value
			}
		}
		status := done.status
		if status == "" {
			status = "Finished"
		}
		write(w, http.StatusOK, map[string]any{"id": q.Get("commandId"), "status": status, "results": results})
	case "commands/cancel":
		write(w, http.StatusOK, map[string]any{"id": "1"})
	default:
		s.t.Errorf("there is no such request: %s", r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
}
