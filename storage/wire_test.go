package storage_test

import (
	"bytes"
	"context"
	"net"
	"sync"
)

// A wire counts what goes over the connections that it dials. A round trip is an answer to something
// that was sent, however much that was.
type wire struct {
	mu         sync.Mutex
	dialled    int
	handshakes int
	pings      int
	trips      int
	sent       []byte
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialled++
	return &countedConn{Conn: conn, wire: w}, nil
}

// count returns the number of round trips while f runs, without those of handshakes, and without the
// pings by which the pool looks whether an idle connection is still there.
func (w *wire) count(f func()) int {
	before := w.reset()
	f()
	return w.reset() - before
}

// reset forgets what was sent and returns the number of round trips so far.
func (w *wire) reset() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = nil
	return w.trips
}

// connections returns how often the database was dialled.
func (w *wire) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dialled
}

// written returns what was sent since the last reset.
func (w *wire) written() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.sent)
}

type countedConn struct {
	net.Conn
	wire    *wire
	pending *int // the counter that the next answer belongs to; nil if it was counted
}

// Write notes that an answer is due. What is sent starts with the type of a message of the protocol;
// the first message of a connection has none, and starts with its length.
func (c *countedConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	switch {
	case len(b) == 0 || b[0] == 'X':
	case b[0] == 0 || b[0] == 'p':
		c.pending = &c.wire.handshakes
	case b[0] == 'Q' && bytes.Contains(b, []byte("-- ping")):
		c.pending = &c.wire.pings
	default:
		c.pending = &c.wire.trips
		c.wire.sent = append(c.wire.sent, b...)
	}
	c.wire.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if n > 0 && c.pending != nil {
		*c.pending++
		c.pending = nil
	}
	return n, err
}
