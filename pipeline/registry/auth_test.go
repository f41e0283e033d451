package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	user     = "robot"
	password = "correct-horse-battery"
	identity = "identity-token-of-login"
)

// lockedRegistry speaks Docker's token protocol, or Basic, in front of an empty registry.
type lockedRegistry struct {
	host  string
	basic bool
	life  int // seconds that a token lives; 0: none stated

	mu      sync.Mutex
	tokens  map[string]string // token -> scopes
	asked   []string          // scopes of each token request
	revoked bool
	seen    []string // METHOD path status
}

func newLocked(t *testing.T, basic bool) *lockedRegistry {
	t.Helper()
	l := &lockedRegistry{basic: basic, tokens: map[string]string{}}
	l.host = serve(t, l.ServeHTTP)
	return l
}

func (l *lockedRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.URL.Path == "/token" {
		l.token(w, r)
		return
	}
	needs := "pull"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		needs = "push"
	}
	if !l.open(r, needs) {
		challenge := `Basic realm="locked"`
		if !l.basic {
			challenge = fmt.Sprintf(`Negotiate, Bearer realm="http://%s/token",service="locked, \"quoted\"",scope="repository:app:%s"`, l.host, map[string]string{"pull": "pull", "push": "pull,push"}[needs])
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
		l.seen = append(l.seen, r.Method+" 401")
		return
	}
	l.seen = append(l.seen, r.Method+" 404")
	w.WriteHeader(http.StatusNotFound)
}

func (l *lockedRegistry) open(r *http.Request, needs string) bool {
	if l.basic {
		u, p, _ := r.BasicAuth()
		return u == user && p == password
	}
	scopes := l.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return !l.revoked && strings.Contains(scopes, needs)
}

