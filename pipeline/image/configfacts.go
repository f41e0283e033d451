package image

import (
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func configFacts(file *v1.ConfigFile, users []UserFact) ConfigFacts {
	config := file.Config
	facts := ConfigFacts{
		User: config.User, Entrypoint: maskAll(config.Entrypoint), Cmd: maskAll(config.Cmd), Env: []EnvFact{},
		Labels: map[string]string{}, Workdir: config.WorkingDir,
		ExposedPorts: slices.AppendSeq([]string{}, maps.Keys(config.ExposedPorts)),
		Volumes:      slices.AppendSeq([]string{}, maps.Keys(config.Volumes)),
		StopSignal:   config.StopSignal, Created: timestamp(file.Created.Time),
	}
	slices.Sort(facts.ExposedPorts)
	slices.Sort(facts.Volumes)
	if uid := accountOf(config.User, users, nil).uid; uid >= 0 {
		facts.UID = &uid
	}
	for _, pair := range config.Env {
		name, value, _ := strings.Cut(pair, "=")
		fact := EnvFact{Name: name, Value: value, Reason: secretReason(name, value)}
		if fact.Reason != "" {
			fact.Value, fact.SecretLike = masked, true
		}
		facts.Env = append(facts.Env, fact)
	}
	for name, value := range config.Labels {
		if secretReason(name, value) != "" {
			value = masked
		}
		facts.Labels[name] = value
	}
	if check := config.Healthcheck; check != nil {
		facts.Healthcheck = &HealthcheckFact{
			Test: maskAll(check.Test), Interval: check.Interval.Seconds(), Timeout: check.Timeout.Seconds(), Retries: check.Retries,
		}
	}
	return facts
}

// maskAll masks what looks like a secret in a command line.
func maskAll(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = maskedOnly(arg)
		// "--password", "value" are two arguments.
		if i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.HasPrefix(arg, "-") && !strings.Contains(args[i-1], "=") &&
			secretReason(strings.ReplaceAll(strings.TrimLeft(args[i-1], "-"), "-", "_"), arg) != "" {
			out[i] = masked
		}
	}
	return out
}
