package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// client gives up on a server that does not answer; how long a body may take is the caller's to say.
var client = &http.Client{Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute, TLSHandshakeTimeout: 30 * time.Second,
}}

func open(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("fetching %s: the server answers %s", url, response.Status)
	}
	return response, nil
}

// fetch returns the body at url, which must not be longer than limit bytes.
func fetch(ctx context.Context, url string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	response, err := open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", url, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("fetching %s: the body is longer than %d bytes", url, limit)
	}
	return body, nil
}

// download writes the body at url to path, once its SHA-256 is the wanted one, and says how far it is.
func download(ctx context.Context, url, path, wanted string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	response, err := open(ctx, url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	part := path + ".part"
	file, err := os.Create(part)
	if err != nil {
		return fmt.Errorf("writing the download: %w", err)
	}
	defer os.Remove(part)
	defer file.Close()
	sum := sha256.New()
	meter := &meter{total: response.ContentLength, last: time.Now()}
	if _, err := io.Copy(io.MultiWriter(file, sum, meter), response.Body); err != nil {
		return fmt.Errorf("downloading %s: %w", url, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != wanted {
		return fmt.Errorf("downloading %s: its SHA-256 is %s, want %s: the file is not the one that was pinned", url, got, wanted)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing the download: %w", err)
	}
	return os.Rename(part, path)
}

// checkSum says whether the file at path is there and is the wanted one.
func checkSum(path, wanted string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return err == nil && hex.EncodeToString(sum.Sum(nil)) == wanted
}

// meter prints how much of a download is there, every few seconds.
type meter struct {
	done, total int64
	last        time.Time
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if time.Since(m.last) > 3*time.Second {
		m.last = time.Now()
		fmt.Fprintf(os.Stderr, "setup: downloading: %d of %d MB\n", m.done>>20, m.total>>20)
	}
	return len(p), nil
}
