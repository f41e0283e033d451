package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// validate looks for what is well formed and cannot work.
func (d *decoder) validate(c *Config) {
	d.validateImage(c)
	d.validateBuild(c)
	d.validateGates(c)
	for i, launch := range c.Launch {
		d.validateLaunch(fmt.Sprintf("launch[%d]", i), launch)
	}
	d.validateDistinct(c.Launch)
	d.validateAgreement(c)
	d.validatePromote(c)
	d.validateReports(c)
	d.validateReaching(c)
}

// refuse tells of a contradiction at path, or at the nearest part above it that was written.
func (d *decoder) refuse(path, message, hint string) {
	at := path
	for d.nodes[at] == nil && at != "" {
		cut := strings.LastIndexAny(at, ".[")
		at = at[:max(cut, 0)]
	}
	d.problem(d.nodes[at], path, message, hint)
}

// refuseKey tells of a key of one's own at path that is no such thing.
func (d *decoder) refuseKey(path, message, hint string) {
	if k := d.keys[path]; k != nil {
		d.problem(k, path, message, hint)
		return
	}
	d.refuse(path, message, hint)
}

// failed says whether the value at path was already found wrong, so that what follows from it is not told again.
func (d *decoder) failed(path string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Field == path })
}

func (d *decoder) validateImage(c *Config) {
	if d.failed("image") {
		return
	}
	if strings.Contains(c.Image, "://") {
		_, rest, _ := strings.Cut(c.Image, "://")
		d.refuse("image", "a repository has no scheme", "write "+rest+"; registries without TLS go into registry.plain_http")
		return
	}
	if repository, digest, found := strings.Cut(c.Image, "@"); found {
		d.refuse("image", "a repository has no digest ("+digest+")", "write "+repository)
		return
	}
	if colon := strings.LastIndex(c.Image, ":"); colon > strings.LastIndex(c.Image, "/") && strings.Contains(c.Image, "/") || strings.Count(c.Image, ":") == 1 && !strings.Contains(c.Image, "/") {
		d.refuse("image", "a repository has no tag ("+c.Image[colon+1:]+")", "write "+c.Image[:colon]+"; golden tags go into promote.tags")
		return
	}
	_, path := subject.SplitHost(c.Image)
	if _, err := name.NewRepository(c.Image); err != nil || !pathWord.MatchString(path) {
		d.refuse("image", fmt.Sprintf("%q is no name of a repository", c.Image), "use lower-case letters, digits and -._/, for example registry.example.com/platform/spark")
	}
}

var (
	// pathWord is the grammar of a name in the distribution specification: the library that parses references takes more,
	// which registries refuse at the first push.
	pathWord     = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	platformWord = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)
	argWord      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	tagWord      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	hostWord     = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
	cacheWord    = regexp.MustCompile(`^type=(registry|local)(,[a-z-]+=[^,]+)+$`)
	engineWord   = regexp.MustCompile(`^(unix|tcp|docker-container|podman-container|kube-pod|ssh|npipe)://.+`)
)

func (d *decoder) validateBuild(c *Config) {
	if len(c.Build.Platforms) == 0 && !d.failed("build.platforms") {
		d.refuse("build.platforms", "names no platform", "write [linux/amd64], or leave it out")
	}
	d.eachWord("build.platforms", c.Build.Platforms, platformWord, "is no platform", "write linux/amd64 or linux/arm64/v8")
	for _, key := range []struct {
		path  string
		empty bool
	}{{"build.context", c.Build.Context == ""}, {"build.dockerfile", c.Build.Dockerfile == ""}} {
		if key.empty {
			d.refuse(key.path, "is empty", "leave it out for the default")
		}
	}
	for arg := range c.Build.Args {
		if !argWord.MatchString(arg) {
			d.refuseKey(fmt.Sprintf("build.args[%q]", arg), "is no name of a build argument", "use letters, digits and _")
		}
	}
	for named, value := range c.Build.Contexts {
		if value == "" {
			d.refuse(fmt.Sprintf("build.contexts[%q]", named), "points to nothing", "name a folder, docker-image://REFERENCE or oci-layout://FOLDER")
		}
	}
	for _, list := range []struct {
		path, folder string
		caches       []string
	}{{"build.cache.from", "src", c.Build.Cache.From}, {"build.cache.to", "dest", c.Build.Cache.To}} {
		for i, cache := range list.caches {
			if !cacheWord.MatchString(cache) {
				d.refuse(fmt.Sprintf("%s[%d]", list.path, i), fmt.Sprintf("%q is no cache", cache), "write type=registry,ref=REFERENCE or type=local,"+list.folder+"=FOLDER")
			}
		}
	}
}

