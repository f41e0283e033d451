// Command faux is all that an image of the sandbox's tests holds: a static program that plays entry point, Spark's
// scripts and Python by the name it is called by, well or badly as the variable FAUX says. It is the sandbox's helper, too.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == inside.Verb {
		os.Exit(inside.Main(args[1:]))
	}
	switch filepath.Base(os.Args[0]) {
	case "entrypoint":
		entrypoint(args)
	case "spark-class":
		class(args)
	case "spark-submit":
		submit(args)
	case "service":
		serve(":8000", map[string]func() string{"/": func() string { return "hello from " + os.Getenv("HOME") }})
	case "sleep":
		time.Sleep(time.Hour)
	case "id":
		wd, _ := os.Getwd()
		fmt.Println(os.Getuid(), os.Getgid(), wd, os.Getenv("HOME"), os.Getenv("GREETING"), "HALLMARK_SANDBOX="+os.Getenv("HALLMARK_SANDBOX"))
	case "bash":
		bash(args)
	case "echo": // what it reads, line by line; interrupted, it says so and goes on
		echo()
	case "parent": // a child that outlives its parent's signal
		child := exec.Command("/bin/sleep")
		child.Stdout = os.Stdout
		_ = child.Start()
		fmt.Println("child", child.Process.Pid)
		time.Sleep(time.Hour)
	default:
		die(64, "faux: called as %s", os.Args[0])
	}
}

func echo() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		for range interrupted {
			fmt.Println("interrupted")
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println("got", lines.Text(), os.Getenv("MORE"))
	}
	fmt.Println("no more")
	if bad("deaf") {
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	}
}

func die(code int, format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(code)
}

func bad(what string) bool { return slices.Contains(strings.Split(os.Getenv("FAUX"), ","), what) }

func entrypoint(args []string) {
	switch {
	case bad("hang"):
		fmt.Println("waiting for a file that never comes")
		time.Sleep(time.Hour)
	case bad("eat"):
		eat()
	case bad("broken"):
		fmt.Fprintln(os.Stderr, "Error: Could not find or load main class org.apache.spark.launcher.Main")
		os.Exit(1)
	case bad("silent"):
		os.Exit(7)
	case bad("short") && len(args) > 1 && strings.HasSuffix(args[1], ".Worker"):
		die(3, "ERROR Worker: Failed to create work directory /opt/spark/work-dir")
	}
	if err := syscall.Exec(args[0], args, os.Environ()); err != nil {
		die(127, "exec %s failed: %v", args[0], err)
	}
}

func eat() {
	fmt.Println("eating")
	var all [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
		runtime.KeepAlive(all)
	}
}

func class(args []string) {
	fmt.Println("INFO started", args[0])
	if strings.HasSuffix(args[0], ".Master") {
		if bad("dying") {
			time.AfterFunc(4*time.Second, func() { die(5, "java.lang.OutOfMemoryError: Java heap space") })
		}
		serve("127.0.0.1:8080", map[string]func() string{
			"/":      func() string { return "<title>Spark Master at spark://127.0.0.1:7077</title>" },
			"/json/": func() string { return fmt.Sprintf(`{"aliveworkers" : %d}`, workers()) },
		})
	}
	serve("127.0.0.1:8081", map[string]func() string{"/": func() string { return "Spark Worker at 127.0.0.1:39001" }})
}

func workers() int {
	if response, err := http.Get("http://127.0.0.1:8081/"); err == nil {
		response.Body.Close()
		return 1
	}
	return 0
}

func serve(address string, pages map[string]func() string) {
	mux := http.NewServeMux()
	for path, page := range pages {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, page()) })
	}
	die(1, "%v", http.ListenAndServe(address, mux))
}

func submit(args []string) {
	switch {
	case slices.Contains(args, "--version"):
		fmt.Println("version 3.5.7")
	case bad("jarless"):
		fmt.Fprintln(os.Stderr, "Exception in thread \"main\" java.lang.NoClassDefFoundError: org/apache/xbean/asm9/ClassVisitor")
		os.Exit(1)
	case bad("hungry"):
		eat()
	case bad("waiting"):
		time.Sleep(time.Hour)
	default:
		fmt.Println("Pi is roughly 3.1427957139785697")
	}
}
