//go:build real

package real

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// link is the network between the program and a server: it can break, and come back.
type link struct {
	addr string
	to   string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	silent   bool // nothing is carried, and nothing refused
	needle   []byte
	skip     int  // how many such requests are let through first
	carried  bool // the request itself still arrives; its answer never does
	found    func()
}

// newLink carries everything to the address, until it is told otherwise.
func newLink(t *testing.T, to string) *link {
	t.Helper()
	l := &link{to: to, open: map[net.Conn]bool{}}
	l.listen(t, "127.0.0.1:0")
	l.addr = l.listener.Addr().String()
	t.Cleanup(l.refuse)
	return l
}

func (l *link) listen(t *testing.T, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.listener, l.silent = listener, false
	l.mu.Unlock()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(near)
		}
	}()
}

// at calls found at the first request that begins so, once skip of them went through. That request is carried or not;
// it is never answered.
func (l *link) at(needle string, skip int, carried bool, found func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needle, l.skip, l.carried, l.found = []byte(needle), skip, carried, found
}

// refuse breaks every connection and takes no more.
func (l *link) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.listener.Close()
	for connection := range l.open {
		_ = connection.Close()
	}
}

// hush lets every connection stand, and carries nothing.
func (l *link) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = true
}

// back is the network as it was.
func (l *link) back(t *testing.T) {
	t.Helper()
	l.refuse() // what hangs there
	l.listen(t, l.addr)
}

func (l *link) carry(near net.Conn) {
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = near.Close()
		return
	}
	l.mu.Lock()
	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.open, near)
		delete(l.open, far)
		l.mu.Unlock()
	}()
	var deaf sync.Once
	lost := make(chan struct{}) // closed when answers do not come back any more
	var both sync.WaitGroup
	both.Go(func() {
		defer far.Close()
		pump(near, far, func(data []byte) bool {
			found, carried := l.look(data)
			if found != nil {
				deaf.Do(func() { close(lost) })
				time.AfterFunc(time.Second, found) // a request that is carried has been worked on by then
			}
			return carried
		})
	})
	both.Go(func() {
		defer near.Close()
		pump(far, near, func([]byte) bool {
			select {
			case <-lost:
				return false
			default:
				_, carried := l.look(nil)
				return carried
			}
		})
	})
	both.Wait()
}

// pump carries what may be carried, until one side has gone.
func pump(from, to net.Conn, may func([]byte) bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && may(buffer[:n]) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// look says whether data may be carried, and whom to tell of it.
func (l *link) look(data []byte) (found func(), carried bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent {
		return nil, false
	}
	if l.needle == nil || !bytes.HasPrefix(data, l.needle) {
		return nil, true
	}
	if l.skip > 0 {
		l.skip--
		return nil, true
	}
	found, l.needle = l.found, nil
	return found, l.carried
}
