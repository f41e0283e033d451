package sign_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
)

// object is a JSON object.
type object = map[string]any

// under goes down into objects, and into the first element of lists.
func under(t *testing.T, value any, keys ...string) object {
	t.Helper()
	for _, key := range keys {
		value = value.(object)[key]
		if list, ok := value.([]any); ok {
			value = list[0]
		}
	}
	found, ok := value.(object)
	if !ok {
		t.Fatalf("there is no object at %s", strings.Join(keys, "."))
	}
	return found
}

// flip changes a bit in the middle of what is encoded there.
func flip(t *testing.T, in object, key string) {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(in[key].(string))
	if err != nil || len(data) == 0 {
		t.Fatalf("%s: %v", key, err)
	}
	data[len(data)/2] ^= 1
	in[key] = base64.StdEncoding.EncodeToString(data)
}

// TestKeylessTampered: with anything in a bundle changed, taken away, or taken from another one, it counts no more.
func TestKeylessTampered(t *testing.T) {
	t.Parallel()
	const material = "verificationMaterial"
	s, c := newSigstore(t), newClient(t)
	host := inProcess(t)
	signer, stranger := s.keyless(t, s.instance()), s.keyless(t, s.instance())
	root := opened(t, s.instance())
	other := func(t *testing.T) object {
		t.Helper()
		var b object
		if err := json.Unmarshal(sealed(t, stranger, marshal(t, fresh(t, pushed(t, c, host, "others"))[1])), &b); err != nil {
			t.Fatal(err)
		}
		return under(t, b, material)
	}
	for name, change := range map[string]func(*testing.T, object){
		"nothing":         func(*testing.T, object) {},
		"the statement":   func(t *testing.T, b object) { flip(t, under(t, b, "dsseEnvelope"), "payload") },
		"the signature":   func(t *testing.T, b object) { flip(t, under(t, b, "dsseEnvelope", "signatures"), "sig") },
		"the certificate": func(t *testing.T, b object) { flip(t, under(t, b, material, "certificate"), "rawBytes") },
		"the entry's place": func(t *testing.T, b object) {
			under(t, b, material, "tlogEntries")["logIndex"] = "99999"
			under(t, b, material, "tlogEntries", "inclusionProof")["logIndex"] = "99999"
		},
		"the tree": func(t *testing.T, b object) { // Rekor's second version has its root in the checkpoint
			checkpoint := under(t, b, material, "tlogEntries", "inclusionProof", "checkpoint")
			lines := strings.Split(checkpoint["envelope"].(string), "\n")
			root := object{"hash": lines[2]}
			flip(t, root, "hash")
			lines[2] = root["hash"].(string)
			checkpoint["envelope"] = strings.Join(lines, "\n")
		},
		"no checkpoint": func(t *testing.T, b object) {
			delete(under(t, b, material, "tlogEntries", "inclusionProof"), "checkpoint")
		},
		"no entry": func(t *testing.T, b object) { delete(under(t, b, material), "tlogEntries") },
		"the timestamp": func(t *testing.T, b object) {
			flip(t, under(t, b, material, "timestampVerificationData", "rfc3161Timestamps"), "signedTimestamp")
		},
		"no timestamp": func(t *testing.T, b object) { delete(under(t, b, material), "timestampVerificationData") },
		"another's certificate": func(t *testing.T, b object) {
			under(t, b, material)["certificate"] = other(t)["certificate"]
		},
		"another's entry": func(t *testing.T, b object) {
			under(t, b, material)["tlogEntries"] = other(t)["tlogEntries"]
		},
		"another's timestamp": func(t *testing.T, b object) {
			under(t, b, material)["timestampVerificationData"] = other(t)["timestampVerificationData"]
		},
		"a key instead": func(t *testing.T, b object) {
			delete(under(t, b, material), "certificate")
			under(t, b, material)["publicKey"] = object{"hint": "x"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, host, "platform/spark")
			var b object
			if err := json.Unmarshal(sealed(t, signer, marshal(t, fresh(t, at)[1])), &b); err != nil {
				t.Fatal(err)
			}
			change(t, b)
			changed, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			plant(t, c, at, planted{bundle: changed, annotations: map[string]string{"dev.sigstore.bundle.predicateType": evidence.TypeChecked}})
			report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: root, Now: time.Now()})
			if name == "nothing" {
				if len(report.Evidence) != 1 {
					t.Errorf("the untouched one does not count: %+v", report)
				}
				return
			}
			if len(report.Evidence) > 0 || len(report.Rejected) != 1 || report.Rejected[0].Code == "" || report.Rejected[0].Reason == "" {
				t.Errorf("%+v", report)
			}
		})
	}
}

// front stands in front of another server, and can be away.
type front struct {
	url   string
	count atomic.Int64
	away  atomic.Bool
}

func inFrontOf(t *testing.T, behind *url.URL) *front {
	t.Helper()
	f := &front{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.count.Add(1)
		if f.away.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}
