package check_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (d *dbr) judge(t *testing.T, packs []*check.Pack) check.Result {
	t.Helper()
	result, err := check.Run(t.Context(), check.Input{
		Facts: d.facts(t, packs), Now: now, Params: map[string]map[string]any{"databricks": d.params},
	}, packs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// rules are the findings' rules, those that only note something in brackets.
func rules(result check.Result) []string {
	got := []string{}
	for _, f := range result.Findings {
		id := strings.TrimPrefix(f.ID, "databricks.")
		if !f.Blocking {
			id = "(" + id + ")"
		}
		got = append(got, id)
	}
	slices.Sort(got)
	return slices.Compact(got)
}

// TestDatabricksGood holds that an image that brings what its runtime asks for has no finding at all.
func TestDatabricksGood(t *testing.T) {
	t.Parallel()
	packs := load(t, "databricks")
	for _, r := range dbrRows {
		t.Run(r.runtime, func(t *testing.T) {
			t.Parallel()
			d := newDBR(r)
			result := d.judge(t, packs)
			want := []string{}
			if r.python == "" {
				want = []string{"(python)"} // these are minimal images
			}
			if diff := cmp.Diff(want, rules(result)); diff != "" || result.Verdict != verdict.Pass {
				t.Errorf("-want +got:\n%s\n%s", diff, text(result.Findings))
			}
		})
	}
}

// TestDatabricksBroken breaks a good image in one place each time: exactly its rule speaks.
func TestDatabricksBroken(t *testing.T) {
	t.Parallel()
	packs := load(t, "databricks")
	for _, c := range []struct {
		name, runtime string
		spoil         func(*dbr)
		want          []string
	}{
		{"for ARM", "16.4", func(d *dbr) { d.architecture = "arm64" }, []string{"architecture"}},
		{"an older Ubuntu", "16.4", func(d *dbr) { d.system("ubuntu", "22.04", "Ubuntu 22.04.5 LTS") }, []string{"os"}},
		{"a newer Ubuntu", "9.1", func(d *dbr) { d.system("ubuntu", "20.04", "Ubuntu 20.04") }, []string{"os"}},
		{"Debian", "15.4", func(d *dbr) { d.system("debian", "12", "Debian GNU/Linux 12 (bookworm)") }, []string{"os"}},
		{"Debian, explicitly", "15.4", func(d *dbr) {
			d.system("debian", "12", "Debian GNU/Linux 12 (bookworm)")
			d.params["distribution"] = "debian:12"
		}, []string{"(os_untested)"}},
		{"Debian, where another is explicit", "15.4", func(d *dbr) {
			d.system("debian", "13", "Debian GNU/Linux 13 (trixie)")
			d.params["distribution"] = "debian:12"
		}, []string{"os"}},
		{"no os-release", "14.3", func(d *dbr) { d.drop("etc/os-release") }, []string{"os"}},
		{"Alpine today", "16.4", func(d *dbr) { d.system("alpine", "3.20.3", "Alpine Linux v3.20") }, []string{"os"}},
		{"Alpine then", "6.4", func(d *dbr) { d.system("alpine", "3.8.5", "Alpine Linux v3.8") }, []string{"(os_legacy)", "(python)"}},
		{"no Java", "16.4", func(d *dbr) { d.drop("usr/lib/jvm", "usr/bin/java") }, []string{"java"}},
		{"Java not on PATH", "16.4", func(d *dbr) { d.drop("usr/bin/java") }, []string{"java"}},
		{"Java 8 on 16.4", "16.4", func(d *dbr) { d.java("1.8.0_432") }, []string{"java_version"}},
		{"Java 8 on 16.4, explicitly", "16.4", func(d *dbr) { d.java("1.8.0_432"); d.params["java"] = 8 }, []string{}},
		{"Java 17 on 14.3", "14.3", func(d *dbr) { d.java("17.0.13") }, []string{"java_version"}},
		{"Java 8u181", "14.3", func(d *dbr) { d.java("1.8.0_181") }, []string{"java_update"}},
		{"a Java of unknown version", "14.3", func(d *dbr) { d.drop("usr/lib/jvm/java/release") }, []string{"(java_known)"}},
		{"a Java that only its package dates", "14.3", func(d *dbr) {
			d.drop("usr/lib/jvm/java/release")
			d.put(imagetest.Text("var/lib/dpkg/status", "Package: openjdk-8-jre-headless\nStatus: install ok installed\nArchitecture: amd64\nVersion: 8u181-b13-1\n\n"))
		}, []string{"java_update"}},
		{"the jre of a JDK 8, beside Java 17", "15.4", func(d *dbr) {
			d.put(
				imagetest.Exec("usr/lib/jvm/java/jre/bin/java"), imagetest.Symlink("usr/bin/java", "/usr/lib/jvm/java/jre/bin/java"),
				imagetest.Exec("usr/lib/jvm/java-17/bin/java"), imagetest.Text("usr/lib/jvm/java-17/release", "JAVA_VERSION=\"17.0.13\"\n"),
			)
		}, []string{}},
		{"no bash", "16.4", func(d *dbr) { d.drop("usr/bin/bash") }, []string{"bash"}},
		{"bash that cannot be run", "16.4", func(d *dbr) { d.put(imagetest.Text("usr/bin/bash", "x")) }, []string{"bash"}},
		{"no iproute2", "16.4", func(d *dbr) { d.drop("usr/bin/ip") }, []string{"iproute2"}},
		{"no coreutils", "16.4", func(d *dbr) { d.drop("usr/bin/chown", "usr/bin/mv") }, []string{"coreutils"}},
		{"no procps", "16.4", func(d *dbr) { d.drop("usr/bin/ps") }, []string{"procps"}},
		{"no sudo", "9.1", func(d *dbr) { d.drop("usr/bin/sudo") }, []string{"sudo"}},
		{"busybox for ps", "9.1", func(d *dbr) {
			d.put(imagetest.Exec("usr/bin/busybox"), imagetest.Symlink("usr/bin/ps", "busybox"))
		}, []string{"busybox"}},
		{"no acl", "13.3", func(d *dbr) { d.drop("usr/bin/setfacl") }, []string{"acl"}},
		{"no user libraries", "14.3", func(d *dbr) { d.users("root:x:0:0:root:/root:/bin/bash\n", "root:*:1::::::\n") }, []string{"libraries_user"}},
		{"user libraries with a password", "14.3", func(d *dbr) {
			d.users("root:x:0:0:root:/root:/bin/bash\nlibraries:x:1001:1001::/home/libraries:/bin/sh\n", "root:*:1::::::\nlibraries:$6$abc$def:1::::::\n")
		}, []string{"libraries_user"}},
		{"user libraries with an empty password", "17.3", func(d *dbr) {
			d.users("libraries::1001:1001::/home/libraries:/bin/sh\n", "root:*:1::::::\n")
		}, []string{"libraries_user"}},
		{"no LC_ALL", "15.4", func(d *dbr) { delete(d.env, "LC_ALL") }, []string{"locale"}},
		{"another LANG", "17.3", func(d *dbr) { d.env["LANG"] = "de_DE.UTF-8" }, []string{"locale"}},
		{"no virtualenv", "11.3", func(d *dbr) { d.drop("usr/local/bin/virtualenv") }, []string{"virtualenv"}},
		{"no virtualenv, and a promise", "16.4", func(d *dbr) {
			d.drop("usr/local/bin/virtualenv")
			d.params["driver_nfs"] = false
		}, []string{"(driver_nfs)"}},
		{"no environment, though PYSPARK_PYTHON names it", "16.4", func(d *dbr) { d.drop("databricks/python3") }, []string{"pyspark_python", "python_venv"}},
		{"an environment whose Python is gone", "12.2", func(d *dbr) { d.drop("usr/bin/python3.9") }, []string{"pyspark_python", "python_lsp", "python_venv"}},
		{"Python of another version", "15.4", func(d *dbr) {
			d.drop("databricks/python3")
			d.python("3.12")
		}, []string{"python_version"}},
		{"no python-lsp", "12.2", func(d *dbr) { d.drop("databricks/python-lsp") }, []string{"python_lsp"}},
		{"no PYSPARK_PYTHON", "16.4", func(d *dbr) { delete(d.env, "PYSPARK_PYTHON") }, []string{"pyspark_python"}},
		{"PYSPARK_PYTHON elsewhere", "10.4", func(d *dbr) { d.env["PYSPARK_PYTHON"] = "/usr/bin/python3.8" }, []string{"pyspark_python"}},
		{"no pandas", "14.3", func(d *dbr) { d.drop(d.site("3.10") + "pandas-1.5.3.dist-info") }, []string{"python_packages"}},
		{"no protobuf", "13.3", func(d *dbr) { d.drop(d.site("3.10") + "protobuf-4.24.1.dist-info") }, []string{"python_packages"}},
		{"an image for R alone, as Databricks builds it", "17.3", func(d *dbr) {
			for _, name := range []string{"ipykernel-6.28.0", "ipython-8.25.0", "protobuf-4.24.1"} {
				d.drop(d.site("3.12") + name + ".dist-info")
			}
			d.drop("databricks/python-lsp")
			delete(d.env, "PYSPARK_PYTHON")
			d.put(imagetest.Exec("usr/bin/R"), imagetest.Dir("usr/local/lib/R/site-library/Rserve"), imagetest.Dir("usr/local/lib/R/site-library/hwriterPlus"))
		}, []string{"(python)"}},
		{"conda", "9.1", func(d *dbr) { d.put(imagetest.Dir("databricks/conda")) }, []string{"conda"}},
		{"conda in the place of virtualenv", "9.1", func(d *dbr) { d.put(imagetest.Text("databricks/python3/conda-meta/history", "")) }, []string{"conda"}},
		{"no Python at all", "9.1", func(d *dbr) { d.drop("databricks"); delete(d.env, "PYSPARK_PYTHON") }, []string{"(python)"}},
		{"no Python, though it is asked for", "9.1", func(d *dbr) {
			d.drop("databricks")
			delete(d.env, "PYSPARK_PYTHON")
			d.params["parts"] = []any{"python"}
		}, []string{"pyspark_python", "python_venv"}},
		{"no R, though it is asked for", "16.4", func(d *dbr) { d.params["parts"] = []any{"r"} }, []string{"r"}},
		{"R without hwriterPlus", "16.4", func(d *dbr) {
			d.put(imagetest.Exec("usr/bin/R"), imagetest.Dir("usr/local/lib/R/site-library/Rserve"))
		}, []string{"r"}},
		{"no sshd, though it is asked for", "16.4", func(d *dbr) { d.params["parts"] = []any{"ssh"} }, []string{"ssh"}},
		{"sshd", "16.4", func(d *dbr) { d.put(imagetest.Exec("usr/sbin/sshd")) }, []string{"(ssh_start)"}},
		{"no fusermount, though FUSE is asked for", "16.4", func(d *dbr) {
			d.params["parts"], d.env["USER"] = []any{"fuse"}, "root"
		}, []string{"fuse"}},
		{"FUSE without USER", "16.4", func(d *dbr) { d.put(imagetest.Exec("usr/bin/fusermount")) }, []string{"fuse_user"}},
		{"an entry point", "16.4", func(d *dbr) { d.config.Entrypoint = []string{"/init"} }, []string{"(entrypoint)"}},
		{"a command", "16.4", func(d *dbr) { d.config.Cmd = []string{"/bin/bash"} }, []string{"(cmd)"}},
		{"too large", "16.4", func(d *dbr) {
			d.params["size_mb"] = 1
			d.put(imagetest.Text("opt/model", strings.Repeat("x", 1<<20)))
		}, []string{"(size)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDBR(row(t, c.runtime))
			c.spoil(d)
			result := d.judge(t, packs)
			if diff := cmp.Diff(c.want, rules(result)); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, text(result.Findings))
			}
			blocks := slices.ContainsFunc(c.want, func(id string) bool { return id[0] != '(' })
			if want := map[bool]verdict.Verdict{true: verdict.Fail, false: verdict.Pass}[blocks]; result.Verdict != want {
				t.Errorf("verdict %s, want %s", result.Verdict, want)
			}
		})
	}
}

