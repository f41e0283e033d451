package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/sigstore/fulcio/pkg/ca/ephemeralca"
	"github.com/sigstore/fulcio/pkg/config"
	gateway "github.com/sigstore/fulcio/pkg/generated/protobuf"
	"github.com/sigstore/fulcio/pkg/server"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/grpc/metadata"
)

// authority is a certificate authority whose key lives in memory.
type authority struct {
	ca   *ephemeralca.EphemeralCA
	root *x509.Certificate
}

func newAuthority() (*authority, error) {
	ca, err := ephemeralca.NewEphemeralCA()
	if err != nil {
		return nil, err
	}
	bundle, err := ca.TrustBundle(context.Background())
	if err != nil {
		return nil, err
	}
	return &authority{ca: ca, root: bundle[0][0]}, nil
}

// configuration is what the public instance has for GitHub, for other issuers.
func configuration(issuers []string) (*config.FulcioConfig, error) {
	const provider = "github-workflow"
	known := map[string]any{}
	for _, url := range issuers {
		known[url] = map[string]string{"IssuerURL": url, "ClientID": "sigstore", "Type": "ci-provider", "CIProvider": provider}
	}
	text, err := json.Marshal(map[string]any{
		"OIDCIssuers": known,
		"CIIssuerMetadata": map[string]any{provider: map[string]any{
			"DefaultTemplateValues":          map[string]string{"url": "https://github.com"},
			"SubjectAlternativeNameTemplate": "{{ .url }}/{{ .job_workflow_ref }}",
			"ExtensionTemplates": map[string]string{
				"BuildTrigger": "event_name", "SourceRepositoryURI": "{{ .url }}/{{ .repository }}",
				"SourceRepositoryDigest": "sha", "SourceRepositoryRef": "ref",
				"GithubWorkflowTrigger": "event_name", "GithubWorkflowSHA": "sha", "GithubWorkflowName": "workflow",
				"GithubWorkflowRepository": "repository", "GithubWorkflowRef": "ref",
			},
		}},
	})
	if err != nil {
		return nil, err
	}
	return config.Read(text)
}

// serve starts Fulcio's own server; without a log, nothing that it issues is promised to be in one.
func (a *authority) serve(issuers []string, log *ctLog) (string, error) {
	cfg, err := configuration(issuers)
	if err != nil {
		return "", err
	}
	var logged *client.LogClient
	if log != nil {
		if logged, err = client.New(log.url, http.DefaultClient, jsonclient.Options{PublicKeyDER: log.public}); err != nil {
			return "", err
		}
	}
	algorithms, err := signature.NewAlgorithmRegistryConfig([]common.PublicKeyDetails{common.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256})
	if err != nil {
		return "", err
	}
	mux := runtime.NewServeMux(runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
		return metadata.Pairs(server.MetadataOIDCTokenKey, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}))
	if err := gateway.RegisterCAHandlerServer(context.Background(), mux, server.NewGRPCCAServer(logged, a.ca, algorithms, server.NewIssuerPool(cfg))); err != nil {
		return "", err
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(config.With(r.Context(), cfg)))
	})).URL, nil
}