func (l *lockedRegistry) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	u, p, _ := r.BasicAuth()
	known := u == user && p == password || r.PostForm.Get("refresh_token") == identity
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"details":"incorrect username or password %s"}`, p)
		return
	}
	scopes := strings.Join(r.Form["scope"], " ")
	l.asked = append(l.asked, scopes)
	l.revoked = false
	value := fmt.Sprintf("token-%d-of-locked", len(l.asked))
	l.tokens[value] = scopes
	_ = json.NewEncoder(w).Encode(map[string]any{"token": value, "expires_in": l.life})
}

// dockerConfig writes a folder with config.json.
func dockerConfig(t *testing.T, content string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func loginOf(host, user, password string) string {
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, auth)
}

func TestTokensPerScope(t *testing.T) {
	t.Parallel()
	locked := newLocked(t, false)
	locked.life = 300
	client := newClient(t, registry.Options{DockerConfig: dockerConfig(t, loginOf(locked.host, user, password))})
	for range 3 {
		if _, found, err := client.Head(t.Context(), locked.host+"/app", "golden"); err != nil || found {
			t.Fatalf("found %v, error %v", found, err)
		}
	}
	img := onDisk(t, 10, 1)
	s := subjectOf(t, locked.host+"/app", img)
	for range 2 {
		if err := client.PutManifest(t.Context(), s, img); !errors.Is(err, registry.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if want := []string{"repository:app:pull", "repository:app:pull,push"}; !slices.Equal(locked.asked, want) {
		t.Errorf("tokens asked for %q, want %q", locked.asked, want)
	}
	if want := []string{"HEAD 401", "HEAD 404", "HEAD 404", "HEAD 404", "PUT 404", "PUT 404"}; !slices.Equal(locked.seen, want) {
		t.Errorf("requests %q, want %q", locked.seen, want)
	}
	locked.revoked = true // a token that ran out earlier than it said
	if _, _, err := client.Head(t.Context(), locked.host+"/app", "golden"); err != nil {
		t.Errorf("after the token was revoked: %v", err)
	}
}

func TestShortTokenIsRenewed(t *testing.T) {
	t.Parallel()
	locked := newLocked(t, false)
	locked.life = -1 // none stated: a minute
	client := newClient(t, registry.Options{DockerConfig: dockerConfig(t, loginOf(locked.host, user, password))})
	for range 2 {
		if _, _, err := client.Head(t.Context(), locked.host+"/app", "golden"); err != nil {
			t.Fatal(err)
		}
	}
	if len(locked.asked) != 1 {
		t.Errorf("%d tokens", len(locked.asked))
	}
}

func TestCredentialSources(t *testing.T) {
	helper := t.TempDir()
	script := "#!/bin/sh\nread host\ncase $host in broken*) echo 'the vault is sealed' >&2; exit 1;; esac\n" +
		`printf '{"ServerURL":"%s","Username":"robot","Secret":"correct-horse-battery"}' "$host"` + "\n"
	if err := os.WriteFile(filepath.Join(helper, "docker-credential-vault"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", helper+":"+os.Getenv("PATH"))
	t.Setenv("REGISTRY_WORD", password)
	t.Setenv("WRONG_WORD", "not-the-password")
	file := filepath.Join(helper, "token")
	if err := os.WriteFile(file, []byte(identity+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refs := func(word secret.Ref) registry.Credential { return registry.Credential{Username: user, Password: word} }
	cases := map[string]struct {
		options func(host string) registry.Options
		env     map[string]string
		want    string // in the error; empty: it opens
	}{
		"references": {options: func(h string) registry.Options {
			return registry.Options{Auth: map[string]registry.Credential{h: refs("env:REGISTRY_WORD")}}
		}},
		"token file": {options: func(h string) registry.Options {
			return registry.Options{Auth: map[string]registry.Credential{h: {Token: secret.Ref("file:" + file)}}}
		}},
		"docker's configuration": {options: func(h string) registry.Options {
			return registry.Options{DockerConfig: dockerConfig(t, loginOf(h, user, password))}
		}},
		"helper": {options: func(h string) registry.Options {
			return registry.Options{DockerConfig: dockerConfig(t, fmt.Sprintf(`{"credHelpers":{%q:"vault"}}`, h))}
		}},
		"environment":       {env: map[string]string{registry.EnvUsername: user, registry.EnvPassword: password}},
		"environment token": {env: map[string]string{registry.EnvToken: identity}},
		"references before the environment": {
			options: func(h string) registry.Options {
				return registry.Options{Auth: map[string]registry.Credential{h: refs("env:REGISTRY_WORD")}}
			},
			env: map[string]string{registry.EnvUsername: user, registry.EnvPassword: "not-the-password"},
		},
		"half an environment": {env: map[string]string{registry.EnvUsername: user}, want: "but neither HALLMARK_REGISTRY_TOKEN nor"},
		"none":                {want: "No credential for %s was found: run `docker login %s`"},
		"wrong password": {options: func(h string) registry.Options {
			return registry.Options{Auth: map[string]registry.Credential{h: refs("env:WRONG_WORD")}}
		}, want: "Check that user robot with the password from env:WRONG_WORD is still valid"},
		"wrong login": {options: func(h string) registry.Options {
			return registry.Options{DockerConfig: dockerConfig(t, loginOf(h, user, "not-the-password"))}
		}, want: "Check that user robot of Docker's configuration in"},
		"missing secret": {options: func(h string) registry.Options {
			return registry.Options{Auth: map[string]registry.Credential{h: refs("env:NOT_SET_ANYWHERE")}}
		}, want: "the environment variable is not set"},
		"helper that is not there": {options: func(h string) registry.Options {
			return registry.Options{DockerConfig: dockerConfig(t, fmt.Sprintf(`{"credHelpers":{%q:"absent"}}`, h))}
		}, want: "docker-credential-absent"},
		"broken file": {options: func(string) registry.Options {
			return registry.Options{DockerConfig: dockerConfig(t, `{"auths":`)}
		}, want: "reading the credential for"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			locked := newLocked(t, false)
			options := registry.Options{}
			if c.options != nil {
				options = c.options(locked.host)
			}
			if c.env != nil {
				t.Setenv(registry.EnvHost, locked.host)
				for key, value := range c.env {
					t.Setenv(key, value)
				}
			}
			_, _, err := newClient(t, options).Head(t.Context(), locked.host+"/app", "golden")
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.ReplaceAll(c.want, "%s", locked.host)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %q, want %q in it", err, want)
			}
			if exitCode(err) != verdict.ExitUsage {
				t.Errorf("exit code %d for %v", exitCode(err), err)
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "not-the-password") {
				t.Errorf("the password stands in the error: %v", err)
			}
		})
	}
}

func TestBasic(t *testing.T) {
	t.Parallel()
	locked := newLocked(t, true)
	client := newClient(t, registry.Options{DockerConfig: dockerConfig(t, loginOf(locked.host, user, password))})
	for range 2 {
		if _, _, err := client.Head(t.Context(), locked.host+"/app", "golden"); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"HEAD 401", "HEAD 404", "HEAD 404"}; !slices.Equal(locked.seen, want) {
		t.Errorf("requests %q, want %q", locked.seen, want)
	}
	stranger := newClient(t, registry.Options{})
	_, _, err := stranger.Head(t.Context(), locked.host+"/app", "golden")
	wantError(t, err, registry.CodeDenied, "401 Unauthorized. No credential for")
}

// TestTokenServiceFaults: a token that could not be had is no uncertain write, and is asked for again.
func TestTokenServiceFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range passingFaults {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			locked := newLocked(t, false)
			injector := &faults.Injector{
				Faults: []faults.Fault{{At: 1, For: 2, Kind: kind}},
				Match:  func(r *http.Request) bool { return r.URL.Path == "/token" },
			}
			client := newClient(t, registry.Options{
				Transport: injector, DockerConfig: dockerConfig(t, loginOf(locked.host, user, password)),
			})
			img := onDisk(t, 10, 1)
			err := client.Tag(t.Context(), subjectOf(t, locked.host+"/app", img), "golden", registry.TagOptions{Manifest: img})
			if !errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrUncertain) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestCredentialsStayWithTheirHost: neither a redirect nor a token service that is not reached over HTTPS gets them.
func TestCredentialsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	var leaked []string
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked = append(leaked, r.URL.Path)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="give me"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, "http://"+strings.Replace(elsewhere, "127.0.0.1", "localhost", 1)+"/v2/app/manifests/golden", http.StatusTemporaryRedirect)
	})
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q},%q:{"auth":%q}}}`,
		host, base64.StdEncoding.EncodeToString([]byte(user+":"+password)),
		strings.Replace(elsewhere, "127.0.0.1", "localhost", 1), base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	_, _, err := newClient(t, registry.Options{DockerConfig: dockerConfig(t, config)}).Head(t.Context(), host+"/app", "golden")
	if err == nil || len(leaked) > 0 {
		t.Errorf("error %v, leaked to %q", err, leaked)
	}
}

// What this machine is logged in to does not help who is to use other credentials only.
func TestOnlyAuth(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths": {"docker.example.com": {"auth": "bWU6aHVzaC1odXNo"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(registry.EnvHost, "env.example.com")
	t.Setenv(registry.EnvUsername, "me")
	t.Setenv(registry.EnvPassword, "hush-hush-env")
	t.Setenv("TEST_GIVEN", "hush-hush-given")
	for _, only := range []bool{false, true} {
		client, err := registry.New(registry.Options{
			OnlyAuth: only, DockerConfig: dir, Auth: map[string]registry.Credential{"given.example.com": {Username: "you", Password: "env:TEST_GIVEN"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]string{"docker.example.com": "me", "env.example.com": "me", "given.example.com": "you", "none.example.com": ""} {
			if only && host != "given.example.com" {
				want = ""
			}
			if user, _, err := client.Credentials(host); err != nil || user != want {
				t.Errorf("only %v, %s: user %q, %v", only, host, user, err)
			}
		}
	}
}
