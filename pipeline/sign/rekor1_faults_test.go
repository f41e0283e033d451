package sign_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// way is how a log answers one request; ask passes it on to the real one.
type way func(t *testing.T, w http.ResponseWriter, r *http.Request, ask func(body []byte) (*http.Response, []byte))

func says(status int, text string) way {
	return func(_ *testing.T, w http.ResponseWriter, _ *http.Request, _ func([]byte) (*http.Response, []byte)) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// passed hands on what the real one answered.
func passed(w http.ResponseWriter, answer *http.Response, said []byte) {
	for _, name := range []string{"Content-Type", "ETag", "Location"} {
		w.Header().Set(name, answer.Header.Get(name))
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(said)
}

// altered changes the real one's answer, with the ID of the entry.
func altered(change func(t *testing.T, id string, answer, entry object)) way {
	return func(t *testing.T, w http.ResponseWriter, r *http.Request, ask func([]byte) (*http.Response, []byte)) {
		answer, said := ask(read(t, r))
		var all object
		if err := json.Unmarshal(said, &all); err != nil || len(all) != 1 {
			t.Errorf("the real one answered %s: %s", answer.Status, said)
			return
		}
		for id, entry := range all {
			change(t, id, all, entry.(object))
		}
		said, _ = json.Marshal(all)
		passed(w, answer, said)
	}
}

func number(value any) json.Number { return json.Number(strconv.FormatInt(int64(value.(float64)), 10)) }

func read(t *testing.T, r *http.Request) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return body
}

// inFrontOfRekor stands in front of a log and answers its own way: the first request, and those after it.
func inFrontOfRekor(t *testing.T, behind string, first, then way) *front {
	t.Helper()
	f := &front{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := then
		if f.count.Add(1) == 1 {
			answer = first
		}
		if answer == nil {
			answer = well
		}
		answer(t, w, r, func(body []byte) (*http.Response, []byte) {
			request, err := http.NewRequestWithContext(r.Context(), r.Method, behind+r.URL.RequestURI(), bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return &http.Response{}, nil
			}
			request.Header = r.Header.Clone()
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return &http.Response{}, nil
			}
			defer answer.Body.Close()
			said, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Error(err)
			}
			return answer, said
		})
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// well is how the real one answers.
func well(t *testing.T, w http.ResponseWriter, r *http.Request, ask func([]byte) (*http.Response, []byte)) {
	answer, said := ask(read(t, r))
	passed(w, answer, said)
}

// ways are how a log of the first version fails, and what comes of it.
func ways(s sigstore) map[string]struct {
	first, then way // then: how it answers all but the first time; nil: well
	asked       int
	want        string // in the error; empty: it works in the end
} {
	type failure = struct {
		first, then way
		asked       int
		want        string
	}
	silent := way(func(_ *testing.T, _ http.ResponseWriter, r *http.Request, _ func([]byte) (*http.Response, []byte)) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client is gone
		<-r.Context().Done()
	})
	lost := way(func(t *testing.T, w http.ResponseWriter, r *http.Request, ask func([]byte) (*http.Response, []byte)) {
		if answer, said := ask(read(t, r)); answer.StatusCode != http.StatusCreated {
			t.Errorf("the real one answered %s: %s", answer.Status, said)
		}
		http.Error(w, "the answer is lost", http.StatusBadGateway)
	})
	twice := way(func(t *testing.T, w http.ResponseWriter, r *http.Request, ask func([]byte) (*http.Response, []byte)) {
		body := read(t, r)
		ask(body)
		answer, said := ask(body)
		if answer.StatusCode != http.StatusConflict {
			t.Errorf("the real one answered the second time %s: %s", answer.Status, said)
		}
		passed(w, answer, said)
	})
	garbled := way(func(t *testing.T, w http.ResponseWriter, r *http.Request, ask func([]byte) (*http.Response, []byte)) {
		answer, said := ask([]byte(strings.Replace(string(read(t, r)), `\"sig\":\"`, `\"sig\":\"AAAA`, 1)))
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("the real one answered %s: %s", answer.Status, said)
		}
		passed(w, answer, said)
	})
	verification := func(key string) way {
		return altered(func(t *testing.T, _ string, _, entry object) { delete(under(t, entry, "verification"), key) })
	}
	without := func(key string) way {
		return altered(func(_ *testing.T, _ string, _, entry object) { delete(entry, key) })
	}
	unchecked := altered(func(t *testing.T, _ string, _, entry object) {
		delete(under(t, entry, "verification", "inclusionProof"), "checkpoint")
	})
	empty := altered(func(_ *testing.T, _ string, _, entry object) {
		entry["body"] = base64.StdEncoding.EncodeToString([]byte(`{"kind":"dsse","apiVersion":"0.0.1","spec":{}}`))
	})
	const unverified = "verifying what was signed"
	return map[string]failure{
		"nothing":                  {well, nil, 3, ""},
		"an error each time":       {says(500, `{"code":500,"message":"unexpected result from transparency log"}`), says(503, "away"), 3, "503"},
		"an error once":            {says(500, "away"), nil, 4, ""},
		"too many requests":        {says(429, "later"), nil, 4, ""},
		"an answer lost":           {lost, nil, 4, ""},
		"silence":                  {silent, silent, 3, "did not answer within"},
		"silence once":             {silent, nil, 4, ""},
		"what it has already":      {twice, nil, 4, ""},
		"that it has all already":  {twice, twice, 3, "409"},
		"a refusal":                {garbled, garbled, 1, "400 Bad Request"},
		"no such interface":        {says(404, `{"code":5,"message":"Not Found"}`), nil, 1, "sign.keyless.rekor_version"},
		"200 instead of 201":       {says(200, "{}"), says(200, "{}"), 3, "200 OK"},
		"a page":                   {says(201, "<html>Welcome</html>"), says(201, "<html>Welcome</html>"), 3, "not a log entry"},
		"nothing in the answer":    {says(201, "{}"), says(201, "{}"), 3, "0 log entries"},
		"null for an entry":        {says(201, `{"24296fb24b8ad77a":null}`), says(201, `{"24296fb24b8ad77a":null}`), 3, "lacks the body"},
		"half an answer":           {says(201, `{"24296fb24b8ad77a":{"body":`), says(201, `{"24`), 3, "not a log entry"},
		"an answer without an end": {says(201, strings.Repeat(" ", 2<<20)), says(201, strings.Repeat(" ", 2<<20)), 3, "more than 1048576 bytes"},
		"no verification":          {without("verification"), without("verification"), 3, "lacks the signed timestamp"},
		"no promise":               {verification("signedEntryTimestamp"), verification("signedEntryTimestamp"), 3, "lacks the signed timestamp"},
		"no proof":                 {verification("inclusionProof"), verification("inclusionProof"), 3, "lacks the proof of inclusion"},
		"no time":                  {without("integratedTime"), without("integratedTime"), 3, "lacks the time"},
		"no ID of the log":         {without("logID"), without("logID"), 3, "lacks the log's ID"},
		"no index":                 {without("logIndex"), without("logIndex"), 3, "lacks the index"},
		"no body":                  {without("body"), without("body"), 3, "lacks the body"},
		"no checkpoint":            {unchecked, unchecked, 3, "lacks the checkpoint"},
		"a body that is none":      {empty, empty, 3, "signatures"},
		"the promise of another key": {altered(func(t *testing.T, _ string, _, entry object) {
			under(t, entry, "verification")["signedEntryTimestamp"] = promise(t, stranger(t), entry["body"].(string),
				number(entry["integratedTime"]), number(entry["logIndex"]), entry["logID"].(string))
		}), nil, 1, unverified},
		"a wrong proof": {altered(func(t *testing.T, _ string, _, entry object) {
			proof := under(t, entry, "verification", "inclusionProof")
			proof["hashes"] = append(proof["hashes"].([]any), strings.Repeat("ab", 32))
		}), nil, 1, unverified},
		"another time": {altered(func(_ *testing.T, _ string, _, entry object) {
			entry["integratedTime"] = entry["integratedTime"].(float64) + 1
		}), nil, 1, unverified},
		"the entry of somebody else": {altered(func(t *testing.T, id string, answer, _ object) {
			other, err := http.Get(s.First.Rekor + "/api/v1/log/entries?logIndex=0")
			if err != nil {
				t.Error(err)
				return
			}
			defer other.Body.Close()
			var there map[string]any
			if err := json.NewDecoder(other.Body).Decode(&there); err != nil {
				t.Error(err)
			}
			for _, entry := range there {
				answer[id] = entry
			}
		}), nil, 1, unverified},
	}
}

