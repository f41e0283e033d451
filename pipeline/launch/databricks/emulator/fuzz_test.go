package emulator

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzBodies sends anything to each call that reads a body. Whatever comes, the answer is JSON, and no panic.
func FuzzBodies(f *testing.F) {
	paths := []string{
		"/api/2.1/clusters/create", "/api/2.1/clusters/edit", "/api/2.1/clusters/events", "/api/2.1/clusters/delete", "/api/1.2/contexts/create",
		"/api/1.2/commands/execute", "/api/2.0/secrets/put", "/api/2.0/secrets/scopes/create", "/api/2.0/workspace/import", "/api/2.0/dbfs/put", "/api/2.0/dbfs/add-block",
		"/api/2.0/policies/clusters/create", "/api/2.0/instance-pools/create", adminPath + "next", adminPath + "faults", "/oidc/v1/token",
	}
	for i := range paths {
		f.Add(uint(i), "", `{"cluster_id": "x"}`)
	}
	good, _ := json.Marshal(wanted(nil))
	f.Add(uint(0), "application/json", string(good))
	f.Add(uint(0), "", `{"spark_version": null, "init_scripts": [{}], "num_workers": 1e99, "custom_tags": {"": ""}}`)
	f.Add(uint(2), "", `{"cluster_id": "x", "page_token": "YXQ6OTk", "limit": -1}`)
	f.Add(uint(8), "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/a\r\n--b--\r\n")
	f.Add(uint(11), "", `{"name": "a", "definition": "{\"a.b\": {\"type\": \"range\"}}"}`)
	f.Add(uint(13), "", `{"end": {"code": "X"}, "count": -5}`)
	f.Add(uint(15), "application/x-www-form-urlencoded", "grant_type=client_credentials")
	f.Fuzz(func(t *testing.T, path uint, mime, body string) {
		s, err := New(Options{Token: "t"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close(context.Background()) }()
		for range 2 {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, paths[path%uint(len(paths))], strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer t")
			r.Header.Set("Content-Type", mime)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		}
	})
}

func FuzzPageTokens(f *testing.F) {
	f.Add("YXQ6Mw", int64(3), int64(2))
	f.Add("", int64(-1), int64(1<<62))
	all := make([]event, 10)
	f.Fuzz(func(t *testing.T, token string, offset, limit int64) {
		got, err := page(all, eventsRequest{PageToken: token, Offset: offset, Limit: limit})
		if err == nil && (len(got.Events) > 10 || got.TotalCount != 10) {
			t.Errorf("%+v", got)
		}
	})
}
