package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// The parent and the engine share one socket pair that keeps message borders. Over it go the settings, the answer
// to them, and one file descriptor for each connection that the parent opens. Nobody else can reach the engine: it
// listens nowhere. The pair is also the leash: when its other end closes, the parent is gone.

// maxMessage bounds one message; settings with a hundred mirrors are far smaller.
const maxMessage = 64 << 10

// settings is the first message, from the parent.
type settings struct {
	Options Options `json:"options"`
	// Key seals what the parent asks of containers, so that no Dockerfile can ask for it.
	Key []byte `json:"key"`
	// Emulators is what the platforms that can be built for depend on.
	Emulators string `json:"emulators"`
}

// answer is the second message, from the engine.
type answer struct {
	Error       string `json:"error,omitempty"`
	Snapshotter string `json:"snapshotter,omitempty"`
	Runtime     string `json:"runtime,omitempty"`
	CABundle    string `json:"ca_bundle,omitempty"`
}

// wire is one end of the socket pair.
type wire struct{ conn *net.UnixConn }

// newWire takes over file, which is closed.
func newWire(file *os.File) (*wire, error) {
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return nil, fmt.Errorf("the engine's control socket: %w", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("the engine's control socket is a %T", conn)
	}
	return &wire{conn: unixConn}, nil
}

// pair returns two connected sockets of the given type that no child inherits by accident.
func pair(kind int) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "engine-ours"), os.NewFile(uintptr(fds[1]), "engine-theirs"), nil
}

func (w *wire) send(message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(body) > maxMessage {
		return fmt.Errorf("a message of %d bytes is more than the %d that the engine reads", len(body), maxMessage)
	}
	_, err = w.conn.Write(body)
	return err
}

func (w *wire) receive(message any) error {
	body := make([]byte, maxMessage)
	n, err := w.conn.Read(body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body[:n], message)
}

// dial opens a fresh connection to the engine: it makes a pair and hands the other half over.
func (w *wire) dial() (net.Conn, error) {
	ours, theirs, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	defer ours.Close() // net.FileConn duplicates it
	_, _, err = w.conn.WriteMsgUnix([]byte{1}, unix.UnixRights(int(theirs.Fd())), nil)
	_ = theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	return net.FileConn(ours)
}

// listener makes the engine's end a net.Listener; gone is closed when the parent's end is.
type listener struct {
	wire *wire
	once sync.Once
	gone chan struct{}
}

func newListener(w *wire) *listener { return &listener{wire: w, gone: make(chan struct{})} }

// Accept waits for the next connection that the parent opens.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.accept()
		switch {
		case err == nil && conn == nil:
			continue
		case err != nil:
			l.once.Do(func() { close(l.gone) })
			if errors.Is(err, io.EOF) {
				err = net.ErrClosed
			}
		}
		return conn, err
	}
}

func (l *listener) accept() (net.Conn, error) {
	body, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, size, _, _, err := l.wire.conn.ReadMsgUnix(body, control)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:size])
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil, err
	}
	unix.CloseOnExec(fds[0])
	file := os.NewFile(uintptr(fds[0]), "engine-connection")
	defer file.Close()
	return net.FileConn(file)
}

// Close ends the socket pair for both sides.
func (l *listener) Close() error { return l.wire.conn.Close() }

// Addr names the listener in logs.
func (l *listener) Addr() net.Addr { return l.wire.conn.LocalAddr() }