// TestRekor1Fails: nothing is stored that the log does not vouch for, and nothing is lost because it failed once.
func TestRekor1Fails(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	sealed(t, s.keyless(t, s.first()), marshal(t, fresh(t, pushed(t, c, inProcess(t), "others"))[1])) // the log's first entry
	for name, tt := range ways(s) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, inProcess(t), "platform/spark")
			f := inFrontOfRekor(t, s.First.Rekor, tt.first, tt.then)
			i := s.first()
			i.Rekor = f.url
			signer, all := s.keyless(t, i), fresh(t, at)
			if strings.HasPrefix(name, "silence") {
				signer.Hurry(300 * time.Millisecond)
			}
			err := signer.AttestAll(t.Context(), c, at, all[:1], sign.AttestOptions{})
			for _, statement := range all[1:] {
				if err == nil {
					err = signer.Attest(t.Context(), c, statement, sign.AttestOptions{})
				}
			}
			if err == nil && tt.want == "" {
				err = signer.Sign(t.Context(), c, at)
			}
			report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, s.first()), Now: time.Now()})
			if got := int(f.count.Load()); got != tt.asked {
				t.Errorf("the log was asked %d times, want %d", got, tt.asked)
			}
			if tt.want == "" {
				if err != nil || report.Err() != nil || len(report.Signatures) != 1 || len(report.Evidence) != len(all) || len(report.Rejected) > 0 {
					t.Errorf("%v: %+v", err, report)
				}
				return
			}
			var known *verdict.Error
			if verdict.ExitCodeOf(err) != verdict.ExitInconclusive || !errors.As(err, &known) || known.Code != sign.CodeUnavailable || known.Remedy == "" || !strings.Contains(err.Error()+known.Remedy, tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if len(report.Signatures)+len(report.Evidence)+len(report.Rejected) > 0 {
				t.Errorf("something was stored: %+v", report)
			}
		})
	}
}