// newGPU is a good image for a node with a GPU: both packs have nothing to say of it.
func newGPU(t *testing.T) *dbr {
	t.Helper()
	d := newDBR(row(t, "14.3"))
	d.env["CUDA_VERSION"], d.env["NVIDIA_VISIBLE_DEVICES"] = "11.8.0", "all"
	d.put(
		imagetest.Exec("usr/bin/R"), imagetest.Dir("usr/local/cuda-11.8"), imagetest.Symlink("usr/local/cuda", "cuda-11.8"),
		imagetest.Text("usr/local/cuda-11.8/compat/libcuda.so.520.61.05", "for older drivers"),
	)
	return d
}

// TestDatabricksGPU asks both packs, the runtime given to one of them.
func TestDatabricksGPU(t *testing.T) {
	t.Parallel()
	packs := load(t, "databricks", "databricks-gpu")
	for _, c := range []struct {
		name  string
		spoil func(*dbr)
		want  []string
	}{
		{"nothing", func(*dbr) {}, []string{}},
		{"no CUDA", func(d *dbr) { delete(d.env, "CUDA_VERSION"); d.drop("usr/local/cuda", "usr/local/cuda-11.8") }, []string{"databricks-gpu.cuda"}},
		{"an old CUDA", func(d *dbr) {
			d.env["CUDA_VERSION"] = "11.0.3"
			d.drop("usr/local/cuda", "usr/local/cuda-11.8")
		}, []string{"databricks-gpu.cuda_runtime"}},
		{"two", func(d *dbr) { d.put(imagetest.Dir("usr/local/cuda-12.1")) }, []string{"databricks-gpu.cuda_one"}},
		{"a runtime that nothing pairs", func(d *dbr) {
			*d = *newDBR(row(t, "9.1"))
			d.env["CUDA_VERSION"] = "11.0.3"
			d.put(imagetest.Exec("usr/bin/R"))
		}, []string{"(databricks-gpu.cuda_unpaired)"}},
		{"the driver's library", func(d *dbr) { d.put(imagetest.Text("usr/lib/x86_64-linux-gnu/libcuda.so.535.54.03", "x")) }, []string{"databricks-gpu.driver"}},
		{"the driver's command", func(d *dbr) { d.put(imagetest.Exec("usr/bin/nvidia-smi")) }, []string{"databricks-gpu.driver"}},
		{"the driver's package", func(d *dbr) {
			d.put(imagetest.Text("var/lib/dpkg/status", "Package: libnvidia-compute-535\nStatus: install ok installed\nArchitecture: amd64\nVersion: 535.54.03\n\n"))
		}, []string{"databricks-gpu.driver"}},
		{"no R", func(d *dbr) { d.drop("usr/bin/R") }, []string{"databricks-gpu.r"}},
		{"no bash", func(d *dbr) { d.drop("usr/bin/bash") }, []string{"bash"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newGPU(t)
			c.spoil(d)
			result := d.judge(t, packs)
			if diff := cmp.Diff(c.want, rules(result)); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, text(result.Findings))
			}
		})
	}
}