// eachWord refuses the words that do not match, and those that stand there twice.
func (d *decoder) eachWord(path string, all []string, want *regexp.Regexp, message, hint string) {
	for i, word := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case want != nil && !want.MatchString(word):
			d.refuse(at, fmt.Sprintf("%q %s", word, message), hint)
		case slices.Contains(all[:i], word):
			d.refuse(at, fmt.Sprintf("%q stands there twice", word), "keep one of them")
		}
	}
}

// flagged says whether the value at path, or some of it, comes from the command line.
func (d *decoder) flagged(path string) bool {
	var from func(n *yaml.Node) bool
	from = func(n *yaml.Node) bool {
		return strings.HasPrefix(d.source.overrides[n], "--set ") || slices.ContainsFunc(n.Content, from)
	}
	n := d.nodes[path]
	return n != nil && from(n)
}

func (d *decoder) validateGates(c *Config) {
	d.eachWord("check.packs", c.Check.Packs, nil, "", "")
	for pack := range c.Check.Params {
		if !slices.ContainsFunc(c.Check.Packs, func(p string) bool { return p == pack || isFolder(p) && baseName(p) == pack }) {
			if d.flagged("check.packs") && !d.flagged(fmt.Sprintf("check.params[%q]", pack)) {
				delete(c.Check.Params, pack) // the file speaks of its own packs; others were chosen for this once
				continue
			}
			hint := "add it to check.packs, or remove the parameters"
			if near := nearest(pack, c.Check.Packs); near != "" {
				hint = "did you mean " + near + "?"
			}
			d.refuseKey(fmt.Sprintf("check.params[%q]", pack), "are parameters of a pack that is not in check.packs", hint)
		}
	}
	for i, w := range c.Check.Waivers {
		d.signedException(fmt.Sprintf("check.waivers[%d]", i), map[string]string{"rule": w.Rule, "reason": w.Reason, "owner": w.Owner})
	}
	for i, ignore := range c.Scan.Ignore {
		d.signedException(fmt.Sprintf("scan.ignore[%d]", i), map[string]string{"id": ignore.ID, "reason": ignore.Reason, "owner": ignore.Owner})
	}
	database := c.Scan.Database
	switch {
	case database.From != "" && database.File != "":
		d.refuse("scan.database.file", "and scan.database.from are both given", "keep file for work without a network, or from for a database that is pulled")
	case database.From == "" && database.File == "" && !d.failed("scan.database.from"):
		d.refuse("scan.database.from", "is empty, and there is no file", "leave it out for the default")
	case strings.HasPrefix(database.From, "file:"):
	case database.From != "":
		if _, err := name.ParseReference(database.From); err != nil && !d.failed("scan.database.from") {
			d.refuse("scan.database.from", fmt.Sprintf("%q is no reference", database.From), "write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:…")
		}
	}
}

func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// signedException wants words where an exception must say something.
func (d *decoder) signedException(path string, said map[string]string) {
	for _, key := range []string{"rule", "id", "reason", "owner"} {
		if value, asked := said[key]; asked && strings.TrimSpace(value) == "" && d.nodes[path+"."+key] != nil && !d.failed(path+"."+key) {
			d.refuse(path+"."+key, "is empty", "an exception says what, why and who answers for it")
		}
	}
}

// validateDistinct refuses launches that evidence cannot tell apart: it knows them by target and profile, and what the
// one says would take the place of what the other has said.
func (d *decoder) validateDistinct(launches []Launch) {
	type place struct {
		target  Target
		profile Profile
	}
	first := map[place]int{}
	for i, l := range launches {
		at := fmt.Sprintf("launch[%d]", i)
		if d.failed(at+".target") || d.failed(at+".profile") {
			continue
		}
		here := place{l.Target, l.Profile}
		before, second := first[here]
		if !second {
			first[here] = i
			continue
		}
		d.refuse(at, fmt.Sprintf("has the target %s and the profile %s, as launch[%d] has, and their evidence would hide each other's", l.Target, l.Profile, before),
			fmt.Sprintf("ask all the probes in launch[%d], or give this one another target or profile", before))
	}
}

