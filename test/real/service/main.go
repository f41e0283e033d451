// Command service is all that the small images of the tests hold: a service that answers on port 8080.
//
//	service serve         answers until it is ended
//	service say TEXT…     prints
//	service sleep SECONDS sleeps
//	service sum FILE TO   writes the SHA-256 sum of one file into another
//	service measure FILE TO writes into TO how many bytes FILE holds
//	service show FILE     prints what FILE holds, also as addresses and base64 write it
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say serve, say, sleep, sum, measure or show")
	}
	switch args[0] {
	case "serve":
		fmt.Println("serving on port 8080")
		return http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "the service answers")
		}))
	case "say":
		fmt.Println(strings.Join(args[1:], " "))
		return nil
	case "sleep":
		span, err := time.ParseDuration(args[1] + "s")
		time.Sleep(span)
		return err
	case "sum":
		body, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		return os.WriteFile(args[2], fmt.Appendf(nil, "%x\n", sha256.Sum256(body)), 0o644)
	case "measure":
		text, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		return os.WriteFile(args[2], []byte(fmt.Sprintln(len(text))), 0o644)
	case "show":
		text, err := os.ReadFile(args[1])
		fmt.Println(string(text), url.QueryEscape(string(text)), base64.StdEncoding.EncodeToString(text))
		return err
	default:
		return fmt.Errorf("there is no command %s", args[0])
	}
}
