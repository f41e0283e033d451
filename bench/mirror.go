package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// mirror is an HTTP proxy that fetches everything once. The Dockerfile's own apt-get goes through it on all sides, so that
// how long Debian's servers take is not what is compared.
type mirror struct {
	dir  string
	mu   sync.Mutex
	busy map[string]*sync.Mutex // by address: who comes second waits for the first
}

// serveMirror listens on loopback until ctx ends. The build steps share the machine's network on all sides.
func serveMirror(ctx context.Context, dir string) (address string, err error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: &mirror{dir: dir, busy: map[string]*sync.Mutex{}}, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Scheme != "http" {
		http.Error(w, "this proxy gets http addresses and no more", http.StatusMethodNotAllowed)
		return
	}
	path, err := m.have(r)
	if status := refused(0); errors.As(err, &status) {
		http.Error(w, err.Error(), int(status))
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.ServeFile(w, r, path)
}

// have returns the file with the answer, which is fetched unless it is there.
func (m *mirror) have(r *http.Request) (string, error) {
	url := r.URL.String()
	sum := sha256.Sum256([]byte(url))
	path := filepath.Join(m.dir, hex.EncodeToString(sum[:]))
	m.mu.Lock()
	if m.busy[url] == nil {
		m.busy[url] = &sync.Mutex{}
	}
	turn := m.busy[url]
	m.mu.Unlock()
	turn.Lock()
	defer turn.Unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, fetch(r.Context(), url, path)
}

// refused is an answer of the server's that is no success.
type refused int

func (r refused) Error() string { return "the server answers " + strconv.Itoa(int(r)) }

func fetch(ctx context.Context, url, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return refused(answer.StatusCode)
	}
	file, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	_, err = io.Copy(file, answer.Body)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("fetching %s: %w", url, err)
	}
	if date, err := http.ParseTime(answer.Header.Get("Last-Modified")); err == nil {
		_ = os.Chtimes(file.Name(), date, date) // for whoever asks whether it is newer
	}
	return os.Rename(file.Name(), path)
}
