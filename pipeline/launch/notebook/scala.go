package notebook

import "strings"

// scalaPreamble is what Spark's shell is told first: how to run code that comes as base64. The code goes to the shell's
// own interpreter, so that its names stay; what that says of it stands in the output.
//
// An interrupt cancels the jobs that the command has begun, and the command's thread where it does not come back from
// that: what it waits for ends, and the shell goes on. A loop that neither waits nor asks Spark for something hears of
// neither. The jobs go first, for a thread that is interrupted closes the files that it reads.
func scalaPreamble(mark string) string {
	return strings.NewReplacer("MARK", mark, "BEGINS", begins, "\n", " ").Replace(scalaKept) + "\n"
}

const scalaKept = `object HallmarkKept {
def say(text: String): Unit = { Console.out.flush(); System.out.flush(); System.err.flush(); System.out.println("\u001eMARK " + text); System.out.flush() };
def json(value: AnyRef): String = new com.fasterxml.jackson.databind.ObjectMapper().writeValueAsString(value);
def obj(pairs: (String, AnyRef)*): java.util.Map[String, AnyRef] = { val m = new java.util.LinkedHashMap[String, AnyRef](); pairs.foreach(p => m.put(p._1, p._2)); m };
def list(all: Seq[AnyRef]): java.util.List[AnyRef] = { val l = new java.util.ArrayList[AnyRef](); all.foreach(x => l.add(x)); l };
def cell(value: Any): AnyRef = value match {
case null => null;
case d: Double if d.isNaN || d.isInfinite => d.toString;
case n: java.lang.Integer => n; case n: java.lang.Long => n; case n: java.lang.Double => n; case n: java.lang.Float => n;
case n: java.lang.Short => n; case n: java.lang.Byte => n; case b: java.lang.Boolean => b;
case other => other.toString };
val sessions = new java.util.HashMap[String, org.apache.spark.sql.SparkSession]();
def session(of: String): org.apache.spark.sql.SparkSession = {
val own = org.apache.spark.sql.SparkSession.active;
if (of.isEmpty) own else { if (!sessions.containsKey(of)) sessions.put(of, own.newSession()); sessions.get(of) } };
def sql(text: String, of: String): AnyRef = {
val frame = session(of).sql(text);
val rows = frame.take(1001);
obj("kind" -> "table", "truncated" -> java.lang.Boolean.valueOf(rows.length > 1000),
"schema" -> list(frame.schema.fields.toSeq.map(f => obj("name" -> f.name, "type" -> f.dataType.json))),
"rows" -> list(rows.take(1000).toSeq.map(r => list(r.toSeq.map(v => cell(v)))))) };
def failed(error: Throwable): AnyRef = {
val text = new java.io.StringWriter(); error.printStackTrace(new java.io.PrintWriter(text));
obj("kind" -> "error", "text" -> text.toString, "summary" -> error.toString) };
@volatile var runner: Thread = null; @volatile var count = 0L;
def context: Option[org.apache.spark.SparkContext] = org.apache.spark.sql.SparkSession.getDefaultSession.map(_.sparkContext);
def group = "MARK-" + count;
def stop(): Unit = {
val stopped = synchronized { if (runner == null) -1L else { context.foreach(_.cancelJobGroup(group)); count } };
var left = 20;
while (stopped >= 0 && left > 0 && runner != null && count == stopped) { Thread.sleep(50); left -= 1 };
synchronized { if (runner != null && count == stopped) runner.interrupt() } };
sun.misc.Signal.handle(new sun.misc.Signal("INT"), new sun.misc.SignalHandler { def handle(signal: sun.misc.Signal): Unit = {
val stopping = new Thread(new Runnable { def run(): Unit = stop() }); stopping.setDaemon(true); stopping.start() } });
def run(language: String, parts: String*): Unit = {
synchronized { count += 1; runner = Thread.currentThread };
context.foreach(_.setJobGroup(group, "a command", true));
say("BEGINS");
val answer: AnyRef = try {
val code = new String(java.util.Base64.getDecoder.decode(parts.mkString), "UTF-8");
if (language.startsWith("sql")) sql(code, language.drop(4))
else { val result = org.apache.spark.repl.Main.interp.intp.interpret(code).toString;
if (result == "Success") obj("kind" -> "text") else if (result == "Incomplete") obj("kind" -> "error", "text" -> "error: the code is incomplete") else obj("kind" -> "error") }
} catch { case error: Throwable => failed(error) } finally { synchronized { runner = null; Thread.interrupted() }; context.foreach(_.clearJobGroup()) };
say(json(answer)) } }`
