//go:build real

package real

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

// ask puts commands in each language, which know of each other where they should.
func (w *workspace) ask(t *testing.T, id string) {
	t.Helper()
	contexts := map[compute.Language]executionContext{}
	for _, test := range []struct {
		language compute.Language
		code     string
		failed   bool
		want     string
	}{
		{compute.LanguagePython, "x = spark.range(1000).count()", false, ""},
		{compute.LanguagePython, "import os; print('rows', x, spark.conf.get('spark.master'), spark.conf.get('spark.sql.shuffle.partitions'), os.environ['GREETING'])", false, "rows 1000 local[*] 3 hello from outside"},
		{compute.LanguagePython, "from pyspark.sql.functions import udf\nspark.range(3).select(udf(lambda x: '=' + str(x * 2))('id').alias('d')).collect()", false, "d='=4'"},
		{compute.LanguagePython, "%sh cat /var/told; id -u", false, "uid 0 TRUE\n0"},
		{compute.LanguagePython, "%pip install /dbfs/wheels/tiny_tool-1.0-py3-none-any.whl", false, "Successfully installed tiny-tool-1.0"},
		{compute.LanguagePython, "import tiny_tool; print(tiny_tool.VERSION, x)", false, "one point oh 1000"},
		{compute.LanguagePython, "%pip install no-such-package", true, "pip install ended with exit code"},
		{compute.LanguagePython, "1 / 0", true, "ZeroDivisionError"},
		{compute.LanguageScala, "val y = spark.range(10).collect().map(_.toLong).sum", false, "y: Long = 45"},
		{compute.LanguageScala, `println("sum " + (y + 1)); spark.range(5).createOrReplaceTempView("five")`, false, "sum 46"},
		{compute.LanguageScala, "val z = y +\n  1\nprintln(\"lines \" + z)", false, "lines 46"},
		{compute.LanguageScala, "case class A(n: Long)", false, "defined class A"},
		{compute.LanguageScala, "spark.range(3).as[Long].map(n => A(n * y)).collect().map(_.n).sum", false, "Long = 135"},
		{compute.LanguageScala, `sys.error("boom " + y)`, true, "RuntimeException: boom 45"},
		{compute.LanguageScala, "nosuch", true, "error: not found: value nosuch"},
		{compute.LanguageScala, "def f(", true, "incomplete"},
		{compute.LanguageSql, "SELECT sum(id) AS total, 'a' AS letter FROM range(100)", false, "[[4950 a]]"},
		{compute.LanguageSql, "SELECT CAST(1.5 AS DECIMAL(3,1)) AS d, NULL AS n", false, "[[1.5 <nil>]]"},
		{compute.LanguageSql, "SELECT nothing", true, "nothing"},
		// The context borrows Scala's shell, and has views of its own in it.
		{compute.LanguageSql, "SELECT * FROM five", true, "five"},
		{compute.LanguageSql, "CREATE TEMPORARY VIEW mine AS SELECT 7 AS n", false, ""},
		{compute.LanguageScala, `spark.sql("SELECT * FROM mine")`, true, "mine"},
		{compute.LanguageScala, `spark.sql("SELECT * FROM five").count()`, false, "Long = 5"},
	} {
		in, made := contexts[test.language]
		if !made {
			wait, err := w.commands.Create(t.Context(), compute.CreateContext{ClusterId: id, Language: test.language})
			if err != nil {
				t.Fatal(err)
			}
			begun, err := wait.Get()
			if err != nil {
				t.Fatal(err)
			}
			in = executionContext{w, id, begun.Id, test.language}
			contexts[test.language] = in
		}
		started := time.Now()
		got, err := in.run(t, test.code)
		if err != nil {
			t.Fatalf("%s: %v", test.code, err)
		}
		if said := fmt.Sprint(got.Data, got.Summary, got.Cause); got.Failed() != test.failed || !strings.Contains(said, test.want) {
			t.Errorf("%s: got %+v, want %q", test.code, got, test.want)
		}
		t.Logf("%-7s %5.1fs %s", test.language, time.Since(started).Seconds(), test.code)
	}
	for _, test := range []struct {
		language compute.Language
		code     string
		then     string // what the context still knows
		want     string
	}{
		{compute.LanguagePython, "import time; time.sleep(600)", "print(x)", "1000"},
		{compute.LanguageScala, "Thread.sleep(600000)", "println(spark.range(y).count() + 1)", "46"},
		{compute.LanguageScala, "spark.range(4).foreach { (n: java.lang.Long) => Thread.sleep(600000) }", "println(spark.range(y).count() + 2)", "47"},
		{compute.LanguageSql, "SELECT count(*) FROM range(1000000000000) WHERE id * id % 7 = 3", "SELECT n + 1 FROM mine", "[[8]]"},
	} {
		in := contexts[test.language]
		in.cancel(t, test.code)
		got, err := in.run(t, test.then)
		if err != nil || got.Failed() || !strings.Contains(fmt.Sprint(got.Data), test.want) {
			t.Errorf("after %q was cancelled: %+v, %v; want %q", test.code, got, err, test.want)
		}
	}
	if err := contexts[compute.LanguageScala].destroy(t); err != nil {
		t.Error(err)
	}
	if got, err := contexts[compute.LanguageSql].run(t, "SELECT n FROM mine"); err != nil || !strings.Contains(fmt.Sprint(got.Data), "[[7]]") {
		t.Errorf("after the context whose shell it borrows was destroyed: %+v, %v", got, err)
	}
	delete(contexts, compute.LanguageScala)
	if _, err := w.commands.Start(t.Context(), id, compute.LanguageR); err == nil {
		t.Error("an image without R has a context for R")
	}
	for _, in := range contexts {
		if err := in.destroy(t); err != nil {
			t.Error(err)
		}
	}
}
