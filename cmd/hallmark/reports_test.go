package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWidth: a narrow terminal gets narrow tables, and not those of a log.
func TestWidth(t *testing.T) {
	t.Parallel()
	for columns, want := range map[int]int{0: 100, 10: 40, 40: 40, 41: 41, 200: 200} {
		if got := laidOut(columns); got != want {
			t.Errorf("%d columns: laid out for %d, want %d", columns, got, want)
		}
	}
}

// TestNoHalfReports: where the disk is full, a report is missing, and not one that ends in the middle.
func TestNoHalfReports(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "junit.xml")
	full := func(name string, body []byte, mode os.FileMode) error {
		if err := os.WriteFile(name, body[:len(body)/2], mode); err != nil {
			t.Fatal(err)
		}
		return &os.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
	}
	if err := putWhole(full, path, []byte("<testsuites></testsuites>")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of a report stays: %v", err)
	}
	// A report that cannot be opened for writing is as it was.
	if err := os.WriteFile(path, []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, _ []byte, _ os.FileMode) error {
		return &os.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	if err := putWhole(refused, path, []byte("other")); err == nil {
		t.Error("what was refused is no error")
	}
	if body, err := os.ReadFile(path); err != nil || string(body) != "whole" {
		t.Errorf("%q, %v", body, err)
	}
}
