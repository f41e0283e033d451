package notebook

// pythonHarness reads commands, one line of JSON each, and runs them in one namespace. The value of a last expression is
// shown; display shows a table; %pip installs into an environment of the context's own, made as the platform makes it;
// %sh runs a shell. A session of Spark is made when spark is first named.
const pythonHarness = `
import ast, glob, importlib, json, linecache, os, shlex, signal, subprocess, sys, tempfile, traceback

home, mark = sys.argv[1], sys.argv[2]
sys.argv = [""]
own = os.path.join(home, "python")
sys.path[:0] = [own] + glob.glob(os.path.join(own, "lib", "*.zip"))
commands = os.fdopen(os.dup(0), "r", encoding="utf-8")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
state = {"count": 0, "running": False, "shown": None, "venv": None}

def interrupted(number, frame):
    if state["running"]:
        raise KeyboardInterrupt()

signal.signal(signal.SIGINT, interrupted)

def session():
    # What the JVM says is for the driver's log, not for the command that happens to start it.
    log = os.path.join(tempfile.gettempdir(), "hallmark-driver-%d.log" % os.getpid())
    kept = [os.dup(1), os.dup(2)]
    sys.stdout.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    made = None
    try:
        from pyspark.sql import SparkSession
        made = SparkSession.builder.appName("hallmark").master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    finally:
        for number, before in enumerate(kept, 1):
            os.dup2(before, number)
            os.close(before)
        os.close(file)
        if made is None:
            with open(log, errors="replace") as said:
                sys.stderr.write(said.read()[-8000:])
    if state["venv"]:
        made.sparkContext.pythonExec = os.path.join(state["venv"], "bin", "python")
    signal.signal(signal.SIGINT, interrupted)
    return made

class Names(dict):
    def __missing__(self, name):
        if name == "spark":
            self["spark"] = session()
        elif name == "sc":
            self["sc"] = self["spark"].sparkContext
        elif name == "sqlContext":
            self["sqlContext"] = self["spark"]
        else:
            raise KeyError(name)
        return self[name]

def cell(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and value not in (float("inf"), float("-inf")) else str(value)
    return str(value)

def table(frame, most=1000):
    if not hasattr(frame, "schema") and hasattr(frame, "iterrows"):
        rows = [[cell(v.item() if hasattr(v, "item") else v) for v in row] for row in frame.head(most).itertuples(index=False)]
        return {"kind": "table", "rows": rows, "schema": [{"name": str(n), "type": json.dumps(str(t))} for n, t in frame.dtypes.items()], "truncated": len(frame) > most}
    found = frame.take(most + 1)
    schema = [{"name": f.name, "type": f.dataType.json()} for f in frame.schema.fields]
    return {"kind": "table", "rows": [[cell(v) for v in row] for row in found[:most]], "schema": schema, "truncated": len(found) > most}

def display(value, *more, **others):
    if hasattr(value, "schema") or hasattr(value, "iterrows"):
        state["shown"] = table(value)
    else:
        print(value)

names = Names(__name__="__main__", __builtins__=__builtins__, display=display)

class Ended(Exception):
    pass

def pip(words):
    if state["venv"] is None:
        venv = os.path.join(tempfile.mkdtemp(prefix="hallmark-"), "env")
        try:
            import virtualenv
            made = subprocess.call([sys.executable, "-m", "virtualenv", "--quiet", "--no-download", "--system-site-packages", venv])
        except ImportError:
            made = subprocess.call([sys.executable, "-m", "venv", "--system-site-packages", venv])
        if made != 0:
            raise Ended("the Python of the image cannot make a virtual environment, which %pip needs")
        state["venv"] = venv
    python = os.path.join(state["venv"], "bin", "python")
    # What the notebook sees of the image's own environment, pip is to see, too.
    seen = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")
    code = subprocess.call([python, "-m", "pip"] + words, env=seen)
    if code != 0:
        raise Ended("pip %s ended with exit code %d" % (words[0] if words else "", code))
    for path in glob.glob(os.path.join(state["venv"], "lib", "python*", "site-packages")):
        if path not in sys.path:
            sys.path.insert(0, path)
    importlib.invalidate_caches()
    os.environ["PYSPARK_PYTHON"] = python
    if "spark" in names:
        names["spark"].sparkContext.pythonExec = python
    print("Note: you may need to restart the kernel to use updated packages.")

def shell(words, text):
    options = shlex.split(words)
    code = subprocess.call(["bash", "-c", text] if "-e" not in options else ["bash", "-e", "-c", text])
    if code != 0 and "-e" in options:
        raise Ended("the shell command ended with exit code %d" % code)

def run(language, code):
    if language == "sql":
        return table(names["spark"].sql(code))
    while True:
        head, _, rest = code.lstrip().partition("\n")
        head = head.strip()
        if head.startswith("%pip"):
            pip(shlex.split(head[4:]))
            code = rest
        elif head.startswith("%sh"):
            first = head[3:].strip()
            if first and first != "-e":
                rest, first = first + "\n" + rest, ""
            shell(first, rest)
            return None
        else:
            break
    name = "<command-%d>" % state["count"]
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    tree = ast.parse(code, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, name, "exec"), names)
    if last is not None:
        value = eval(compile(last, name, "eval"), names)
        if value is not None:
            print("Out[%d]: %r" % (state["count"], value))
    return None

def blamed(error):
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == "<string>":
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    kind, message = type(error).__name__, str(error)
    if isinstance(error, Ended):
        text, kind = message, "Error"
    return {"kind": "error", "text": text, "summary": '<span class="ansi-red-fg">%s</span>: %s' % (kind, message)}

while True:
    try:
        line = commands.readline()
    except KeyboardInterrupt:
        continue
    if not line:
        break
    asked = json.loads(line)
    state["count"] += 1
    state["shown"] = None
    answer = None
    try:
        state["running"] = True
        answer = run(asked["language"], asked["code"])
        state["running"] = False
    except BaseException as error:
        state["running"] = False
        answer = blamed(error)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        pass
    answer = answer or state["shown"] or {"kind": "text"}
    data = ("\x1e%s %s\n" % (mark, json.dumps(answer))).encode()
    while data:
        data = data[os.write(1, data):]
`

