package demo

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// A wire stands between a plugin and the database, and counts the round trips of all connections: how
// often the plugin says something after the database has answered. That is what a network would make
// the plugin wait for, however many statements go together.
type wire struct {
	folder   string // of the socket, as connection strings name it
	listener net.Listener
	trips    atomic.Int64
	handlers sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newWire listens in a folder of its own for a server whose socket is in another.
func newWire(serverFolder, port string) (*wire, error) {
	// Short, because the path of a socket must be.
	folder, err := os.MkdirTemp("", "wire-")
	if err != nil {
		return nil, err
	}
	name := ".s.PGSQL." + port
	listener, err := net.Listen("unix", filepath.Join(folder, name))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	w := &wire{folder: folder, listener: listener, conns: map[net.Conn]bool{}}
	w.handlers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			w.handlers.Go(func() { w.carry(conn, filepath.Join(serverFolder, name)) })
		}
	})
	return w, nil
}

// carry passes one connection's bytes both ways.
func (w *wire) carry(plugin net.Conn, socket string) {
	database, err := net.Dial("unix", socket)
	if err != nil {
		_ = plugin.Close()
		return
	}
	w.keep(plugin, database)
	defer w.drop(plugin, database)
	var answered atomic.Bool
	answered.Store(true)
	var other sync.WaitGroup
	other.Go(func() {
		pass(plugin, database, func() { answered.Store(true) })
		w.drop(plugin, database)
	})
	pass(database, plugin, func() {
		if answered.Swap(false) {
			w.trips.Add(1)
		}
	})
	w.drop(plugin, database)
	other.Wait()
}

// pass copies until either side ends, and tells of every piece before it is passed on.
func pass(to io.Writer, from io.Reader, tell func()) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			tell()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) keep(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		w.conns[conn] = true
	}
}

func (w *wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(w.conns, conn)
	}
}

// close ends all connections and removes the socket.
func (w *wire) close() error {
	err := w.listener.Close()
	w.mu.Lock()
	for conn := range w.conns {
		_ = conn.Close()
	}
	w.mu.Unlock()
	w.handlers.Wait()
	return errors.Join(err, os.RemoveAll(w.folder))
}
