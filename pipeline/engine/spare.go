package engine

import (
	"os"
	"sync"
)

// Spare is the embedded engine's process, started ahead of need: loading the program takes a good part of an engine's
// start, and a processor is free while it is still being found out whether there is something to build. Until Start takes
// it, it has done nothing but load.
type Spare struct {
	root  string
	mu    sync.Mutex
	child *child
}

// Ahead starts the process of an engine with the given state folder. It is nil where that cannot be; Start says why.
func Ahead(root string) *Spare {
	if os.Geteuid() != 0 || os.MkdirAll(root, 0o700) != nil {
		return nil
	}
	c, err := spawn(root)
	if err != nil {
		return nil
	}
	return &Spare{root: root, child: c}
}

// take hands the process over; nil: there is none for this folder.
func (s *Spare) take(root string) *child {
	if s == nil || s.root != root {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.child
	s.child = nil
	if c != nil && c.ended(0) {
		return nil
	}
	return c
}

// Drop ends a process that nobody has taken. A nil Spare has none.
func (s *Spare) Drop() {
	if s == nil {
		return
	}
	if c := s.take(s.root); c != nil {
		c.kill()
	}
}
