package image

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Facts derives what is true of the image. It reads nothing but c.
func (c *Contents) Facts(options FactsOptions) (*Facts, error) {
	limits := options.Limits.withDefaults()
	t := c.tree
	osRelease, ok := t.body("etc/os-release")
	if !ok {
		osRelease, _ = t.body("usr/lib/os-release")
	}
	passwd, _ := t.body("etc/passwd")
	shadow, _ := t.body("etc/shadow")
	group, _ := t.body("etc/group")
	facts := &Facts{
		Version:  FactsVersion,
		Digest:   c.Digest,
		Platform: PlatformFacts{OS: c.Config.OS, Architecture: c.Config.Architecture, Variant: c.Config.Variant},
		OS:       osFacts(osRelease),
		Packages: c.Packages(),
		Users:    parseUsers(passwd, shadow),
		Groups:   parseGroups(group),
	}
	facts.Config = configFacts(c.Config, facts.Users)
	who := accountOf(c.Config.Config.User, facts.Users, facts.Groups)
	c.commandFacts(facts, who)
	var err error
	if facts.Java, err = t.javaFacts(facts.Commands, limits); err != nil {
		return nil, err
	}
	facts.Scripts = t.scriptFacts()
	facts.PAM = t.pamFacts()
	c.layerFacts(facts)
	facts.Caches = c.cacheFacts()
	if facts.Files, err = t.fileFacts(options.Files, limits); err != nil {
		return nil, err
	}
	return facts, facts.afford(t, limits)
}

// afford refuses facts that are too many to judge.
func (f *Facts) afford(t *tree, limits Limits) error {
	if t.effort.Load() > mostEffort {
		return overLimit("the image's facts", verdict.Place{}, "of time for symbolic links", mostEffort, "the image's symbolic links are too entangled to follow")
	}
	total := len(f.Files) + len(f.Packages) + len(f.Commands) + len(f.UserCommands) + len(f.Users) + len(f.Groups) + len(f.Scripts) + len(f.Java) + len(f.Caches)
	if total > limits.Facts {
		return tooManyFacts(limits)
	}
	return nil
}

func octal(mode uint32) string { return fmt.Sprintf("%04o", mode) }

func (c *Contents) layerFacts(facts *Facts) {
	facts.Layers, facts.History = c.LayerFacts(), []HistoryFact{}
	for i := range c.Layers {
		facts.Size.Compressed += c.Layers[i].Size
		facts.Size.Uncompressed += c.Layers[i].Uncompressed
	}
	made, _ := historyOf(c.Config)
	for i, step := range c.Config.History {
		text, reason := maskAssignments(step.CreatedBy)
		facts.History = append(facts.History, HistoryFact{CreatedBy: text, Layer: made[i], SecretLike: reason != "", Reason: reason})
	}
}

// LayerFacts describes the layers, bottom first: a part of the facts that costs little.
func (c *Contents) LayerFacts() []LayerFact {
	all := make([]LayerFact, 0, len(c.Layers))
	for i := range c.Layers {
		layer := &c.Layers[i]
		files := 0
		for _, entry := range layer.Entries.All() {
			if !isWhiteout(entry.Path) {
				files++
			}
		}
		all = append(all, LayerFact{
			Index: i, DiffID: layer.DiffID, Digest: layer.Digest, Size: layer.Size, CreatedBy: maskedOnly(layer.CreatedBy),
			Files: files, Bytes: layer.Bytes,
		})
	}
	return all
}

func (t *tree) scriptFacts() map[string]string {
	scripts := map[string]string{}
	isScript := func(layer *LayerRecord, file string) bool { return bytes.HasPrefix(layer.Bodies[file], []byte("#!")) }
	for own, at := range t.survivors(isScript) {
		scripts["/"+at] = string(t.layers[own.layer].Bodies[own.path])
	}
	return scripts
}

// pamSu says who may become whom.
const pamSu = "etc/pam.d/su"

func (t *tree) pamFacts() map[string][]string {
	services := map[string][]string{}
	body, found := t.body(pamSu)
	if !found {
		return services
	}
	rules := []string{}
	for line := range strings.Lines(body) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			rules = append(rules, line)
		}
	}
	services["su"] = rules
	return services
}

// timestamp is empty for the zero time.
func timestamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
