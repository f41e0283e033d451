package sign_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// first is the instance with Rekor's first version.
func (s sigstore) first() sign.Instance {
	return sign.Instance{Fulcio: s.Fulcio, Rekor: s.First.Rekor, RekorVersion: 1, Timestamp: s.Timestamp, TrustedRoot: s.First.TrustedRoot}
}

// undated is that without a timestamp authority: the log's own time is the date.
func (s sigstore) undated() sign.Instance {
	return sign.Instance{Fulcio: s.Fulcio, Rekor: s.First.Rekor, RekorVersion: 1, TrustedRoot: s.First.UndatedRoot}
}

// TestRekor1: what is entered into a log of the first version counts, for those whose root names the log.
func TestRekor1(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	unsaid := s.first()
	unsaid.RekorVersion = 0
	unstamped := s.first()
	unstamped.Timestamp = ""
	for name, i := range map[string]sign.Instance{
		"version 1":                  s.first(),
		"a version left out":         unsaid,
		"without an authority":       s.undated(),
		"an authority not asked":     unstamped,
		"from its own configuration": {TUF: s.First.TUF, TUFRoot: s.First.TUFRoot, Cache: t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, inProcess(t), "platform/spark")
			signer := s.keyless(t, i)
			all := fresh(t, at)
			for range 2 { // the second time everything stands
				if err := signer.AttestAll(t.Context(), c, at, all, sign.AttestOptions{Signature: true}); err != nil {
					t.Fatal(err)
				}
			}
			policy := sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, i), Now: time.Now()}
			report := verify(t, c, at, policy)
			if report.Err() != nil || len(report.Signatures) != 1 || len(report.Evidence) != len(all) || len(report.Superseded)+len(report.Rejected) > 0 {
				t.Errorf("%v: %+v", report.Err(), report)
			}
			policy.Root = opened(t, s.instance())
			report = verify(t, c, at, policy)
			if verdict.OfError(report.Err()) != verdict.Fail || len(report.Evidence) > 0 || len(report.Rejected) != len(all)+1 {
				t.Errorf("with a root that does not name the log: %v: %+v", report.Err(), report)
			}
		})
	}
}

// TestRekor1Entry: the bundle's entry is the one that the log has, with its promise, proof and time.
func TestRekor1Entry(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	signer, payload := s.keyless(t, s.first()), marshal(t, fresh(t, pushed(t, c, inProcess(t), "platform/spark"))[1])
	sealed(t, signer, payload) // the log's first entry has the index 0, which JSON of protocol buffers leaves out
	var b object
	if err := json.Unmarshal(sealed(t, signer, payload), &b); err != nil {
		t.Fatal(err)
	}
	entry := under(t, b, "verificationMaterial", "tlogEntries")
	answer, err := http.Get(fmt.Sprintf("%s/api/v1/log/entries?logIndex=%s", s.First.Rekor, entry["logIndex"]))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var there map[string]object
	if err := json.Unmarshal(said, &there); err != nil || len(there) != 1 {
		t.Fatalf("the log answers %s: %s", answer.Status, said)
	}
	for _, logged := range there {
		if logged["body"] != entry["canonicalizedBody"] || fmt.Sprintf("%.0f", logged["integratedTime"]) != entry["integratedTime"] {
			t.Errorf("the log has %v, the bundle %v", logged, entry)
		}
	}
	if kind := under(t, entry, "kindVersion"); kind["kind"] != "dsse" || kind["version"] != "0.0.1" {
		t.Errorf("it is a %v", kind)
	}
}

// TestRekor1And2: what was signed before an instance went over to the second version counts as what was signed after.
func TestRekor1And2(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	at := pushed(t, c, inProcess(t), "platform/spark")
	all := fresh(t, at)
	second := s.instance()
	second.TrustedRoot = s.First.TrustedRoot
	for i, instance := range []sign.Instance{s.first(), second} {
		if err := s.keyless(t, instance).AttestAll(t.Context(), c, at, all[i:i+1], sign.AttestOptions{Signature: i == 0}); err != nil {
			t.Fatal(err)
		}
	}
	report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: opened(t, s.first()), Now: time.Now()})
	if report.Err() != nil || len(report.Evidence) != 2 || len(report.Rejected) > 0 {
		t.Errorf("%v: %+v", report.Err(), report)
	}
}

