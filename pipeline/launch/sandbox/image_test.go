package sandbox

import (
	"slices"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	i := &image{config: ocispecs.ImageConfig{Env: []string{"A=image", "B=image"}}, home: "/home/x"}
	got := i.environment("B=ours", "C=ours")
	want := []string{"A=image", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/home/x", "B=ours", "C=ours"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestHomeOf(t *testing.T) {
	t.Parallel()
	const passwd = "root:x:0:0:root:/root:/bin/sh\nbroken line\nspark:x:185:0::/opt/spark/work-dir:/bin/sh\nnohome:x:9:9:::\n"
	for user, want := range map[string]string{
		"": "/root", "root": "/root", "0": "/root", "185": "/opt/spark/work-dir", "spark:0": "/opt/spark/work-dir", "185:185": "/opt/spark/work-dir",
		"4711": "/", "nohome": "/",
	} {
		if got := homeOf(user, passwd); got != want {
			t.Errorf("%q: got %q, want %q", user, got, want)
		}
	}
	if got := homeOf("185", ""); got != "/" {
		t.Errorf("no list: %q", got)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	i := &image{config: ocispecs.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"own"}}}
	if got := i.command(nil); !slices.Equal(got, []string{"/entry", "own"}) {
		t.Errorf("own command: %q", got)
	}
	if got := i.command([]string{"given"}); !slices.Equal(got, []string{"/entry", "given"}) {
		t.Errorf("given command: %q", got)
	}
}

func TestNamesAreFitForHosts(t *testing.T) {
	t.Parallel()
	a, b := name("20261121-184322 Büro/x"), name("20261121-184322 Büro/x")
	if a == b || len(a) > 48 || a[:16] != "20261121-184322b" {
		t.Errorf("%q, %q", a, b)
	}
}
