// Command tool is all that the images of the scripts hold: a static program that serves a page, hangs or ends.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		die("no command")
	}
	command, args := os.Args[1], os.Args[2:]
	switch command {
	case "serve": // TEXT… on port 8000
		page := strings.Join(args, " ")
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, page) })
		fmt.Println("serving on port 8000")
		die("%v", http.ListenAndServe(":8000", nil))
	case "hang":
		fmt.Println("waiting for what never comes")
		time.Sleep(time.Hour)
	case "exit": // CODE TEXT…
		fmt.Fprintln(os.Stderr, strings.Join(args[1:], " "))
		code, err := strconv.Atoi(args[0])
		if err != nil {
			die("%v", err)
		}
		os.Exit(code)
	case "print": // TEXT…
		fmt.Println(strings.Join(args, " "))
	case "cat": // FILE [fail]
		text, err := os.ReadFile(args[0])
		if err != nil {
			die("%v", err)
		}
		fmt.Printf("%s\n", text)
		if len(args) > 1 {
			die("cannot work with %s", text)
		}
	default:
		die("%s: no such command", command)
	}
}

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