// TestDatabricksGPURefuses asks the pack for GPUs alone: it refuses what no cluster of whatever kind takes, as the other does.
func TestDatabricksGPURefuses(t *testing.T) {
	t.Parallel()
	packs := load(t, "databricks-gpu")
	for runtime, want := range map[string]string{
		"16.4": "", "6.1": "", "16.4.x-gpu-ml-scala2.12": "one for machine learning", "7.3.x-hls-scala2.12": "one for genomics", "15.4.x-aarch64-scala2.12": "for ARM", "6.0": "from 6.1 on", "5.5": "from 6.1 on", "latest": "no version",
	} {
		err := check.Accept(t.Context(), packs, map[string]map[string]any{"databricks-gpu": {"runtime": runtime}})
		if want == "" && err != nil || want != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", runtime, err, want)
		}
	}
}

// TestDatabricksBare asks about images with nothing at all: the rules must have an answer for them too.
func TestDatabricksBare(t *testing.T) {
	t.Parallel()
	packs := load(t, "databricks", "databricks-gpu")
	for _, r := range dbrRows {
		d := &dbr{architecture: "amd64", params: map[string]any{"runtime": r.runtime}}
		if result := d.judge(t, packs); result.Verdict != verdict.Fail || len(result.Findings) < 8 {
			t.Errorf("%s: %s\n%s", r.runtime, result.Verdict, text(result.Findings))
		}
	}
}

