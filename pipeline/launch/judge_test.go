package launch

import (
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		probe   Probe
		out     Output
		want    verdict.Verdict
		reason  string
		skipped string
	}{
		{name: "Pi", probe: Probe{Kind: SparkPi, Partitions: 2}, out: Output{Text: "INFO x\nPi is roughly 3.1427957139785697\nINFO y"}, want: verdict.Pass},
		{name: "a wrong Pi", probe: Probe{Kind: SparkPi, Partitions: 2}, out: Output{Text: "Pi is roughly 2.7"}, want: verdict.Fail, reason: "without printing Pi"},
		{name: "Pi fails", probe: Probe{Kind: SparkPi, Partitions: 2}, out: Output{Text: "java.lang.ClassNotFoundException: a.B", ExitCode: 1}, want: verdict.Fail, reason: "SparkPi ended with exit code 1: the class a.B is missing"},
		{name: "Pi is killed", probe: Probe{Kind: SparkPi, Partitions: 2}, out: Output{ExitCode: 137}, want: verdict.Fail, reason: "exit code 137 (killed)"},
		{name: "Pi without a disk", probe: Probe{Kind: SparkPi, Partitions: 2}, out: Output{ExitCode: 1, Text: "No space left on device"}, want: verdict.Inconclusive, reason: "disk"},
		{name: "run", probe: Probe{Kind: Command, Args: []string{"x"}}, want: verdict.Pass},
		{name: "run fails", probe: Probe{Kind: Command, Args: []string{"x"}}, out: Output{ExitCode: 3}, want: verdict.Fail, reason: "exit code 3"},
		{name: "run wants a failure", probe: Probe{Kind: Command, Args: []string{"x"}, ExitCode: 3}, out: Output{ExitCode: 3}, want: verdict.Pass},
		{name: "run does not fail", probe: Probe{Kind: Command, Args: []string{"x"}, ExitCode: 3}, want: verdict.Fail, reason: "exit code 0 instead of 3"},
		{name: "run without text", probe: Probe{Kind: Command, Args: []string{"x"}, Contains: "3.5"}, out: Output{Text: "3.4"}, want: verdict.Fail, reason: `does not contain "3.5"`},
		{name: "run without match", probe: Probe{Kind: Command, Args: []string{"x"}, Matches: "^v3"}, out: Output{Text: "v2"}, want: verdict.Fail, reason: `does not match "^v3"`},
		{name: "run of nothing", probe: Probe{Kind: Command, Args: []string{"nosuch"}}, out: Output{NoCommand: true, ExitCode: 127}, want: verdict.Fail, reason: "no command nosuch"},
		{name: "no Python", probe: Probe{Kind: Python, Code: "1"}, out: Output{NoCommand: true, ExitCode: 127}, skipped: "no python3"},
		{name: "Python raises", probe: Probe{Kind: Python, Code: "1/0"}, out: Output{ExitCode: 1, Text: "ZeroDivisionError: division by zero"}, want: verdict.Fail, reason: "ZeroDivisionError"},
		{name: "page", probe: Probe{Kind: HTTP, Port: 80, Contains: "hi"}, out: Output{Status: 200, Text: "hi there"}, want: verdict.Pass},
		{name: "no page", probe: Probe{Kind: HTTP, Port: 80}, out: Output{Trouble: "connection refused"}, want: verdict.Fail, reason: "http://127.0.0.1:80/ does not answer within 3m0s: connection refused"},
		{name: "wrong status", probe: Probe{Kind: HTTP, Port: 80}, out: Output{Status: 500}, want: verdict.Fail, reason: "status 500 instead of 200"},
		{name: "wrong page", probe: Probe{Kind: HTTP, Port: 80, Contains: "hi"}, out: Output{Status: 200, Text: "ho"}, want: verdict.Fail, reason: `the page does not contain "hi"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			probe, err := test.probe.check(Spark)
			if err != nil {
				t.Fatal(err)
			}
			got := judge(probe, test.out)
			if got.verdict != test.want || !strings.Contains(got.reason, test.reason) || !strings.Contains(got.skipped, test.skipped) || got.skipped != "" != (test.skipped != "") {
				t.Errorf("got %+v", got)
			}
			if got.verdict == verdict.Fail && got.remedy == "" {
				t.Error("a failure without a remedy")
			}
		})
	}
}

func TestProbesAreChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		probe   Probe
		profile Profile
		want    string // part of the error; empty: none
	}{
		{Probe{Kind: SparkPi, Partitions: 1}, Spark, ""},
		{Probe{Kind: SparkPi, Partitions: 1}, Service, "profile spark"},
		{Probe{Kind: SparkPi}, Spark, "at least one partition"},
		{Probe{Kind: Command}, Spark, "no command"},
		{Probe{Kind: Command, Args: []string{"x"}, Matches: "("}, Spark, "the pattern"},
		{Probe{Kind: Python}, Spark, "no code"},
		{Probe{Kind: HTTP}, Service, "no port"},
		{Probe{Kind: HTTP, Port: 80, Path: "x"}, Service, "begin with /"},
		{Probe{Kind: "gpus"}, Spark, "no kind of probe"},
		{Probe{Kind: GPU}, Spark, "profile databricks"},
	} {
		got, err := test.probe.check(test.profile)
		if test.want == "" {
			if err != nil || got.Timeout != DefaultProbeTimeout || got.Name == "" {
				t.Errorf("%+v: got %+v, %v", test.probe, got, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.probe, err, test.want)
		}
	}
}

func TestOverdueBlamesTheImageOnlyForItsOwnTime(t *testing.T) {
	t.Parallel()
	probe, _ := Probe{Kind: Command, Args: []string{"x"}, Timeout: time.Second}.check(Service)
	if got := overdue(t.Context(), t.Context().Err(), probe, Output{}); got.verdict != "" {
		t.Errorf("no error: %+v", got)
	}
}
