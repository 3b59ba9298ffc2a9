package swarmdemo

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// A program is a kind of BitTorrent client that the demo can run.
type program interface {
	// title is the program's name, as people know it.
	title() string
	// start begins to share the torrent of a member.
	start(ctx context.Context, m *member) error
	// progress asks the running client how far it is.
	progress(ctx context.Context, m *member) (progress, error)
	// leave makes the client tell the tracker that it stops.
	leave(m *member) error
	// stop ends it, when it has left.
	stop(m *member)
}

// progress is what a client says of itself.
type progress struct {
	Complete bool `json:"complete"`
	// Sources are the peers that data came from: bytes, or 0 where the client does not tell.
	Sources map[string]int64 `json:"sources"`
}

// A member is one client in the swarm.
type member struct {
	name     string
	role     string // what it is when it starts
	protocol string // how it reaches the tracker
	program  program
	address  netip.Addr // its own, by which the others and the tracker know it
	port     uint16
	dir      string // where its copy of the file lies
	torrent  string // path of its torrent file
	logPath  string
	seed     bool // has the file from the start

	process  *process
	control  controller // how the program is asked; set by start
	started  time.Time
	took     time.Duration
	complete bool
	verified bool
	left     bool
	sources  map[string]int64
}

// controller is a program's private way to a client that it runs.
type controller any

// file is where the member keeps the shared file.
func (m *member) file() string { return filepath.Join(m.dir, fileName) }

// prepare makes the member's folder and torrent file. Who seeds gets a copy of the shared file.
func (m *member) prepare(p *payload, announceURL string) error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	torrent, err := p.torrent(announceURL)
	if err != nil {
		return err
	}
	m.torrent = filepath.Join(filepath.Dir(m.dir), filepath.Base(m.dir)+".torrent")
	if err := os.WriteFile(m.torrent, torrent, 0o644); err != nil {
		return err
	}
	if !m.seed {
		return nil
	}
	return os.Link(filepath.Join(p.dir, fileName), m.file())
}

// poll takes note of what the client says. A client that ended by itself is an error.
func (m *member) poll(ctx context.Context) error {
	if !m.process.running() {
		return fmt.Errorf("%s (%s) ended by itself: %v; see %s", m.name, m.program.title(), m.process.err, m.logPath)
	}
	now, err := m.program.progress(ctx, m)
	if err != nil {
		return nil // not ready to answer yet; the demo's own time limit bounds this
	}
	for source, bytes := range now.Sources {
		m.sources[source] = max(m.sources[source], bytes)
	}
	// Clients give a file its name when it is whole, some of them a moment after they say so.
	if now.Complete && !m.complete && m.hasFile() {
		m.complete, m.took = true, time.Since(m.started)
	}
	return nil
}

// hasFile says whether the file is there under its name.
func (m *member) hasFile() bool {
	info, err := os.Stat(m.file())
	return err == nil && info.Mode().IsRegular()
}

// verify compares the member's copy of the file with the original.
func (m *member) verify(p *payload) error {
	sum, err := hashFile(m.file())
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	if sum != p.sha256 {
		return fmt.Errorf("%s has another file than was shared: SHA-256 %s instead of %s", m.name, sum, p.sha256)
	}
	m.verified = true
	return nil
}
