package config

import (
	"os"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// Conceal hides every secret that the configuration references from whatever is shown, also those that this run has no
// need to read: a step that is skipped does not keep others from repeating its password. What cannot be read here is told
// when it is wanted.
func (c *Config) Conceal() {
	hide := func(text string) {
		if path, isFile := strings.CutPrefix(text, "file:"); isFile {
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				return // a pipe can be read once only
			}
		}
		_, _ = secret.Ref(text).Read()
	}
	for ref := range c.references() {
		hide(ref)
	}
	for _, l := range c.Launch {
		if l.Databricks == nil {
			continue
		}
		for _, text := range []string{string(l.Databricks.Credentials.Username), string(l.Databricks.Credentials.Password)} {
			if secret.Ref(text).Check() == nil {
				hide(text)
			}
		}
	}
}
