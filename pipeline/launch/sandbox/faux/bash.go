package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// bash plays the shell: scripts of a few words, and the programs that a launch with the profile databricks gives it.
func bash(args []string) {
	switch {
	case args[0] != "-c":
		text, err := os.ReadFile(args[0])
		if err != nil {
			die(127, "bash: %v", err)
		}
		script(string(text))
	case args[1] == ":":
	case strings.Contains(args[1], "hallmark-%s"):
		survey()
	case strings.Contains(args[1], "spark-shell"):
		shell(args[3])
	default:
		die(64, "faux: bash is asked for %q", args[1])
	}
}

// script knows echo, exit, id, leave (a program that goes on), hang, and names of commands that are not there.
func script(text string) {
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "", "#!/bin/bash":
		case "echo":
			fmt.Println(os.ExpandEnv(rest))
		case "id":
			fmt.Println("uid", os.Getuid())
		case "exit":
			code, _ := strconv.Atoi(rest)
			os.Exit(code)
		case "hang":
			time.Sleep(time.Hour)
		case "leave":
			child := exec.Command("/bin/sleep")
			child.Stdout, child.Stderr = os.Stdout, os.Stderr
			if err := child.Start(); err != nil {
				die(1, "%v", err)
			}
		default:
			die(127, "script.sh: line 1: %s: command not found", word)
		}
	}
}

func survey() {
	if _, err := os.Stat("/bin/java"); err == nil {
		fmt.Println("hallmark-java=/bin/java")
	}
	fmt.Println(`hallmark-version=openjdk version "17.0.1" 2021-10-19`)
}

// shell plays Spark's, of the runtime that SPARK_HOME names.
func shell(code string) {
	if bad("slow") {
		time.Sleep(time.Hour)
	}
	if bad("newjava") {
		die(1, "java.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main has been compiled by a more recent version of the Java Runtime (class file version 61.0)")
	}
	release, err := os.ReadFile(os.Getenv("SPARK_HOME") + "/RELEASE")
	if err != nil {
		die(70, "%v", err)
	}
	fmt.Println("Welcome to Spark 42\nhallmark: the answer begins")
	switch {
	case strings.Contains(code, "the driver runs"):
		fmt.Printf("hallmark: the driver runs %s on local[*]; 1000 = 1000\n", strings.TrimSpace(string(release)))
	case strings.Contains(code, "HALLMARK_SQL"):
		fmt.Println("total\n" + os.Args[len(os.Args)-1])
	case strings.Contains(code, "throw"):
		die(65, "java.lang.RuntimeException: thrown")
	default:
		fmt.Println("ran", code)
	}
	fmt.Println("hallmark: the answer ends\nbye 43")
}
