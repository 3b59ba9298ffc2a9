// Package udptracker speaks the UDP tracker protocol (BEP 15, with the options of BEP 41 skipped).
// It must not know the storage: it turns packets into requests of package announce, and its
// answers back.
package udptracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/torrent/tracker/udp"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
	"github.com/mortise-storage/mortise/examples/tracker/hostmetrics"
)

// Tracker is what the server needs of announce.Tracker.
type Tracker interface {
	Announce(context.Context, announce.Request) (announce.Reply, error)
	Scrape(context.Context, [][]byte) ([]announce.Swarm, error)
}

// Options of a server.
type Options struct {
	// Interval is how often clients are told to announce.
	Interval time.Duration
	// AddressFromPacket lets clients name their own IPv4 address.
	AddressFromPacket bool
	// Concurrent is how many requests are worked on at once; more are dropped, and the client sends
	// them again by itself. Default 1024.
	Concurrent int
	Metrics    *hostmetrics.Requests
	Logger     *slog.Logger
}

// Server answers packets on any number of sockets.
type Server struct {
	tracker     Tracker
	options     Options
	connections *connections
}

// New returns a server whose connection ids are valid for as long as it lives.
func New(tracker Tracker, o Options) (*Server, error) {
	if o.Concurrent <= 0 {
		o.Concurrent = 1024
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	ids, err := newConnections()
	if err != nil {
		return nil, fmt.Errorf("making a key for connection ids: %w", err)
	}
	return &Server{tracker: tracker, options: o, connections: ids}, nil
}

// largestPacket is more than any request is long; what is longer is cut, and refused as such.
const largestPacket = 4096

// Serve answers what comes in on a socket until ctx ends, then finishes what it has begun and
// closes the socket. An error is one of the socket.
func (s *Server) Serve(ctx context.Context, socket *net.UDPConn) error {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer socket.Close()
	var pending sync.WaitGroup
	defer pending.Wait()
	slots := make(chan struct{}, s.options.Concurrent)
	buffer := make([]byte, largestPacket)
	for {
		n, source, err := socket.ReadFromUDPAddrPort(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// For example an ICMP answer to an earlier reply: no reason to end.
			s.options.Logger.Debug("reading a packet", "error", err)
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			s.options.Metrics.Observe("udp", "overload", hostmetrics.Dropped, 0)
			continue
		}
		packet := append([]byte(nil), buffer[:n]...)
		pending.Go(func() {
			defer func() { <-slots }()
			s.serve(context.WithoutCancel(ctx), socket, packet, source)
		})
	}
}

// serve answers one packet.
func (s *Server) serve(ctx context.Context, socket *net.UDPConn, packet []byte, source netip.AddrPort) {
	begin := time.Now()
	kind, reply, err := s.answer(ctx, packet, source.Addr().Unmap().WithZone(""))
	outcome := hostmetrics.Answered
	if err != nil {
		reply, outcome = s.failure(packet, kind, err)
	}
	if len(reply) > 0 {
		if _, err := socket.WriteToUDPAddrPort(reply, source); err != nil {
			s.options.Logger.Debug("sending a reply", "error", err)
		}
	}
	s.options.Metrics.Observe("udp", kind, outcome, time.Since(begin))
}

// answer returns the reply to a packet from source.
func (s *Server) answer(ctx context.Context, packet []byte, source netip.Addr) (kind string, reply []byte, err error) {
	header, err := parseHeader(packet)
	if err != nil {
		return "unknown", nil, err
	}
	if header.Action == udp.ActionConnect {
		if header.ConnectionId != udp.ConnectRequestConnectionId {
			return "unknown", nil, errNotTracker
		}
		return "connect", connectReply(header.TransactionId, s.connections.issue(source)), nil
	}
	if !s.connections.valid(source, header.ConnectionId) {
		return "unconnected", nil, announce.Refusal("connection id unknown or expired")
	}
	switch header.Action {
	case udp.ActionAnnounce:
		reply, err = s.announce(ctx, header, packet, source)
		return "announce", reply, err
	case udp.ActionScrape:
		reply, err = s.scrape(ctx, header, packet)
		return "scrape", reply, err
	}
	return "unknown", nil, announce.Refusal("unknown action")
}

func (s *Server) announce(ctx context.Context, header udp.RequestHeader, packet []byte, source netip.Addr) ([]byte, error) {
	request, err := parseAnnounce(packet, source, s.options.AddressFromPacket)
	if err != nil {
		return nil, err
	}
	reply, err := s.tracker.Announce(ctx, request)
	if err != nil {
		return nil, err
	}
	v6 := request.Addresses[0].Addr().Is6()
	return announceReply(header.TransactionId, reply, v6, s.options.Interval), nil
}

func (s *Server) scrape(ctx context.Context, header udp.RequestHeader, packet []byte) ([]byte, error) {
	hashes, err := parseScrape(packet)
	if err != nil {
		return nil, err
	}
	swarms, err := s.tracker.Scrape(ctx, hashes)
	if err != nil {
		return nil, err
	}
	return scrapeReply(header.TransactionId, swarms), nil
}

// failure returns the error packet for the client, or none: a packet that is not of this protocol
// gets no answer, and one without a valid connection id none that is longer than itself, so that
// nobody can have the tracker flood a victim whose address he forged.
func (s *Server) failure(packet []byte, kind string, err error) ([]byte, hostmetrics.Outcome) {
	header, headerErr := parseHeader(packet)
	if errors.Is(err, errNotTracker) || headerErr != nil {
		return nil, hostmetrics.Dropped
	}
	text, blame := announce.ClientText(err)
	outcome := hostmetrics.Refused
	if !blame {
		outcome = hostmetrics.Failed
		s.options.Logger.Error("a UDP request failed", "kind", kind, "error", err)
	}
	reply := errorReply(header.TransactionId, text)
	if kind == "unconnected" && len(reply) > len(packet) {
		return nil, hostmetrics.Dropped
	}
	return reply, outcome
}
