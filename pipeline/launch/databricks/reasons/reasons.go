// Package reasons knows why a Databricks workspace ends a cluster: for each code that the platform can give, whether the
// image is to blame, one sentence for people, what to do next, and whether a fresh cluster is worth a try.
//
//	Lookup   what the table says of a code
//	Unknown  what can be said of a code that the table lacks
//	Judge    the same for one cluster: its parameters filled in, and what its messages say taken into account
//	Explain  Judge, as the error of a launch that quotes what the platform said
//
// The table is data (data/*.yaml). A test compares it with the codes of the platform's SDK, which nothing else here
// imports. It must not know how a cluster is launched or asked.
package reasons

import (
	"slices"
	"strings"
)

// Class is whose matter a reason is.
type Class string

// The classes. Only ClassImage is a verdict on the image; all others leave it open.
const (
	ClassImage         Class = "image"         // the image, or what it is started with, does not work there: never tried again
	ClassSurroundings  Class = "surroundings"  // the cloud, the workspace's network, the platform: nothing is known of the image
	ClassConfiguration Class = "configuration" // somebody must change hallmark.yaml, the registry, the workspace or the cloud account first
	ClassEnded         Class = "ended"         // the cluster was ended because someone or something asked for it
)

// Reason is why a cluster ended.
type Reason struct {
	Code     string
	Class    Class
	Sentence string // without a full stop
	Remedy   string // one sentence that starts with a verb, without a full stop
	Retry    bool   // a fresh cluster may come up
}

// Lookup is what the table says of a code.
func Lookup(code string) (Reason, bool) {
	known, ok := table()[code]
	if !ok {
		return Reason{}, false
	}
	return known.reason(code), true
}

// Codes are all codes of the table, in alphabetical order.
func Codes() []string {
	codes := make([]string, 0, len(table()))
	for code := range table() {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// Types of a termination, as the platform calls them.
const (
	typeClientError  = "CLIENT_ERROR"
	typeCloudFailure = "CLOUD_FAILURE"
	typeServiceFault = "SERVICE_FAULT"
	typeSuccess      = "SUCCESS"
)

// Unknown is what can be said of a code that the table lacks, from the type of the termination (CLIENT_ERROR,
// CLOUD_FAILURE, SERVICE_FAULT or SUCCESS). It never blames the image: that takes knowing the code.
func Unknown(code, kind string) Reason {
	named := "a code that this version of Hallmark does not know"
	if code = shown(code, longestName); code == "" {
		code, named = "no code", "no code"
	}
	r := Reason{Code: code, Class: ClassSurroundings}
	switch kind {
	case typeClientError:
		r.Class = ClassConfiguration
		r.Sentence = "the workspace ended the cluster with " + named + ", and calls it a mistake in what was asked for"
		r.Remedy = "Compare the databricks block of hallmark.yaml with what the workspace says, and look the code up in the platform's documentation"
	case typeCloudFailure:
		r.Retry = true
		r.Sentence = "the workspace ended the cluster with " + named + ", and calls it a failure of the cloud"
		r.Remedy = "Run the same command again; if it happens again, look at the cloud provider's status page"
	case typeServiceFault:
		r.Retry = true
		r.Sentence = "the workspace ended the cluster with " + named + ", and calls it a fault of its own"
		r.Remedy = "Run the same command again; if it happens again, ask Databricks with the cluster's id"
	case typeSuccess:
		r.Class = ClassEnded
		r.Sentence = "the workspace ended the cluster with " + named + ", and calls that a normal end"
		r.Remedy = "Find out in the workspace's audit log who or what ended the cluster, and run the same command again"
	default:
		r.Sentence = "the workspace ended the cluster with " + named + " and did not say whose fault it was"
		r.Remedy = "Look at the cluster's event log in the workspace, and run the same command again"
	}
	return r
}

// reason is the entry without what only a cluster's parameters can fill in.
func (e *entry) reason(code string) Reason {
	return Reason{Code: code, Class: e.Class, Sentence: fill(e.Sentence, nil), Remedy: e.Remedy, Retry: e.Retry}
}

// fill puts parameters into a sentence. "[ of {instance_id}]" is left out when the parameter is not there.
func fill(sentence string, parameters map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sentence, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		optional, after, _ := strings.Cut(rest, "]")
		lead, rest, _ := strings.Cut(optional, "{")
		name, tail, _ := strings.Cut(rest, "}")
		if value := shown(parameters[name], longestName); value != "" {
			b.WriteString(lead + value + tail)
		}
		sentence = after
	}
}