// TestRekorVersions: who names the wrong version is told so.
func TestRekorVersions(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	second := s.instance()
	second.RekorVersion = 0 // which is the first
	first := s.first()
	first.RekorVersion = 2
	for name, i := range map[string]sign.Instance{"the second asked as the first": second, "the first asked as the second": first} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pushed(t, c, inProcess(t), "platform/spark")
			err := s.keyless(t, i).AttestAll(t.Context(), c, at, fresh(t, at), sign.AttestOptions{Signature: true})
			var known *verdict.Error
			if verdict.ExitCodeOf(err) != verdict.ExitInconclusive || !errors.As(err, &known) || known.Code != sign.CodeUnavailable ||
				!strings.Contains(known.Remedy, "sign.keyless.rekor_version") || !strings.Contains(err.Error(), "404") {
				t.Errorf("%v", err)
			}
		})
	}
}

// logKey is the log's own key.
func (s sigstore) logKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(s.First.RekorKey)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// stranger is the key of another log.
func stranger(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// promise is a log's signed entry timestamp: its signature of these, as canonical JSON (RFC 8785), which of such fields is
// what encoding/json writes of a map, without spaces and in order.
func promise(t *testing.T, key *ecdsa.PrivateKey, body string, at, index json.Number, logID string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"body": body, "integratedTime": at, "logIndex": index, "logID": logID})
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(text)
	signed, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signed)
}

// promised gives a bundle's entry a promise of key, for what it says of itself now.
func promised(t *testing.T, key *ecdsa.PrivateKey, entry object) {
	t.Helper()
	id, err := base64.StdEncoding.DecodeString(under(t, entry, "logId")["keyId"].(string))
	if err != nil {
		t.Fatal(err)
	}
	at := json.Number("0")
	if said, ok := entry["integratedTime"].(string); ok {
		at = json.Number(said)
	}
	under(t, entry, "inclusionPromise")["signedEntryTimestamp"] = promise(t, key,
		entry["canonicalizedBody"].(string), at, json.Number(entry["logIndex"].(string)), hex.EncodeToString(id))
}

