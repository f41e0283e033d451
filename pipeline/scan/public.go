package scan

import (
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// secretName is a variable whose value no report needs, whatever it looks like.
var secretName = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential)`)

// publicConfig is the image's configuration with every secret masked: reports travel further than images.
func publicConfig(config *v1.ConfigFile) v1.ConfigFile {
	if config == nil {
		return v1.ConfigFile{}
	}
	public := config.DeepCopy()
	censor := engine().censor
	each := func(texts []string) {
		for i := range texts {
			texts[i] = censor(texts[i])
		}
	}
	for i, variable := range public.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		if secretName.MatchString(name) && value != "" {
			variable = name + "=***"
		}
		public.Config.Env[i] = censor(variable)
	}
	each(public.Config.Cmd)
	each(public.Config.Entrypoint)
	each(public.Config.OnBuild)
	each(public.Config.Shell)
	for key, value := range public.Config.Labels {
		public.Config.Labels[key] = censor(value)
	}
	if public.Config.Healthcheck != nil {
		each(public.Config.Healthcheck.Test)
	}
	for i := range public.History {
		public.History[i].CreatedBy = censor(public.History[i].CreatedBy)
		public.History[i].Comment = censor(public.History[i].Comment)
	}
	return *public
}
