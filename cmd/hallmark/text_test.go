package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// capture NAME FILE REGEXP puts the first group into the variable NAME. FILE may be stdout or stderr.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME FILE REGEXP")
	}
	pattern, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s does not hold %q", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// json FILE…: each file holds one JSON value and nothing else.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		if json.Valid([]byte(ts.ReadFile(file))) == neg {
			ts.Fatalf("%s: valid JSON: %t", file, neg)
		}
	}
}

// nowhere VARIABLE PATH…: no file, nor any file below a folder, holds the variable's value, as it is or in base64.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || ts.Getenv(args[0]) == "" {
		ts.Fatalf("usage: nowhere VARIABLE PATH…")
	}
	files := 0
	for _, path := range args[1:] {
		if path == "stdout" || path == "stderr" {
			clean(ts, path, []byte(ts.ReadFile(path)), args[0])
			continue
		}
		ts.Check(filepath.WalkDir(ts.MkAbs(path), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			files++
			body, err := os.ReadFile(path)
			clean(ts, path, body, args[0])
			return err
		}))
	}
	ts.Logf("%d files looked at", files)
}

func clean(ts *testscript.TestScript, place string, body []byte, variable string) {
	for _, form := range forms(ts.Getenv(variable)) {
		if bytes.Contains(body, form) {
			ts.Fatalf("%s holds the secret %s", place, variable)
		}
	}
}

// forms are the secret itself, and what base64 makes of it wherever in a longer text it stands: the characters at the
// ends depend on its neighbours and are left out.
func forms(secret string) [][]byte {
	all := [][]byte{[]byte(secret)}
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		encoded := base64.StdEncoding.EncodeToString(padded)
		all = append(all, []byte(encoded[4:len(encoded)-4]))
	}
	return all
}
