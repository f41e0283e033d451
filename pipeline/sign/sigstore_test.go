package sign_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/sign/sigstoretest"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// sigstore is a whole one, as the tests of this package use it.
type sigstore struct{ sigstoretest.Sigstore }

// theSigstore is shared by the tests of the package, and ends with the process.
var theSigstore struct {
	once   sync.Once
	is     sigstore
	stop   func() // kept, for with it goes the standard input that the servers live by
	failed error
}

func newSigstore(t testing.TB) sigstore {
	t.Helper()
	theSigstore.once.Do(func() {
		theSigstore.is.Sigstore, theSigstore.stop, theSigstore.failed = sigstoretest.Start("../../tools/build")
	})
	if theSigstore.failed != nil {
		t.Fatal(theSigstore.failed)
	}
	return theSigstore.is
}

// token asks an issuer as GitHub's runner is asked.
func (s sigstore) token(issuer string, query url.Values) sign.Token {
	return func(ctx context.Context) (string, error) {
		if query.Get("audience") == "" {
			query.Set("audience", "sigstore")
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/token?"+query.Encode(), http.NoBody)
		if err != nil {
			return "", err
		}
		request.Header.Set("Authorization", "Bearer "+s.RequestToken)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		var said struct{ Value string }
		return said.Value, json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&said)
	}
}

func (s sigstore) instance() sign.Instance {
	return sign.Instance{Fulcio: s.Fulcio, Rekor: s.Rekor, RekorVersion: 2, Timestamp: s.Timestamp, TrustedRoot: s.TrustedRoot}
}

// workflow is whom the tokens are of.
func (s sigstore) workflow() sign.Identity {
	return sign.Identity{Issuer: s.Issuer, Name: "https://github.com/octo/spark/.github/workflows/golden.yml@refs/heads/main"}
}

func opened(t testing.TB, i sign.Instance) *sign.Root {
	t.Helper()
	root, err := sign.OpenRoot(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// keyless is a signer for the workflow.
func (s sigstore) keyless(t testing.TB, i sign.Instance) *sign.Signer {
	t.Helper()
	signer, err := sign.Keyless(t.Context(), opened(t, i), s.token(s.Issuer, url.Values{}))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// fresh are statements that were made just now, as those of a run are.
func fresh(t testing.TB, at subject.Subject) []evidence.Statement {
	t.Helper()
	mark := evidence.Mark{Inputs: inputs, At: time.Now().Add(-time.Second), Verdict: verdict.Pass, Run: "run-1"}
	return []evidence.Statement{
		must(t)(evidence.CycloneDX(at, bill(50), evidence.Mark{Inputs: inputs, At: mark.At, Run: "run-1"})),
		must(t)(evidence.Checked(at, evidence.Check{
			Verifier: "https://hallmark-ci.github.io/check", Rules: 3, Packs: []evidence.Pack{{Name: "base", Digest: inputs}},
		}, mark)),
	}
}
