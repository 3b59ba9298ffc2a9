package udptracker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent/tracker/udp"
	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/examples/tracker/announce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted answers as it is told, and tells what it was asked.
type scripted struct {
	asked chan announce.Request // nil: not of interest
	reply announce.Reply
	err   error
}

func (s *scripted) Announce(_ context.Context, r announce.Request) (announce.Reply, error) {
	if s.asked != nil {
		s.asked <- r
	}
	return s.reply, s.err
}

func (s *scripted) Scrape(_ context.Context, hashes [][]byte) ([]announce.Swarm, error) {
	return make([]announce.Swarm, len(hashes)), s.err
}

func newServer(t testing.TB, s *scripted) *Server {
	t.Helper()
	server, err := New(s, Options{Interval: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// exchange gives a packet to the server as if it came from source, and returns the reply.
func exchange(s *Server, packet []byte, source netip.Addr) []byte {
	kind, reply, err := s.answer(context.Background(), packet, source)
	if err != nil {
		reply, _ = s.failure(packet, kind, err)
	}
	return reply
}

func TestAnswers(t *testing.T) {
	me := netip.MustParseAddr("192.0.2.1")
	server := newServer(t, &scripted{})
	id := server.connections.issue(me)
	scrape := packet(t, id, udp.ActionScrape, [20]byte{1}, [20]byte{2})
	for _, tt := range []struct {
		name   string
		packet []byte
		want   string // beginning of the reply; empty: none
	}{
		{"connect", packet(t, udp.ConnectRequestConnectionId, udp.ActionConnect), "\x00\x00\x00\x00\x01\x02\x03\x04"},
		{"connect with another number", packet(t, 1, udp.ActionConnect), ""},
		{"announce", packet(t, id, udp.ActionAnnounce, ordinary()), "\x00\x00\x00\x01\x01\x02\x03\x04\x00\x00\x00\x3c"},
		{"scrape", scrape, "\x00\x00\x00\x02\x01\x02\x03\x04" + strings.Repeat("\x00", 24)},
		{"error", packet(t, id, udp.ActionAnnounce), "\x00\x00\x00\x03\x01\x02\x03\x04the announce is too short"},
		{"unknown action", packet(t, id, 9), "\x00\x00\x00\x03\x01\x02\x03\x04unknown action"},
		{"announce without connection", packet(t, 0, udp.ActionAnnounce, ordinary()), "\x00\x00\x00\x03\x01\x02\x03\x04connection id"},
		{"small packet without connection", packet(t, 0, udp.ActionScrape, [20]byte{}), ""},
		{"15 bytes", scrape[:15], ""},
		{"nothing", nil, ""},
	} {
		got := exchange(server, tt.packet, me)
		if !bytes.HasPrefix(got, []byte(tt.want)) || tt.want == "" && len(got) > 0 {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	if got := exchange(server, scrape, netip.MustParseAddr("192.0.2.2")); len(got) > 0 && got[3] != byte(udp.ActionError) {
		t.Errorf("an id was taken from another address: %q", got)
	}
}

func TestFixedTextForTrouble(t *testing.T) {
	me := netip.MustParseAddr("192.0.2.1")
	server := newServer(t, &scripted{err: errors.New("password=hunter2")})
	for _, request := range [][]byte{
		packet(t, server.connections.issue(me), udp.ActionAnnounce, ordinary()),
		packet(t, server.connections.issue(me), udp.ActionScrape, [20]byte{}),
	} {
		if got := string(exchange(server, request, me)); strings.Contains(got, "hunter2") || !strings.Contains(got, "try again later") {
			t.Errorf("%q", got)
		}
	}
}

// TestSocket lets the library's client talk to the server over real sockets of both families.
func TestSocket(t *testing.T) {
	for network, address := range map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"} {
		host := netip.MustParseAddrPort(address).Addr()
		script := &scripted{
			asked: make(chan announce.Request, 10), // a client repeats what is not answered soon
			reply: announce.Reply{Complete: 3, Incomplete: 4, Peers: []announce.Peer{{Address: netip.AddrPortFrom(host, 99)}}},
		}
		socket, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		server := newServer(t, script)
		go func() { served <- server.Serve(ctx, socket) }()

		client, err := udp.NewConnClient(udp.NewConnClientOpts{Network: network, Host: socket.LocalAddr().String()})
		if err != nil {
			t.Fatal(err)
		}
		header, peers, err := client.Announce(t.Context(), ordinary(), udp.Options{RequestUri: "/announce/" + strings.Repeat("x", 300)})
		if err != nil {
			t.Fatalf("%s: %v", network, err)
		}
		if header.Interval != 60 || header.Seeders != 3 || header.Leechers != 4 || len(peers.NodeAddrs()) != 1 || peers.NodeAddrs()[0].Port != 99 {
			t.Errorf("%s: %+v %v", network, header, peers.NodeAddrs())
		}
		if got := (<-script.asked).Addresses[0]; got.Addr() != host || got.Port() != 6881 {
			t.Errorf("%s: the client's address is %v", network, got)
		}
		swarms, err := client.Client.Scrape(t.Context(), make([]udp.InfoHash, 3))
		if err != nil || len(swarms) != 3 {
			t.Errorf("%s: %v, %v", network, swarms, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-served; err != nil {
			t.Errorf("%s: %v", network, err)
		}
	}
}

// FuzzPacket looks for packets that panic, that are answered though nobody is known to be there, or
// with more than they may be.
func FuzzPacket(f *testing.F) {
	me := netip.MustParseAddr("192.0.2.1")
	server := newServer(f, &scripted{})
	clock := time.Unix(1_700_000_000, 0)
	server.connections.now = func() time.Time { return clock }
	server.connections.key = [32]byte{1}
	id := server.connections.issue(me)
	for _, seed := range [][]byte{
		packet(f, udp.ConnectRequestConnectionId, udp.ActionConnect),
		packet(f, id, udp.ActionAnnounce, ordinary()),
		append(packet(f, id, udp.ActionAnnounce, ordinary()), "\x02\x03/an\x01\x00"...),
		packet(f, id, udp.ActionScrape, [20]byte{1}),
		packet(f, id, 77),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply := exchange(server, packet, me)
		header, err := parseHeader(packet)
		if err != nil && len(reply) > 0 {
			t.Errorf("%x was answered", packet)
		}
		if err == nil && header.ConnectionId != id && len(reply) > len(packet) {
			t.Errorf("%x was answered with the longer %x", packet, reply)
		}
		if len(reply) > maxReplyV4 {
			t.Errorf("%x was answered with %d bytes", packet, len(reply))
		}
	})
}