func (d *decoder) validateLaunch(path string, l Launch) {
	if l.Timeout <= 0 && !d.failed(path+".timeout") {
		d.refuse(path+".timeout", "must be longer than 0", "every launch has a deadline: write 10m")
	}
	if l.Limits.Memory != 0 && l.Limits.Memory < 16<<20 {
		d.refuse(path+".limits.memory", "is less than 16Mi, in which nothing starts", "write 3Gi")
	}
	if l.Limits.CPUs < 0 || l.Limits.PIDs < 0 {
		d.refuse(path+".limits", "must not be negative", "write 0 for no limit")
	}
	d.validateWorkspace(path, l)
	d.validateDatabricks(path, l)
	for i, probe := range l.Probes {
		d.validateProbe(fmt.Sprintf("%s.probes[%d]", path, i), probe, l)
	}
}

func (d *decoder) validateProbe(path string, p Probe, l Launch) {
	timeout := Duration(1)
	switch path += "." + p.Name(); {
	case p.SparkPi != nil:
		timeout = p.SparkPi.Timeout
		if l.Profile != "spark" {
			d.refuse(path, fmt.Sprintf("needs the profile spark; this launch has the profile %s, which starts no cluster", l.Profile), "write profile: spark, or take another probe")
		}
		if p.SparkPi.Partitions < 1 && !d.failed(path) && d.nodes[path] != nil {
			d.refuse(path, "wants at least one partition", "write spark-pi: 20")
		}
	case p.Run != nil:
		timeout = p.Run.Timeout
		d.expectation(path, p.Run.Matches, p.Run.Exit)
		if len(p.Run.Args) == 0 && !d.failed(path) {
			d.refuse(path, "names no command", "write run: [bin/spark-submit, --version]")
		}
	case p.Python != nil:
		timeout = p.Python.Timeout
		d.expectation(path, p.Python.Matches, p.Python.Exit)
	case p.SQL != nil:
		timeout = p.SQL.Timeout
		d.needsDatabricks(path, l)
		d.expectation(path, p.SQL.Matches, 0)
	case p.Scala != nil:
		timeout = p.Scala.Timeout
		d.needsDatabricks(path, l)
		d.expectation(path, p.Scala.Matches, 0)
	case p.Pip != nil:
		timeout = p.Pip.Timeout
		d.needsDatabricks(path, l)
		d.expectation(path, p.Pip.Matches, 0)
		if l.Target == workspaceTarget {
			d.validateInstall(path, *p.Pip)
		} else {
			d.validatePip(path, *p.Pip)
		}
	case p.R != nil:
		timeout = p.R.Timeout
		d.onWorkspace(path, l)
		d.expectation(path, p.R.Matches, 0)
	case p.Fuse != nil:
		timeout = p.Fuse.Timeout
		d.onWorkspace(path, l)
		if !strings.HasPrefix(p.Fuse.Path, "/") && !d.failed(path+".path") {
			d.refuse(path+".path", fmt.Sprintf("%q is no absolute path", p.Fuse.Path), "write /Workspace, /Volumes/CATALOG/SCHEMA/VOLUME or /dbfs")
		}
		d.expectation(path, p.Fuse.Matches, 0)
	case p.GPU != nil:
		timeout = p.GPU.Timeout
		d.onWorkspace(path, l)
		d.expectation(path, p.GPU.Matches, 0)
	case p.HTTP != nil:
		timeout = p.HTTP.Timeout
		if l.Target == workspaceTarget {
			d.refuse(path, "cannot be asked of a cluster in a workspace", "take a probe run with curl, or one in python")
		}
		if h := p.HTTP; h.Port != 0 && (h.Port < 1 || h.Port > 65535) {
			d.refuse(path+".port", fmt.Sprintf("%d is no port", h.Port), "ports go from 1 to 65535")
		} else if !strings.HasPrefix(h.Path, "/") {
			d.refuse(path+".path", "does not begin with /", "write /"+h.Path)
		} else if h.Status < 100 || h.Status > 599 {
			d.refuse(path+".status", fmt.Sprintf("%d is no HTTP status", h.Status), "write 200")
		}
	}
	if d.failed(path + ".timeout") {
		return
	}
	if timeout <= 0 {
		d.refuse(path+".timeout", "must be longer than 0", "every probe has a deadline: write 2m")
	} else if d.nodes[path+".timeout"] != nil && timeout > l.Timeout {
		d.refuse(path+".timeout", fmt.Sprintf("%s is longer than the whole launch may take (%s)", timeout, l.Timeout), "raise the launch's timeout, or lower this one")
	}
}

