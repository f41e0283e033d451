package engine

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// The doors of Docker's daemon that lead to its BuildKit.
const (
	grpcDoor    = "/grpc"
	sessionDoor = "/session"
)

// knock makes sure that there is a BuildKit behind the door; a *problem says that the daemon has none.
func knock(ctx context.Context, socket string) error {
	conn, err := hijack(ctx, socket, grpcDoor, nil)
	if err != nil {
		return err
	}
	return conn.Close()
}

// hijack opens one of the two doors that Docker's daemon has into its BuildKit ("/grpc" and "/session"): an HTTP
// request whose connection is then spoken HTTP/2 on.
func hijack(ctx context.Context, socket, door string, meta map[string][]string) (net.Conn, error) {
	dialing, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	conn, err := dialLocal(dialing, socket)
	if err != nil {
		return nil, err
	}
	upgraded, err := upgrade(ctx, conn, door, meta)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the door %s of Docker: %w", door, err)
	}
	return upgraded, nil
}

func upgrade(ctx context.Context, conn net.Conn, door string, meta map[string][]string) (net.Conn, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://docker"+door, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range meta {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "h2c")
	if err := conn.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return nil, err
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, &problem{response.StatusCode, "it does not switch protocols"}
	}
	return &upgradedConn{Conn: conn, reader: reader}, conn.SetDeadline(time.Time{})
}

// upgradedConn reads first what was buffered behind the response's header.
type upgradedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *upgradedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
