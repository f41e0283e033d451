package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// resolve makes every path absolute: relative ones are meant from the folder of the configuration.
func (c *Config) resolve() {
	c.Dir = absolute(c.Dir, ".")
	c.Build.Context = absolute(c.Dir, c.Build.Context)
	c.Build.Dockerfile = absolute(c.Build.Context, c.Build.Dockerfile)
	for name, value := range c.Build.Contexts {
		c.Build.Contexts[name] = contextPath(c.Dir, value)
	}
	for _, caches := range [][]string{c.Build.Cache.From, c.Build.Cache.To} {
		for i := range caches {
			caches[i] = cachePath(c.Dir, caches[i])
		}
	}
	for i, pack := range c.Check.Packs {
		if isFolder(pack) {
			c.Check.Packs[i] = absolute(c.Dir, pack)
		}
	}
	for i := range c.Launch {
		c.Launch[i].resolve(c.Dir)
	}
	for i := range c.Scan.VEX {
		c.Scan.VEX[i] = absolute(c.Dir, c.Scan.VEX[i])
	}
	if file, found := strings.CutPrefix(c.Scan.Database.From, "file:"); found {
		c.Scan.Database.From = "file:" + absolute(c.Dir, file)
	}
	paths := []*string{&c.Scan.Database.File, &c.Registry.Root, &c.Engine.Root, &c.Sign.Keyless.TrustedRoot, &c.Sign.Keyless.TUFRoot}
	for i := range c.Sign.Trust {
		paths = append(paths, &c.Sign.Trust[i].Key)
	}
	for _, path := range paths {
		if *path != "" {
			*path = absolute(c.Dir, *path)
		}
	}
	for _, kind := range ReportKinds() {
		if file := c.Reports.file(kind); *file != "" {
			*file = absolute(c.Dir, *file)
		}
	}
	each(reflect.ValueOf(c).Elem(), func(ref secret.Ref) secret.Ref {
		if path, isFile := strings.CutPrefix(string(ref), "file:"); isFile {
			return secret.Ref("file:" + absolute(c.Dir, path))
		}
		return ref
	})
}

// resolve makes the paths of a launch absolute; those inside the image are.
func (l *Launch) resolve(dir string) {
	if l.Runtime != "" {
		l.Runtime = absolute(dir, l.Runtime)
	}
	for i, script := range l.InitScripts {
		if !strings.HasPrefix(script, "file:") {
			l.InitScripts[i] = absolute(dir, script)
		}
	}
	if l.Databricks != nil {
		c := &l.Databricks.Credentials
		if path, isFile := strings.CutPrefix(string(c.Username), "file:"); isFile {
			c.Username = PullName("file:" + absolute(dir, path))
		}
		if path, isFile := strings.CutPrefix(string(c.Password), "file:"); isFile {
			c.Password = PullSecret("file:" + absolute(dir, path))
		}
	}
	for _, probe := range l.Probes {
		if probe.Pip != nil && l.Target != workspaceTarget {
			probe.Pip.From = absolute(dir, probe.Pip.From)
		}
	}
}

// Reads are the files and folders of this machine that a build, the rules, the scan and a verification are told to read, by
// the key that names each.
func (c *Config) Reads() map[string]string {
	reads := map[string]string{"build.context": c.Build.Context, "build.dockerfile": c.Build.Dockerfile}
	for name, value := range c.Build.Contexts {
		if layout, isLayout := strings.CutPrefix(value, layoutScheme); isLayout {
			reads["build.contexts."+name], _, _ = strings.Cut(layout, "@")
		} else if !scheme.MatchString(value) {
			reads["build.contexts."+name] = value
		}
	}
	for i, pack := range c.Check.Packs {
		if isFolder(pack) {
			reads[fmt.Sprintf("check.packs[%d]", i)] = pack
		}
	}
	for i, document := range c.Scan.VEX {
		reads[fmt.Sprintf("scan.vex[%d]", i)] = document
	}
	if file, isFile := strings.CutPrefix(c.Scan.Database.From, "file:"); isFile {
		reads["scan.database.from"] = file
	}
	if c.Scan.Database.File != "" {
		reads["scan.database.file"] = c.Scan.Database.File
	}
	for key, file := range map[string]string{"sign.keyless.trusted_root": c.Sign.Keyless.TrustedRoot, "sign.keyless.tuf_root": c.Sign.Keyless.TUFRoot} {
		if file != "" {
			reads[key] = file
		}
	}
	for i, trust := range c.Sign.Trust {
		if trust.Key != "" {
			reads[fmt.Sprintf("sign.trust[%d].key", i)] = trust.Key
		}
	}
	for i, cache := range c.Build.Cache.From {
		for part := range strings.SplitSeq(cache, ",") {
			if src, isSource := strings.CutPrefix(part, "src="); isSource {
				reads[fmt.Sprintf("build.cache.from[%d]", i)] = src
			}
		}
	}
	return reads
}

// Writes are the files of this machine that a run is told to write, by the key that names each.
func (c *Config) Writes() map[string]string {
	writes := map[string]string{}
	for _, kind := range ReportKinds() {
		if path := c.Reports.File(kind); path != "" {
			writes["reports."+strings.ReplaceAll(kind, "-", "_")] = path
		}
	}
	return writes
}

// absolute is path as seen from dir.
func absolute(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

// isFolder says whether the name of a pack is a folder rather than one of Hallmark's own packs.
func isFolder(pack string) bool {
	return strings.ContainsAny(pack, `/\`) || strings.HasPrefix(pack, ".")
}

// layoutScheme begins a context that is an OCI layout in a folder of this machine.
const layoutScheme = "oci-layout://"

var scheme = regexp.MustCompile(`^([a-z][a-z0-9+.-]*://|git@)`)

// contextPath resolves what a named context points to where that is a folder.
func contextPath(dir, value string) string {
	if layout, found := strings.CutPrefix(value, layoutScheme); found {
		return layoutScheme + absolute(dir, layout)
	}
	if scheme.MatchString(value) {
		return value
	}
	return absolute(dir, value)
}

// cachePath resolves the folder of a local cache.
func cachePath(dir, cache string) string {
	parts := strings.Split(cache, ",")
	for i, part := range parts {
		if key, value, found := strings.Cut(part, "="); found && (key == "src" || key == "dest") {
			parts[i] = key + "=" + absolute(dir, value)
		}
	}
	return strings.Join(parts, ",")
}

// each calls change for every secret reference that is set, and keeps what it returns.
func each(v reflect.Value, change func(secret.Ref) secret.Ref) {
	switch {
	case v.Type() == reflect.TypeFor[secret.Ref]():
		if v.String() != "" {
			v.SetString(string(change(secret.Ref(v.String()))))
		}
	case v.Type() == reflect.TypeFor[SigningKey]():
		if key := SigningKey(v.String()); key != "" && !key.Keyless() {
			v.SetString(string(change(key.Ref())))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() {
				each(field, change)
			}
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			if v.Type().Elem().Kind() == reflect.Interface {
				continue
			}
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.MapIndex(key))
			each(elem, change)
			v.SetMapIndex(key, elem)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			each(v.Index(i), change)
		}
	}
}

// references are the secret references of the configuration.
func (c *Config) references() map[string]bool {
	found := map[string]bool{}
	each(reflect.ValueOf(c).Elem(), func(ref secret.Ref) secret.Ref {
		found[string(ref)] = true
		return ref
	})
	return found
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// imageName makes a repository's name of a folder's.
func imageName(dir string) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(filepath.Base(dir)), "-"), "-")
	return cmp.Or(name, "image")
}
