package pipeline

import (
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestLocate: a finding stands at the line of the instruction that it is about, or at none.
func TestLocate(t *testing.T) {
	t.Parallel()
	made := &build.Candidate{Dockerfile: "/project/images/Dockerfile", Steps: []build.Step{
		{Instruction: "COPY . /app", Line: 3, Layer: "sha256:1"},
		{Instruction: "ENV DB_PASSWORD=first OTHER=x", Line: 4},
		{Instruction: "ENV DB_PASSWORD=second", Line: 6},
		{Instruction: "ARG TOKEN", Line: 7},
		{Instruction: "ENV LEGACY the value", Line: 8},
		{Instruction: "EXPOSE 22/tcp 2222", Line: 9},
		{Instruction: `VOLUME ["/data", "/var/run/docker.sock"]`, Line: 10},
		{Instruction: "USER app", Line: 11},
		{Instruction: "USER 0:0", Line: 12},
	}}
	for message, want := range map[string]string{
		"the environment variable DB_PASSWORD looks like a secret (its name holds PASSWORD)": "Dockerfile:6",
		`the step "ENV OTHER=***" holds what looks like a secret`:                            "Dockerfile:4",
		"the environment variable TOKEN looks like a secret":                                 "Dockerfile:7",
		"the environment variable LEGACY looks like a secret":                                "Dockerfile:8",
		"the environment variable MY_DB_PASSWORD_2 looks like a secret":                      "",
		"the variable value":                           "",
		"port 22 is exposed: SSH":                      "Dockerfile:9",
		"port 222 is exposed: another":                 "",
		"the volume /var/run/docker.sock is, or holds": "Dockerfile:10",
		"USER 0:0 is root":                             "Dockerfile:12",
		"no USER is set: the image runs as root":       "",
	} {
		found := []verdict.Finding{{Gate: "check", Message: message}}
		candidate{made: made}.locate(found)
		if got := found[0].Place.Dockerfile; got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
	found := []verdict.Finding{
		{Gate: "check", Message: "USER 0:0 is root", Place: verdict.Place{Layer: "sha256:1"}},
		{Gate: "check", Message: "USER 0:0 is root", Place: verdict.Place{Dockerfile: "Dockerfile:1"}},
		{Gate: "check", Message: "USER 0:0 is root", Place: verdict.Place{File: "/etc/passwd"}},
		{Gate: "scan", Message: "USER 0:0 is root"},
	}
	candidate{made: made}.locate(found)
	for i, want := range []string{"Dockerfile:3", "Dockerfile:1", "", ""} {
		if got := found[i].Place.Dockerfile; got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
}