// rHarness reads commands, one line of base64 each, and runs them in the global environment.
const rHarness = `
mark <- commandArgs(trailingOnly = TRUE)[1]
input <- file("stdin", "r")
alphabet <- c(LETTERS, letters, 0:9, "+", "/")
plain <- function(text) {
  digits <- match(strsplit(gsub("=", "", text), "")[[1]], alphabet) - 1
  if (length(digits) == 0) return("")
  bits <- as.vector(sapply(digits, function(d) rev(as.integer(intToBits(d))[1:6])))
  bits <- bits[seq_len(8 * (length(bits) %/% 8))]
  intToUtf8(utf8ToInt(rawToChar(packBits(as.vector(matrix(bits, nrow = 8)[8:1, ]), "raw"))))
}
quoted <- function(text) {
  text <- gsub("\\", "\\\\", text, fixed = TRUE)
  text <- gsub("\"", "\\\"", text, fixed = TRUE)
  text <- gsub("\n", "\\n", text, fixed = TRUE)
  text <- gsub("\t", "\\t", text, fixed = TRUE)
  paste0("\"", gsub("[[:cntrl:]]", " ", text), "\"")
}
while (length(line <- readLines(input, n = 1)) > 0) {
  answer <- tryCatch({
    for (expression in parse(text = plain(line))) {
      value <- withVisible(eval(expression, globalenv()))
      if (value$visible) print(value$value)
    }
    "{\"kind\": \"text\"}"
  }, error = function(e) {
    text <- paste0("Error in ", paste(deparse(conditionCall(e)), collapse = " "), " : ", conditionMessage(e))
    paste0("{\"kind\": \"error\", \"text\": ", quoted(text), ", \"summary\": ", quoted(text), "}")
  }, interrupt = function(e) "{\"kind\": \"error\", \"text\": \"interrupted\"}")
  flush(stdout())
  cat("\036", mark, " ", answer, "\n", sep = "")
  flush(stdout())
}
`
