package databricks

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

// packed is text that is safe between quotation marks in any language.
func packed(value any) string {
	body, _ := json.Marshal(value) // texts always can be
	return base64.StdEncoding.EncodeToString(body)
}

const (
	codeMark = "hallmark: exit code "
	lackMark = "hallmark: no such command"
)

// longestSaid is how much of a program's output comes back: its end. The platform cuts long results, and output cuts the
// rest: the exit code, which comes first, must survive both.
const longestSaid = mostText - 64<<10

// commandCode runs a program with Python: no shell, both streams as one, its exit code before them.
func commandCode(args []string) string {
	return `import base64, json, subprocess, sys
def hallmark_run(args):
    try:
        done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except (FileNotFoundError, PermissionError, NotADirectoryError) as e:
        print(e)
        print("` + lackMark + `")
        return
    print("` + codeMark + `" + str(done.returncode))
    sys.stdout.write(done.stdout[-` + strconv.Itoa(longestSaid) + `:].decode("utf-8", "replace"))
hallmark_run(json.loads(base64.b64decode("` + packed(args) + `")))
`
}

// commandScala is commandCode for images without Python.
func commandScala(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = `new String(java.util.Base64.getDecoder.decode("` + base64.StdEncoding.EncodeToString([]byte(arg)) + `"), "UTF-8")`
	}
	return `(try {
  val builder = new ProcessBuilder(` + strings.Join(words, ", ") + `)
  builder.redirectErrorStream(true)
  Some(builder.start())
} catch { case e: java.io.IOException => println(e.getMessage); println("` + lackMark + `"); None }) match {
  case Some(process) =>
    process.getOutputStream.close()
    val codec = scala.io.Codec("UTF-8").onMalformedInput(java.nio.charset.CodingErrorAction.REPLACE) // whatever it prints is no error of the program's
    val said = scala.io.Source.fromInputStream(process.getInputStream)(codec).mkString
    println("` + codeMark + `" + process.waitFor())
    print(said.takeRight(` + strconv.Itoa(longestSaid/4) + `))
  case None =>
}
`
}

var codeLine = regexp.MustCompile(codeMark + `(-?\d+)(?:\r?\n|$)`)

// ofCommand takes a program's exit code out of what the code around it printed.
func ofCommand(out launch.Output) launch.Output {
	first := codeLine.FindStringSubmatchIndex(out.Text) // the program may print such a line, too, but later
	if first == nil {
		if before, _, found := strings.Cut(out.Text, lackMark); found {
			return launch.Output{Text: before, NoCommand: true}
		}
		out.ExitCode = 1
		return out
	}
	code, _ := strconv.Atoi(out.Text[first[2]:first[3]])
	if code < 0 { // Python's way to name a signal
		code = 128 - code
	}
	return launch.Output{Text: out.Text[:first[0]] + out.Text[first[1]:], ExitCode: code}
}

// pipLine is the command of a notebook.
func pipLine(from string, packages []string) string {
	words := []string{"%pip", "install"}
	switch {
	case strings.HasSuffix(from, ".whl"):
		words = append(words, quote(from))
	case from != "":
		words = append(words, "--no-index", "--find-links", quote(from))
	}
	for _, p := range packages {
		words = append(words, quote(p))
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,~-]+$`)

func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'"
}

// pipFailed is what a notebook says of an installation that did not work out, where the command itself does not fail.
var pipFailed = regexp.MustCompile(`(?m)^ERROR: (?:Could not|No matching|Cannot|Invalid|Failed|Command errored|Ignored)|CalledProcessError|The token '%pip'|invalid syntax`)

// fuseCode looks into a mounted folder and, where asked, writes there and reads it back.
func fuseCode(path string, write bool) string {
	code := `import base64, json, os, uuid
def hallmark_fuse(path, write):
    names = os.listdir(path)
    print(path + " holds " + str(len(names)) + " names: " + ", ".join(sorted(names)[:10]))
    if write:
        file = os.path.join(path, ".hallmark-" + uuid.uuid4().hex)
        text = uuid.uuid4().hex
        try:
            with open(file, "w") as f:
                f.write(text)
            with open(file) as f:
                if f.read() != text:
                    raise RuntimeError("what was written to " + path + " is not what is read there")
        finally:
            if os.path.exists(file):
                os.remove(file)
        print("written to " + path + " and read back")
hallmark_fuse(json.loads(base64.b64decode("` + packed(path) + `")), `
	if write {
		return code + "True)\n"
	}
	return code + "False)\n"
}

// gpuCode asks the driver's tool, and then has the GPU really hold something: memory there is written and read back.
const gpuCode = `import ctypes, subprocess
def hallmark_gpu():
    smi = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = smi.stdout.decode("utf-8", "replace").strip()
    print("nvidia-smi: " + text)
    if smi.returncode != 0:
        raise RuntimeError("nvidia-smi ended with exit code " + str(smi.returncode))
    cuda = ctypes.CDLL("libcuda.so.1")
    def call(name, *args):
        code = getattr(cuda, name)(*args)
        if code != 0:
            raise RuntimeError("CUDA: " + name + " failed with error " + str(code))
    call("cuInit", 0)
    version, count, device = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    call("cuDriverGetVersion", ctypes.byref(version))
    call("cuDeviceGetCount", ctypes.byref(count))
    if count.value < 1:
        raise RuntimeError("CUDA finds no device")
    call("cuDeviceGet", ctypes.byref(device), 0)
    context, memory = ctypes.c_void_p(), ctypes.c_uint64()
    call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
    try:
        size = 1 << 20
        call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(size))
        call("cuMemsetD8_v2", memory, ctypes.c_ubyte(42), ctypes.c_size_t(size))
        back = (ctypes.c_ubyte * size)()
        call("cuMemcpyDtoH_v2", back, memory, ctypes.c_size_t(size))
        if bytes(back) != bytes([42]) * size:
            raise RuntimeError("CUDA: memory of the device does not hold what was written to it")
        call("cuMemFree_v2", memory)
    finally:
        cuda.cuCtxDestroy_v2(context)
    print("CUDA " + str(version.value // 1000) + "." + str(version.value % 1000 // 10) + ", " + str(count.value) + " device(s): memory written and read back")
hallmark_gpu()
`
