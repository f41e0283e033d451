package check_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

// dbrRow is what an image for a runtime is built from in these tests. It is written down here a second time on purpose:
// a slip in the pack's data shows as a good image that is not one.
type dbrRow struct {
	runtime, ubuntu, java, python          string
	virtualenv, lsp, acl, libraries, utf8s bool
}

var dbrRows = []dbrRow{
	{runtime: "6.4", ubuntu: "16.04", java: "1.8.0_252"},
	{runtime: "7.3", ubuntu: "18.04", java: "1.8.0_265"},
	{runtime: "8.4", ubuntu: "18.04", java: "1.8.0_282"},
	{runtime: "9.1", ubuntu: "18.04", java: "1.8.0_302", python: "3.8"},
	{runtime: "10.4", ubuntu: "20.04", java: "1.8.0_312", python: "3.8"},
	{runtime: "11.3", ubuntu: "20.04", java: "1.8.0_345", python: "3.9", virtualenv: true},
	{runtime: "12.2", ubuntu: "20.04", java: "1.8.0_345", python: "3.9", virtualenv: true, lsp: true},
	{runtime: "13.3", ubuntu: "22.04", java: "1.8.0_372", python: "3.10", virtualenv: true, lsp: true, acl: true, libraries: true},
	{runtime: "14.3", ubuntu: "22.04", java: "1.8.0_382", python: "3.10", virtualenv: true, lsp: true, acl: true, libraries: true},
	{runtime: "15.4", ubuntu: "22.04", java: "1.8.0_412", python: "3.11", virtualenv: true, lsp: true, acl: true, libraries: true, utf8s: true},
	{runtime: "16.4", ubuntu: "24.04", java: "17.0.13", python: "3.12", virtualenv: true, lsp: true, acl: true, libraries: true, utf8s: true},
	{runtime: "17.3", ubuntu: "24.04", java: "17.0.15", python: "3.12", virtualenv: true, lsp: true, acl: true, libraries: true, utf8s: true},
}

// dbr is an image in the making for one runtime: its files by path, its environment, and how it is asked about.
type dbr struct {
	files        map[string]imagetest.File
	env          map[string]string
	config       v1.Config
	architecture string
	params       map[string]any // of the pack databricks
}

func row(t testing.TB, runtime string) dbrRow {
	t.Helper()
	i := slices.IndexFunc(dbrRows, func(r dbrRow) bool { return r.runtime == runtime })
	if i < 0 {
		t.Fatalf("there is no row for runtime %s", runtime)
	}
	return dbrRows[i]
}

// newDBR brings what a runtime asks for, and no more.
func newDBR(r dbrRow) *dbr {
	d := &dbr{
		files: map[string]imagetest.File{}, env: map[string]string{"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		architecture: "amd64", params: map[string]any{"runtime": r.runtime},
	}
	d.system("ubuntu", r.ubuntu, "Ubuntu "+r.ubuntu)
	d.put(imagetest.Symlink("bin", "usr/bin"), imagetest.Text("etc/group", "root:x:0:\n"))
	d.users("root:x:0:0:root:/root:/bin/bash\n", "root:*:19000:0:99999:7:::\n")
	for _, command := range []string{"bash", "ip", "cat", "chmod", "chown", "cp", "ls", "mkdir", "mv", "rm", "ps", "sudo"} {
		d.put(imagetest.Exec("usr/bin/" + command))
	}
	d.put(
		imagetest.Exec("usr/lib/jvm/java/bin/java"), imagetest.Symlink("usr/bin/java", "/usr/lib/jvm/java/bin/java"),
		imagetest.Text("usr/lib/jvm/java/release", "IMPLEMENTOR=\"Azul Systems, Inc.\"\nJAVA_VERSION=\""+r.java+"\"\n"),
	)
	if r.acl {
		d.put(imagetest.Exec("usr/bin/setfacl"))
	}
	if r.libraries {
		d.users("root:x:0:0:root:/root:/bin/bash\nlibraries:x:1001:1001::/home/libraries:/bin/sh\n", "root:*:19000::::::\nlibraries:!:19000::::::\n")
	}
	if r.utf8s {
		d.env["LANG"], d.env["LC_ALL"] = "C.UTF-8", "C.UTF-8"
	}
	if r.python != "" {
		d.python(r.python)
	}
	if r.virtualenv {
		d.put(imagetest.Exec("usr/local/bin/virtualenv"))
	}
	if r.lsp {
		d.put(imagetest.Symlink("databricks/python-lsp/bin/python3", "/usr/bin/python"+r.python))
	}
	return d
}

// python is what virtualenv --system-site-packages makes, with what pip adds.
func (d *dbr) python(version string) {
	d.put(
		imagetest.Exec("usr/bin/python"+version),
		imagetest.Symlink("databricks/python3/bin/python", "/usr/bin/python"+version),
		imagetest.Symlink("databricks/python3/bin/python3", "python"),
		imagetest.Text("usr/lib/python3/dist-packages/six-1.16.0.egg-info", ""),
	)
	for _, name := range []string{
		"ipykernel-6.28.0", "ipython-8.25.0", "numpy-1.26.4", "pandas-1.5.3", "pyarrow-15.0.2",
		"protobuf-4.24.1", "grpcio-1.60.0", "grpcio_status-1.60.0", "databricks_sdk-0.30.0",
	} {
		d.put(imagetest.Text(d.site(version)+name+".dist-info/METADATA", ""))
	}
	d.env["PYSPARK_PYTHON"] = "/databricks/python3/bin/python3"
}

func (d *dbr) site(version string) string {
	return "databricks/python3/lib/python" + version + "/site-packages/"
}

func (d *dbr) put(files ...imagetest.File) {
	for _, f := range files {
		d.files[f.Path] = f
	}
}

// drop takes files away, and folders with all that is in them.
func (d *dbr) drop(paths ...string) {
	for _, path := range paths {
		maps.DeleteFunc(d.files, func(name string, _ imagetest.File) bool {
			return name == path || len(name) > len(path) && name[:len(path)+1] == path+"/"
		})
	}
}

func (d *dbr) system(id, version, pretty string) {
	d.put(imagetest.Text("etc/os-release", fmt.Sprintf("ID=%s\nVERSION_ID=%q\nPRETTY_NAME=%q\n", id, version, pretty)))
}

func (d *dbr) users(passwd, shadow string) {
	d.put(imagetest.Text("etc/passwd", passwd), imagetest.File{Path: "etc/shadow", Mode: 0o640, GID: 42, Body: shadow})
}

// java puts another one into the place of the command java.
func (d *dbr) java(version string) {
	d.put(imagetest.Text("usr/lib/jvm/java/release", "JAVA_VERSION=\""+version+"\"\n"))
}

func (d *dbr) facts(t testing.TB, packs []*check.Pack) *image.Facts {
	t.Helper()
	var files []imagetest.File
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		files = append(files, d.files[name])
	}
	config := d.config
	for _, name := range slices.Sorted(maps.Keys(d.env)) {
		config.Env = append(config.Env, name+"="+d.env[name])
	}
	file := &v1.ConfigFile{OS: "linux", Architecture: d.architecture, Config: config, History: []v1.History{{CreatedBy: "layer 0"}}}
	contents, err := (&image.Reader{Cache: t.TempDir()}).Read(t.Context(), imagetest.WithConfig(t, file, imagetest.Layer(files...)))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := contents.Facts(image.FactsOptions{Files: check.Files(packs)})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}
