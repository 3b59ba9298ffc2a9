package media_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
)

// A wire counts what goes over the connections that it dials, and can lose an answer. A round trip is an
// answer to something that was sent, however much that was.
type wire struct {
	mu    sync.Mutex
	trips int
	// losing is which of the next answers does not arrive: the server did what it was told, and the
	// connection is gone. 0 is none.
	losing int
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn, wire: w}, nil
}

// count returns the number of round trips while f runs, without those of handshakes, and without the
// pings by which the pool looks whether an idle connection is still there.
func (w *wire) count(f func()) int {
	before := w.total()
	f()
	return w.total() - before
}

func (w *wire) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trips
}

// lose makes the next answer get lost.
func (w *wire) lose() { w.loseOne(1) }

// loseOne makes one of the next answers get lost: the first, the second, and so on.
func (w *wire) loseOne(which int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.losing = which
}

// lost says whether it is lost by now.
func (w *wire) lost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.losing == 0
}

type countedConn struct {
	net.Conn
	wire    *wire
	pending bool // something was sent that counts, and is not answered yet
	syncs   int  // how many transactions it was
}

// Write notes that an answer is due. What is sent starts with the type of a message of the protocol; the
// first message of a connection has none, and starts with its length.
func (c *countedConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	switch {
	case len(b) == 0 || b[0] == 'X' || b[0] == 0 || b[0] == 'p':
	case b[0] == 'Q' && bytes.Contains(b, []byte("-- ping")):
	default:
		if !c.pending {
			c.pending, c.syncs = true, 0
		}
		c.syncs += bytes.Count(b, []byte("S\x00\x00\x00\x04"))
	}
	c.wire.mu.Unlock()
	return c.Conn.Write(b)
}

var errLost = errors.New("lost on purpose")

// Read takes the answer to all that was sent from the server before it loses it: a server that cannot
// answer does nothing more.
func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if n == 0 || !c.pending {
		return n, err
	}
	c.pending = false
	c.wire.trips++
	if c.wire.losing == 0 {
		return n, err
	}
	if c.wire.losing--; c.wire.losing > 0 {
		return n, err
	}
	for answer := append([]byte{}, b[:n]...); err == nil && bytes.Count(answer, []byte("Z\x00\x00\x00\x05")) < c.syncs; {
		n, err = c.Conn.Read(b)
		answer = append(answer, b[:n]...)
	}
	_ = c.Close()
	return 0, errLost
}
