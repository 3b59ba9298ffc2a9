// Package announce is what an announce means, whatever protocol it came by: which write and which
// read one event asks of the storage, and what the client may be told. It makes exactly one call
// of the plugin for each announce (two where torrents must be approved). It must not know HTTP,
// UDP, bencoding or packets, nor how the plugin was started.
package announce

import (
	"fmt"
	"net/netip"
)

// MaxWant is how many peers one reply holds at most. DefaultWant is for clients that do not say.
const (
	DefaultWant = 50
	MaxWant     = 100
)

// Info hash lengths: v1 and truncated v2 hashes (BEP 3, BEP 52), and full v2 hashes (BEP 52).
const (
	HashLength   = 20
	HashLengthV2 = 32
)

// Event is what a client says has happened.
type Event int

// The events of BEP 3, and paused of BEP 21 (a partial seed: incomplete, but downloading nothing).
const (
	None Event = iota
	Started
	Completed
	Stopped
	Paused
)

var eventNames = [...]string{None: "none", Started: "started", Completed: "completed", Stopped: "stopped", Paused: "paused"}

// String returns the event's name as HTTP trackers spell it; "none" for a regular announce.
func (e Event) String() string {
	if e < 0 || int(e) >= len(eventNames) {
		return fmt.Sprintf("event %d", int(e))
	}
	return eventNames[e]
}

// ParseEvent reads the name of an event. Regular announces carry no name; "none" and "empty",
// which some clients send, mean the same.
func ParseEvent(name string) (Event, error) {
	switch name {
	case "", "none", "empty":
		return None, nil
	case "started":
		return Started, nil
	case "completed":
		return Completed, nil
	case "stopped":
		return Stopped, nil
	case "paused":
		return Paused, nil
	}
	return None, Refusal("unknown event")
}

// Request is one announce of one client.
type Request struct {
	// InfoHash has 20 or 32 bytes.
	InfoHash []byte
	PeerID   [20]byte
	// Addresses of the client with its port: at least one. The first decides which address family
	// is the client's own.
	Addresses []netip.AddrPort
	Event     Event
	// Bytes, as the client reports them.
	Left, Uploaded, Downloaded int64
	// Want is how many peers the client asks for; see Want.
	Want int
	// OwnFamilyOnly asks for peers of the client's own address family only.
	OwnFamilyOnly bool
	UserAgent     string
}

// Peer is a member of a swarm, as clients are told about it.
type Peer struct {
	ID      [20]byte
	Address netip.AddrPort
}

// Reply answers an announce. The counts include the client itself.
type Reply struct {
	Complete, Incomplete, Downloaded int64
	Peers                            []Peer
}

// Swarm holds the counts of one torrent, as in a scrape (BEP 48).
type Swarm struct {
	Complete, Incomplete, Downloaded int64
}

// Want bounds the number of peers that a client asks for. A negative number is a client that does
// not say (BEP 15); zero is one that wants none.
func Want(asked int64) int {
	switch {
	case asked < 0:
		return DefaultWant
	case asked > MaxWant:
		return MaxWant
	}
	return int(asked)
}
