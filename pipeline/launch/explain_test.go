package launch

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, log    string
		reason       string // part of it
		remedy       string // part of it
		surroundings bool
	}{
		{name: "nothing", log: "26/01/01 INFO Master: Started\n\n"},
		{name: "empty"},
		{
			name: "missing class",
			log: "INFO SparkContext: Running Spark\nException in thread \"main\" java.lang.NoClassDefFoundError: org/apache/xbean/asm9/ClassVisitor\n" +
				"\tat java.base/java.lang.ClassLoader.defineClass1(Native Method)\nCaused by: java.lang.ClassNotFoundException: org.apache.xbean.asm9.ClassVisitor\n",
			reason: `the class org/apache/xbean/asm9/ClassVisitor is missing ("Exception in thread "main" java.lang.NoClassDefFoundError: org/apache/xbean/asm9/ClassVisitor")`,
			remedy: "jar",
		},
		{
			name: "class that Spark fails to load", log: "Error: Failed to load class org.apache.spark.examples.SparkPi.\n",
			reason: "the class org.apache.spark.examples.SparkPi is missing", remedy: "jar",
		},
		{
			name: "main class", log: "Error: Could not find or load main class org.apache.spark.launcher.Main\nCaused by: java.lang.ClassNotFoundException: org.apache.spark.launcher.Main\n",
			reason: "the class org.apache.spark.launcher.Main is missing", remedy: "jar",
		},
		{
			name: "new Java", log: "Caused by: java.lang.UnsupportedOperationException: getSubject is not supported\n\tat java.base/javax.security.auth.Subject.getSubject(Subject.java:277)\n",
			reason: "the Java in the image is too new for the Hadoop of this Spark", remedy: "Java version",
		},
		{
			name: "Scala that does not compile", log: "/tmp/hallmark-7.scala:23: error: not found: value nosuch\nprintln(nosuch)\n",
			reason: "the Scala code names nosuch, which there is not", remedy: "Correct the code",
		},
		{
			name: "old Java",
			log: "Error: LinkageError occurred while loading main class org.apache.spark.launcher.Main\n\tjava.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main has been compiled by a more recent version of the Java Runtime " +
				"(class file version 61.0), this version of the Java Runtime only recognizes class file versions up to 52.0\n",
			reason: "the Java in the image is too old for org/apache/spark/launcher/Main", remedy: "JAVA_HOME",
		},
		{
			name: "new Java", log: "java.lang.IllegalAccessError: class org.apache.spark.storage.StorageUtils$ (in unnamed module @0x1) cannot access class sun.nio.ch.DirectBuffer (in module java.base) because module java.base does not export sun.nio.ch\n",
			reason: "too new", remedy: "Java version",
		},
		{name: "heap", log: "java.lang.OutOfMemoryError: Java heap space\n", reason: "Java ran out of memory", remedy: "heap"},
		{name: "threads", log: "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached\n", reason: "no further thread", remedy: "pids"},
		{name: "permission", log: "mkdir: cannot create directory '/opt/spark/work-dir/x': Permission denied\n", reason: "access to /opt/spark/work-dir/x is denied", remedy: "right"},
		{name: "permission of a script", log: "/opt/entrypoint.sh: line 12: /opt/spark/bin/spark-class: Permission denied\n", reason: "denied", remedy: "right"},
		{name: "worker's folder", log: "ERROR Worker: Failed to create work directory /opt/spark/work-dir\n", reason: "access is denied", remedy: "right"},
		{name: "no tini", log: "/opt/entrypoint.sh: line 95: exec: tini: not found\n", reason: "the program tini is missing", remedy: "Install"},
		{name: "tini finds nothing", log: "[FATAL tini (7)] exec nosuch failed: No such file or directory\n", reason: "the program nosuch is missing", remedy: "Install"},
		{name: "library", log: "java: error while loading shared libraries: libz.so.1: cannot open shared object file: No such file or directory\n", reason: "the shared library libz.so.1 is missing", remedy: "package"},
		{name: "file", log: "cat: /etc/spark/conf: No such file or directory\n", reason: "/etc/spark/conf is missing", remedy: "Put it"},
		{name: "no Java", log: "JAVA_HOME is not set\n", reason: "Java was not found", remedy: "JAVA_HOME"},
		{name: "Python module", log: "Traceback (most recent call last):\n  File \"<probe>\", line 1\nModuleNotFoundError: No module named 'pandas'\n", reason: "a Python module is missing", remedy: "Install"},
		{name: "disk", log: "java.io.IOException: No space left on device\n", reason: "the disk under the launch is full", remedy: "disk", surroundings: true},
		{name: "caused by", log: "x\nCaused by: com.acme.StrangeThing: seven\n", reason: `"com.acme.StrangeThing: seven"`},
		{name: "innermost cause", log: "Caused by: com.acme.Outer: 1\nCaused by: com.acme.Inner: 2\n", reason: `"com.acme.Inner: 2"`},
		{name: "Java exception", log: "java.lang.IllegalStateException: Examples jars directory does not exist.\n\tat x\n", reason: "Examples jars directory"},
		{name: "Python exception", log: "ValueError: no\n", reason: `"ValueError: no"`},
		{name: "escapes", log: "\x1b[31mERROR\x1b[0m it \x07broke\u202e\n", reason: `"it �broke�"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Explain(test.log)
			if test.reason == "" && got.Reason != "" || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("reason %q, want %q in it", got.Reason, test.reason)
			}
			if !strings.Contains(got.Remedy, test.remedy) {
				t.Errorf("remedy %q, want %q in it", got.Remedy, test.remedy)
			}
			if got.Surroundings != test.surroundings {
				t.Errorf("surroundings %v", got.Surroundings)
			}
		})
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("Caused by: java.lang.ClassNotFoundException: a.b.C\n\x1b]0;title\x07")
	f.Add("x: /y: Permission denied" + strings.Repeat("\xff", 300))
	f.Fuzz(func(t *testing.T, log string) {
		got := Explain(log)
		for _, text := range []string{got.Reason, LastLine(log)} {
			if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b\x00") || utf8.RuneCountInString(text) > 500 {
				t.Errorf("%q is not one short printable line", text)
			}
		}
	})
}
