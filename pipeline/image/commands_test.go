package image_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

func targets(commands map[string]image.CommandFact) map[string]string {
	out := map[string]string{}
	for name, command := range commands {
		out[name] = command.Path + " " + command.Target
	}
	return out
}

func TestCommands(t *testing.T) {
	t.Parallel()
	exec, link, text := imagetest.Exec, imagetest.Symlink, imagetest.Text
	private := func(name string, mode int64, uid, gid int) imagetest.File {
		return imagetest.File{Path: name, Mode: mode, UID: uid, GID: gid, Body: "x"}
	}
	for name, test := range map[string]struct {
		config v1.Config
		layers []imagetest.Blob
		want   map[string]string // name: path and target
	}{
		"default PATH, first folder first": {
			layers: []imagetest.Blob{imagetest.Layer(exec("bin/a"), exec("usr/local/bin/a"), exec("opt/b"))},
			want:   map[string]string{"a": "/usr/local/bin/a /usr/local/bin/a"},
		},
		"the configuration's PATH": {
			config: v1.Config{Env: []string{"PATH=/opt:/no/such::/bin/a"}},
			layers: []imagetest.Blob{imagetest.Layer(exec("bin/a"), exec("opt/b"))},
			want:   map[string]string{"b": "/opt/b /opt/b"},
		},
		"a relative folder starts at the working folder": {
			config: v1.Config{Env: []string{"PATH=tools"}, WorkingDir: "/srv"},
			layers: []imagetest.Blob{imagetest.Layer(exec("srv/tools/a"))},
			want:   map[string]string{"a": "/srv/tools/a /srv/tools/a"},
		},
		"usrmerge": {
			config: v1.Config{Env: []string{"PATH=/bin"}},
			layers: []imagetest.Blob{imagetest.Layer(link("bin", "usr/bin"), exec("usr/bin/a")), imagetest.Layer(exec("bin/b"))},
			want:   map[string]string{"a": "/bin/a /usr/bin/a", "b": "/bin/b /usr/bin/b"},
		},
		"alternatives": {
			layers: []imagetest.Blob{imagetest.Layer(exec("usr/lib/jvm/x/bin/java"), link("etc/alternatives/java", "/usr/lib/jvm/x/bin/java"), link("usr/bin/java", "/etc/alternatives/java"))},
			want:   map[string]string{"java": "/usr/bin/java /usr/lib/jvm/x/bin/java"},
		},
		"an alternative that a later layer breaks": {
			layers: []imagetest.Blob{
				imagetest.Layer(exec("usr/lib/jvm/x/bin/java"), link("etc/alternatives/java", "/usr/lib/jvm/x/bin/java"), link("usr/bin/java", "/etc/alternatives/java")),
				imagetest.Layer(imagetest.Whiteout("usr/lib/jvm")),
			},
			want: map[string]string{},
		},
		"no exec bit, no file: the next folder counts": {
			layers: []imagetest.Blob{imagetest.Layer(text("usr/bin/a", "x"), imagetest.Dir("usr/bin/b"), link("usr/bin/c", "nowhere"), exec("bin/a"), exec("bin/b"), exec("bin/c"))},
			want:   map[string]string{"a": "/bin/a /bin/a", "b": "/bin/b /bin/b", "c": "/bin/c /bin/c"},
		},
		"hard links and whiteouts": {
			layers: []imagetest.Blob{imagetest.Layer(exec("bin/a"), imagetest.Hardlink("bin/b", "bin/a"), exec("bin/c")), imagetest.Layer(imagetest.Whiteout("bin/a"))},
			want:   map[string]string{"b": "/bin/b /bin/b", "c": "/bin/c /bin/c"},
		},
		"what the user may run": {
			config: v1.Config{User: "spark:tools", Env: []string{"PATH=/bin:/root/bin"}},
			layers: []imagetest.Blob{imagetest.Layer(
				text("etc/passwd", "spark:x:185:185::/:/bin/sh\n"), text("etc/group", "tools:x:50:\nextra:x:60:spark\n"),
				private("bin/own", 0o700, 185, 0), private("bin/own-not", 0o077, 185, 0), private("bin/group", 0o710, 0, 50),
				private("bin/extra", 0o710, 0, 60), private("bin/others", 0o701, 0, 0), private("bin/roots", 0o750, 0, 0),
				imagetest.Dir("root", 0o700), exec("root/bin/hidden"), link("bin/into-root", "/root/bin/hidden"),
			)},
			want: map[string]string{"own": "/bin/own /bin/own", "group": "/bin/group /bin/group", "extra": "/bin/extra /bin/extra", "others": "/bin/others /bin/others"},
		},
		"root may": {
			config: v1.Config{Env: []string{"PATH=/bin"}},
			layers: []imagetest.Blob{imagetest.Layer(private("bin/own", 0o100, 185, 0), imagetest.Dir("root", 0o700), exec("root/bin/hidden"), link("bin/into-root", "/root/bin/hidden"))},
			want:   map[string]string{"own": "/bin/own /bin/own", "into-root": "/bin/into-root /root/bin/hidden"},
		},
		"an unknown user": {
			config: v1.Config{User: "ghost", Env: []string{"PATH=/bin"}},
			layers: []imagetest.Blob{imagetest.Layer(private("bin/a", 0o100, 0, 0))},
			want:   map[string]string{"a": "/bin/a /bin/a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, read(t, imagetest.Image(t, test.config, test.layers...)))
			if diff := cmp.Diff(test.want, targets(f.Commands)); diff != "" {
				t.Errorf("commands differ (-want +got):\n%s", diff)
			}
			if f.UserPath != nil {
				t.Errorf("a user's PATH is found: %+v", f.UserPath)
			}
		})
	}
}