// TestRekor1Tampered: with anything of the log's changed, taken away or taken from elsewhere, a signature counts no more,
// be it the log that dates it or a timestamp authority.
func TestRekor1Tampered(t *testing.T) {
	t.Parallel()
	s, c := newSigstore(t), newClient(t)
	host := inProcess(t)
	entryOf := func(t *testing.T, b object) object {
		t.Helper()
		return under(t, b, "verificationMaterial", "tlogEntries")
	}
	proofOf := func(t *testing.T, b object) object { t.Helper(); return under(t, entryOf(t, b), "inclusionProof") }
	taken := func(t *testing.T, b, from object) {
		t.Helper()
		under(t, b, "verificationMaterial")["tlogEntries"] = under(t, from, "verificationMaterial")["tlogEntries"]
	}
	at := pushed(t, c, host, "platform/spark")
	payload := marshal(t, fresh(t, at)[1])
	decoded := func(t *testing.T, signer *sign.Signer, payload string) (b object) {
		t.Helper()
		if err := json.Unmarshal(sealed(t, signer, payload), &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	moved := func(by time.Duration) func(*testing.T, object, *sign.Signer) {
		return func(t *testing.T, b object, _ *sign.Signer) {
			entryOf(t, b)["integratedTime"] = fmt.Sprint(time.Now().Add(by).Unix())
			promised(t, s.logKey(t), entryOf(t, b))
		}
	}
	changes := map[string]func(t *testing.T, b object, signer *sign.Signer){
		"nothing":        func(*testing.T, object, *sign.Signer) {},
		"promised again": func(t *testing.T, b object, _ *sign.Signer) { promised(t, s.logKey(t), entryOf(t, b)) },
		"no promise":     func(t *testing.T, b object, _ *sign.Signer) { delete(entryOf(t, b), "inclusionPromise") },
		"the promise": func(t *testing.T, b object, _ *sign.Signer) {
			flip(t, under(t, entryOf(t, b), "inclusionPromise"), "signedEntryTimestamp")
		},
		"the promise of another log": func(t *testing.T, b object, _ *sign.Signer) { promised(t, stranger(t), entryOf(t, b)) },
		"the time": func(t *testing.T, b object, _ *sign.Signer) {
			entryOf(t, b)["integratedTime"] = fmt.Sprint(time.Now().Unix() + 60)
		},
		"no time": func(t *testing.T, b object, _ *sign.Signer) { delete(entryOf(t, b), "integratedTime") },
		"no time, which is promised": func(t *testing.T, b object, _ *sign.Signer) {
			delete(entryOf(t, b), "integratedTime")
			promised(t, s.logKey(t), entryOf(t, b))
		},
		"a time before the certificate": moved(-30 * time.Minute),
		"a time after the certificate":  moved(30 * time.Minute),
		"a time before the log's key":   moved(-24 * time.Hour),
		"no proof":                      func(t *testing.T, b object, _ *sign.Signer) { delete(entryOf(t, b), "inclusionProof") },
		"a wrong proof": func(t *testing.T, b object, _ *sign.Signer) {
			hashes := proofOf(t, b)["hashes"].([]any)
			first := object{"hash": hashes[0]}
			flip(t, first, "hash")
			hashes[0] = first["hash"]
		},
		"a shorter proof": func(t *testing.T, b object, _ *sign.Signer) {
			proofOf(t, b)["hashes"] = proofOf(t, b)["hashes"].([]any)[1:]
		},
		"another root": func(t *testing.T, b object, _ *sign.Signer) { flip(t, proofOf(t, b), "rootHash") },
		"another place": func(t *testing.T, b object, _ *sign.Signer) {
			entryOf(t, b)["logIndex"], proofOf(t, b)["logIndex"] = "99999", "99999"
		},
		"no checkpoint": func(t *testing.T, b object, _ *sign.Signer) { delete(proofOf(t, b), "checkpoint") },
		"another checkpoint": func(t *testing.T, b object, signer *sign.Signer) {
			proofOf(t, b)["checkpoint"] = proofOf(t, decoded(t, signer, payload))["checkpoint"]
		},
		"a checkpoint unsigned": func(t *testing.T, b object, _ *sign.Signer) {
			checkpoint := under(t, proofOf(t, b), "checkpoint")
			text := checkpoint["envelope"].(string)
			checkpoint["envelope"] = text[:strings.Index(text, "\u2014")]
		},
		"another log": func(t *testing.T, b object, _ *sign.Signer) { flip(t, under(t, entryOf(t, b), "logId"), "keyId") },
		"another body": func(t *testing.T, b object, signer *sign.Signer) {
			entryOf(t, b)["canonicalizedBody"] = entryOf(t, decoded(t, signer, payload))["canonicalizedBody"]
			promised(t, s.logKey(t), entryOf(t, b))
		},
		"no entry": func(t *testing.T, b object, _ *sign.Signer) {
			delete(under(t, b, "verificationMaterial"), "tlogEntries")
		},
		"the same entry twice": func(t *testing.T, b object, _ *sign.Signer) {
			under(t, b, "verificationMaterial")["tlogEntries"] = []any{entryOf(t, b), entryOf(t, b)}
		},
		"the entry of another signature": func(t *testing.T, b object, signer *sign.Signer) { taken(t, b, decoded(t, signer, payload)) },
		"the entry of another's": func(t *testing.T, b object, _ *sign.Signer) {
			taken(t, b, decoded(t, s.keyless(t, s.first()), payload))
		},
		"the entry of another statement": func(t *testing.T, b object, signer *sign.Signer) {
			taken(t, b, decoded(t, signer, marshal(t, fresh(t, pushed(t, c, host, "others"))[1])))
		},
	}
	for dated, i := range map[string]sign.Instance{"with a timestamp": s.first(), "without": s.undated()} {
		signer, root := s.keyless(t, i), opened(t, i)
		decoded(t, signer, payload) // so that no proof is empty
		for name, change := range changes {
			t.Run(dated+", "+name, func(t *testing.T) {
				t.Parallel()
				at := pushed(t, c, host, "platform/spark")
				b := decoded(t, signer, marshal(t, fresh(t, at)[1]))
				change(t, b, signer)
				changed, err := json.Marshal(b)
				if err != nil {
					t.Fatal(err)
				}
				plant(t, c, at, planted{bundle: changed, annotations: map[string]string{"dev.sigstore.bundle.predicateType": evidence.TypeChecked}})
				report := verify(t, c, at, sign.Policy{Identities: []sign.Identity{s.workflow()}, Root: root, Now: time.Now()})
				// With a timestamp, the promise and the time in it are wanted by nobody: the proof says that the log has the entry.
				if name == "nothing" || name == "promised again" || dated == "with a timestamp" && name == "no promise" {
					if len(report.Evidence) != 1 || len(report.Rejected) > 0 {
						t.Errorf("it does not count: %+v", report)
					}
					return
				}
				if len(report.Evidence) > 0 || len(report.Rejected) != 1 || report.Rejected[0].Code == "" || report.Rejected[0].Reason == "" {
					t.Errorf("%+v", report)
					return
				}
				t.Log(report.Rejected[0].Reason)
			})
		}
	}
}