func (d *decoder) validatePromote(c *Config) {
	d.eachWord("promote.tags", c.Promote.Tags, tagWord, "is no tag", "use letters, digits and ._-, at most 128 of them")
	for i, tag := range c.Promote.Tags {
		at := fmt.Sprintf("promote.tags[%d]", i)
		switch {
		case strings.HasPrefix(tag, "staging-"):
			d.refuse(at, "begins with staging-, which marks images that are still being tested", "choose another name")
		case strings.HasPrefix(tag, "sha256-"):
			d.refuse(at, "begins with sha256-, which marks the signatures and the evidence of images", "choose another name")
		}
	}
	for i, kind := range c.Promote.Require {
		at := fmt.Sprintf("promote.require[%d]", i)
		switch {
		case kind == "launch" && len(c.Launch) == 0 && d.nodes[at] != nil:
			d.refuse(at, "asks for the result of a launch, and launch names none", "add a launch, or leave launch out of promote.require")
		case kind == "check" && len(c.Check.Packs) == 0 && d.nodes[at] != nil:
			d.refuse(at, "asks for the result of a check, and check.packs names no pack", "add a pack, or leave check out of promote.require")
		case slices.Contains(c.Promote.Require[:i], kind):
			d.refuse(at, fmt.Sprintf("%q stands there twice", kind), "keep one of them")
		}
	}
}

// validateReaching looks at what concerns keys, registries and the engine.
func (d *decoder) validateReaching(c *Config) {
	d.validateSign(c.Sign)
	for i, host := range c.Registry.PlainHTTP {
		if !hostWord.MatchString(host) {
			d.refuse(fmt.Sprintf("registry.plain_http[%d]", i), fmt.Sprintf("%q is no host", host), hostHint(host))
		}
	}
	for host, credential := range c.Registry.Auth {
		at := fmt.Sprintf("registry.auth[%q]", host)
		password, token := credential.Password != "", credential.Token != ""
		switch {
		case !hostWord.MatchString(host):
			d.refuseKey(at, fmt.Sprintf("%q is no host", host), hostHint(host))
		case slices.ContainsFunc(d.problems, func(p Problem) bool { return strings.HasPrefix(p.Field, at) }):
		case token && (password || credential.Username != ""):
			d.refuse(at, "holds a token and a user name or password", "keep one of the two ways to log in")
		case !token && (!password || credential.Username == ""):
			d.refuse(at, "holds half a credential", "give username and password, or token")
		}
	}
	switch use := c.Engine.Use; {
	case d.failed("engine.use"), use == "auto", use == "embedded", use == "docker", engineWord.MatchString(use):
	default:
		hint := "write auto, embedded, docker, or an address such as unix:///run/buildkit/buildkitd.sock"
		if near := nearest(use, []string{"auto", "embedded", "docker"}); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.refuse("engine.use", fmt.Sprintf("%q is neither an engine nor an address", use), hint)
	}
	if use := c.Engine.Use; c.Engine.Root != "" && use != "auto" && use != "embedded" && !d.failed("engine.use") {
		d.refuse("engine.root", "is the folder of the embedded engine, and engine.use is "+use, "leave it out")
	}
	if c.Engine.Wait <= 0 && !d.failed("engine.wait") {
		d.refuse("engine.wait", "must be longer than 0", "a run that is next must be able to wait: write 30m")
	}
}

func hostHint(host string) string {
	if _, rest, found := strings.Cut(host, "://"); found {
		return "write " + strings.TrimRight(rest, "/")
	}
	return "write HOST or HOST:PORT, without a path"
}