func TestUserPath(t *testing.T) {
	t.Parallel()
	text := imagetest.Text
	passwd := text("etc/passwd", "root:x:0:0::/root:/bin/bash\nspark:x:185:0::/home/spark:/bin/sh\n")
	config := []string{"PATH=/usr/bin", "SPARK_HOME=/opt/spark"}
	for name, test := range map[string]struct {
		user   string
		files  []imagetest.File
		want   []string
		source string
	}{
		"environment":              {"", []imagetest.File{text("etc/environment", "PATH=\"/opt/bin:/usr/bin\"\nSECRET=x\n")}, []string{"/opt/bin", "/usr/bin"}, "/etc/environment"},
		"profile adds":             {"spark", []imagetest.File{text("home/spark/.profile", "export PATH=$PATH:${SPARK_HOME}/bin:~/bin # mine\n")}, []string{"/usr/bin", "/opt/spark/bin", "/home/spark/bin"}, "/home/spark/.profile"},
		"both":                     {"185", []imagetest.File{text("etc/environment", "PATH=/a\n"), text("home/spark/.profile", "PATH=\"/b:$PATH\"\n")}, []string{"/b", "/a"}, "/home/spark/.profile"},
		"bash reads one profile":   {"root", []imagetest.File{text("root/.bash_profile", "true\n"), text("root/.profile", "PATH=/no\n"), text("root/.bashrc", "JAVA_HOME=/opt/java\nexport PATH=$JAVA_HOME/bin:$PATH\n")}, []string{"/opt/java/bin", "/usr/bin"}, "/root/.bashrc"},
		"sh reads no bashrc":       {"spark", []imagetest.File{text("home/spark/.bashrc", "PATH=/no\n")}, nil, ""},
		"one line":                 {"spark", []imagetest.File{text("home/spark/.profile", "[ -d /x ] && PATH=/x:$PATH; export PATH\n")}, []string{"/x", "/usr/bin"}, "/home/spark/.profile"},
		"what only a shell knows":  {"spark", []imagetest.File{text("home/spark/.profile", "PATH=$(npm bin):`pwd`:$UNKNOWN/bin:/y\n")}, []string{"/y"}, "/home/spark/.profile"},
		"commented":                {"spark", []imagetest.File{text("home/spark/.profile", "# PATH=/no\n")}, nil, ""},
		"the same PATH":            {"spark", []imagetest.File{text("home/spark/.profile", "PATH=/usr/bin\n")}, nil, ""},
		"growing without end":      {"spark", []imagetest.File{text("home/spark/.profile", "A_HOME=/xxxxxxxxxxxxxxx\n"+repeat("A_HOME=$A_HOME$A_HOME\nPATH=$PATH:$PATH\n", 200))}, nil, ""},
		"a profile behind a link":  {"spark", []imagetest.File{text("etc/skel/.profile", "PATH=/skel\n"), imagetest.Symlink("home/spark", "/etc/skel")}, []string{"/skel"}, "/home/spark/.profile"},
		"another user's is no one": {"spark", []imagetest.File{text("root/.profile", "PATH=/no\n")}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := imagetest.Image(t, v1.Config{User: test.user, Env: config}, imagetest.Layer(append(test.files, passwd, imagetest.Exec("opt/bin/tool"))...))
			f := facts(t, read(t, img))
			if f.UserPath == nil {
				if test.want != nil {
					t.Error("no PATH of the user is found")
				}
				return
			}
			if diff := cmp.Diff(test.want, f.UserPath.Path); diff != "" || f.UserPath.Source != test.source {
				t.Errorf("set by %s (-want +got):\n%s", f.UserPath.Source, diff)
			}
			if _, ok := f.UserCommands["tool"]; ok != (name == "environment") {
				t.Errorf("user_commands = %v", f.UserCommands)
			}
		})
	}
}

