package secret_test

import (
	"net/url"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "127.0.0.1": true, "127.8.0.1:5877": true, "::1": true, "[::1]": true, "[::1]:5": true, "::ffff:127.0.0.1": true,
		"": false, ":80": false, "example.com": false, "10.0.0.1:80": false, "0.0.0.0": false, "127.example.com": false, "localhost.example.com:80": false,
		"adb-127.0.azuredatabricks.net": false,
	} {
		if secret.Loopback(host) != want {
			t.Errorf("%q: %t", host, !want)
		}
	}
}

func TestMayGoTo(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://example.com/x": true, "http://127.0.0.1:8080/x": true, "http://localhost": true, "http://[::1]:1/": true,
		"http://example.com": false, "http://localhost:x@example.com/": false, "http://127.0.0.1.example.com": false, "https://": false, "https:x": false,
		"ftp://127.0.0.1": false, "127.0.0.1": false, "": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if secret.MayGoTo(u) != want {
			t.Errorf("%q: %t", address, !want)
		}
	}
}
