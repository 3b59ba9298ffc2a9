package database_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// A wire makes connections that can be cut at a chosen moment, as a network does.
type wire struct {
	// answer, when set, is called once, instead of handing over the next bytes from the server; then
	// the connection is cut.
	answer atomic.Pointer[func()]
	// after, when set, becomes answer when its text is sent.
	after atomic.Pointer[trigger]
	// question, when set, cuts the connection before the next bytes are sent.
	question atomic.Bool
}

// loseAnswer cuts the connection when the next answer comes. The first bytes may come when the server
// has done only a part of what it was asked; until waits for the rest.
func (w *wire) loseAnswer(until func()) { w.answer.Store(&until) }

// A trigger waits for a text to be sent.
type trigger struct {
	text  string
	until func()
}

// loseAnswerTo is loseAnswer for what comes after a text was sent.
func (w *wire) loseAnswerTo(text string, until func()) {
	w.after.Store(&trigger{text: text, until: until})
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wiredConn{Conn: conn, wire: w}, nil
}

type wiredConn struct {
	net.Conn
	wire *wire
}

func (c *wiredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n == 0 {
		return n, err
	}
	if until := c.wire.answer.Swap(nil); until != nil {
		(*until)()
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *wiredConn) Write(b []byte) (int, error) {
	if c.wire.question.Swap(false) {
		_ = c.Conn.Close()
		return 0, errors.New("the network is down")
	}
	if after := c.wire.after.Load(); after != nil && bytes.Contains(b, []byte(after.text)) {
		c.wire.after.Store(nil)
		c.wire.loseAnswer(after.until)
	}
	return c.Conn.Write(b)
}