func repeat(text string, n int) (out string) {
	for range n {
		out += text
	}
	return out
}

func TestJava(t *testing.T) {
	t.Parallel()
	exec, link, text := imagetest.Exec, imagetest.Symlink, imagetest.Text
	for name, test := range map[string]struct {
		files []imagetest.File
		want  []image.JavaFact
	}{
		"none":                {nil, []image.JavaFact{}},
		"only a release file": {[]imagetest.File{text("opt/x/release", "JAVA_VERSION=\"17\"\n")}, []image.JavaFact{}},
		"a command is no home": {
			[]imagetest.File{exec("usr/bin/java")}, []image.JavaFact{},
		},
		"without release": {
			[]imagetest.File{exec("opt/jdk/bin/java")}, []image.JavaFact{{Home: "/opt/jdk"}},
		},
		"JDK 8 with its JRE": {
			[]imagetest.File{
				exec("opt/jdk8/jre/bin/java"), link("opt/jdk8/bin/java", "../jre/bin/java"), text("opt/jdk8/release", "JAVA_VERSION=\"1.8.0_191\"\n"),
				link("usr/bin/java", "/opt/jdk8/jre/bin/java"),
			},
			[]image.JavaFact{{Home: "/opt/jdk8", Version: "1.8.0_191", OnPath: true}},
		},
		"two, one on PATH": {
			[]imagetest.File{
				exec("opt/a/bin/java"), text("opt/a/release", "JAVA_VERSION='11.0.2'\nIMPLEMENTOR=Eclipse\n"),
				exec("opt/b/bin/java"), text("opt/b/release", "JAVA_VERSION=\"21\"\n"), link("usr/bin/java", "../../opt/b/bin/java"),
			},
			[]image.JavaFact{{Home: "/opt/a", Version: "11.0.2", Vendor: "Eclipse"}, {Home: "/opt/b", Version: "21", OnPath: true}},
		},
		"not executable": {[]imagetest.File{text("opt/a/bin/java", "x")}, []image.JavaFact{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := facts(t, read(t, imagetest.Image(t, v1.Config{}, imagetest.Layer(test.files...)))).Java
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("java differs (-want +got):\n%s", diff)
			}
		})
	}
}