// TestDatabricksRefuses shows what is wrong with parameters before there is an image, and that judging says the same.
func TestDatabricksRefuses(t *testing.T) {
	t.Parallel()
	packs := load(t, "databricks", "databricks-gpu")
	for _, c := range []struct {
		params map[string]any
		want   string
	}{
		{map[string]any{"runtime": "16.4.x-scala2.12"}, ""},
		{nil, "must be told its parameter runtime"},
		{map[string]any{"runtime": 16.4}, `put it in quotes, as in "16.4"`},
		{map[string]any{"runtime": "16.4.x-gpu-ml-scala2.12"}, "one for machine learning"},
		{map[string]any{"runtime": "7.3.x-hls-scala2.12"}, "one for genomics"},
		{map[string]any{"runtime": "16.4.x-aarch64-scala2.12"}, "for ARM processors"},
		{map[string]any{"runtime": "5.5"}, "too old: containers are taken from 6.1 on"},
		{map[string]any{"runtime": "16.2"}, "Did you mean 16.4?"},
		{map[string]any{"runtime": "17.3", "java": 8}, "does not run on Java 8"},
		{map[string]any{"runtime": "16.4", "parts": []any{"pyhton"}}, "Known are fuse, python, r, ssh"},
		{map[string]any{"runtime": "16.4", "distribution": "Debian 12"}, "not written like debian or debian:12"},
	} {
		params := map[string]map[string]any{"databricks": c.params}
		early := check.Accept(t.Context(), packs, params)
		_, late := check.Run(t.Context(), check.Input{Facts: plain(t), Now: now, Params: params}, packs, nil)
		for when, err := range map[string]error{"early": early, "late": late} {
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %v: %v", when, c.params, err)
			case c.want != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s: %v: %v, want %q", when, c.params, err, c.want)
			}
		}
	}
}
