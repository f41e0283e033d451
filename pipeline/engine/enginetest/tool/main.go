// Command tool is all that an image of the tests holds: a static program that is its shell and its commands.
//
// As /bin/sh it runs lines of simple commands, joined by newlines, ";" or "&&"; the first that fails ends it.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	args := os.Args[1:]
	if len(args) == 2 && args[0] == "-c" {
		for _, line := range strings.FieldsFunc(strings.ReplaceAll(args[1], "&&", ";"), func(r rune) bool { return r == ';' || r == '\n' }) {
			if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
				run(words)
			}
		}
		return
	}
	if len(args) == 0 {
		die("no command")
	}
	run(args)
}

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		die("%v", err)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func run(words []string) {
	command, args := words[0], words[1:]
	for i := range args {
		args[i] = os.ExpandEnv(args[i])
	}
	switch command {
	case "echo":
		fmt.Println(strings.Join(args, " "))
	case "complain": // TEXT… to standard error
		fmt.Fprintln(os.Stderr, strings.Join(args, " "))
	case "write": // FILE TEXT…
		check(os.MkdirAll(filepath.Dir(args[0]), 0o755))
		check(os.WriteFile(args[0], []byte(strings.Join(args[1:], " ")+"\n"), 0o644))
	case "cat":
		text, err := os.ReadFile(args[0])
		check(err)
		os.Stdout.Write(text)
	case "copy": // FROM TO
		from, err := os.Open(args[0])
		check(err)
		to, err := os.Create(args[1])
		check(err)
		_, err = io.Copy(to, from)
		check(err)
		check(to.Close())
	case "list": // every path below a folder
		check(filepath.WalkDir(args[0], func(path string, _ os.DirEntry, err error) error {
			if err == nil {
				fmt.Println(path)
			}
			return nil
		}))
	case "env": // NAME
		fmt.Println(os.Getenv(args[0]))
	case "fail": // CODE TEXT…
		fmt.Fprintln(os.Stderr, strings.Join(args[1:], " "))
		os.Exit(number(args[0]))
	case "sleep": // SECONDS
		time.Sleep(time.Duration(number(args[0])) * time.Second)
	case "stubborn": // SECONDS: sleeps and minds no signal that can be minded
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("stubborn")
		time.Sleep(time.Duration(number(args[0])) * time.Second)
	case "eat": // MEGABYTES
		var all [][]byte
		for range number(args[0]) {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			all = append(all, block)
		}
		fmt.Println("ate", len(all))
	case "fork": // COUNT children, which sleep; says how many it got
		for i := range number(args[0]) {
			if err := exec.Command("/proc/self/exe", "sleep", "5").Start(); err != nil {
				die("only %d children: %v", i, err)
			}
		}
		fmt.Println("all children")
	case "spin": // SECONDS; says how much processor time it got
		end := time.Now().Add(time.Duration(number(args[0])) * time.Second)
		for time.Now().Before(end) {
		}
		var used syscall.Rusage
		check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
		fmt.Printf("%d ms\n", (used.Utime.Nano()+used.Stime.Nano())/1e6)
	case "interfaces":
		all, err := net.Interfaces()
		check(err)
		for _, one := range all {
			fmt.Println(one.Name, one.Flags&net.FlagUp != 0)
		}
	default:
		die("%s: no such command", command)
	}
}
