package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/fault"
)

type peers = []*trackerv1.Peer

// The roles, as the API writes them.
const (
	leecher = false
	seeder  = true
)

// nobody is a role that no peer of a swarm has.
var nobody peers

// A swarm is one info hash of a case, and the steps that cases are made of. A step that fails where
// it must not ends the case.
type swarm struct {
	ctx     context.Context
	t       T
	tracker *Tracker
	hash    []byte
	// ends is what has to be done when the case is over.
	ends []func()
}

// later has something done when the case is over.
func (w *swarm) later(end func()) { w.ends = append(w.ends, end) }

func (w *swarm) end() {
	for _, end := range w.ends {
		end()
	}
}

// newSwarm returns a swarm that nobody knows.
func newSwarm(ctx context.Context, t T, s *Tracker) *swarm {
	return &swarm{ctx: ctx, t: t, tracker: s, hash: random(20)}
}

// other returns another swarm that nobody knows.
func (w *swarm) other() *swarm { return w.of(random(20)) }

// of returns the swarm of an info hash.
func (w *swarm) of(hash []byte) *swarm {
	other := *w
	other.hash = hash
	return &other
}

func (w *swarm) client() trackerv1.SwarmsClient { return w.tracker.Swarms }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// peer4 returns a client that nobody knows, at an IPv4 address.
func peer4() *trackerv1.Peer { return peerAt(append([]byte{82}, random(3)...)) }

// peer6 returns a client that nobody knows, at an IPv6 address.
func peer6() *trackerv1.Peer {
	return peerAt(append([]byte{0x20, 0x01, 0x0d, 0xb8}, random(12)...))
}

func peerAt(address []byte) *trackerv1.Peer {
	port := 20000 + binary.BigEndian.Uint16(random(2))%30000
	return &trackerv1.Peer{PeerId: append([]byte("-MO0001-"), random(12)...), Address: address, Port: uint32(port)}
}

// some returns n clients at IPv4 addresses.
func some(n int) peers {
	list := make(peers, n)
	for i := range list {
		list[i] = peer4()
	}
	return list
}

// with returns the peer with something changed.
func with(p *trackerv1.Peer, change func(*trackerv1.Peer)) *trackerv1.Peer {
	changed := &trackerv1.Peer{PeerId: slices.Clone(p.PeerId), Address: slices.Clone(p.Address), Port: p.Port}
	change(changed)
	return changed
}

func isV6(p *trackerv1.Peer) bool { return len(p.Address) == 16 }

// mapped returns an IPv4 peer with its address written as IPv4-mapped IPv6.
func mapped(p *trackerv1.Peer) *trackerv1.Peer {
	return with(p, func(p *trackerv1.Peer) {
		p.Address = append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, p.Address...)
	})
}

// put stores a peer as of now.
func (w *swarm) put(role bool, list ...*trackerv1.Peer) {
	w.t.Helper()
	for _, p := range list {
		if _, err := w.client().PutPeer(w.ctx, &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: p, IsSeeder: role}); err != nil {
			w.t.Fatalf("PutPeer of %s as %s: %v", name(p), roleName(role), err)
		}
	}
}

// putAt stores a peer that was last seen some time ago.
func (w *swarm) putAt(ago time.Duration, role bool, p *trackerv1.Peer) {
	w.t.Helper()
	w.putSeen(time.Now().Add(-ago), role, p)
}

// putSeen stores a peer that was last seen at a certain time.
func (w *swarm) putSeen(at time.Time, role bool, p *trackerv1.Peer) {
	w.t.Helper()
	request := &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: p, IsSeeder: role, Created: timestamppb.New(at)}
	if _, err := w.client().PutPeer(w.ctx, request); err != nil {
		w.t.Fatalf("PutPeer of %s, seen at %s: %v", name(p), at, err)
	}
}

// stale is how long ago a peer was seen that has to be collected.
func (w *swarm) stale() time.Duration { return w.tracker.lifetime() + time.Hour }

// young is how long ago a peer was seen that must not be collected.
func (w *swarm) young() time.Duration { return w.tracker.lifetime() / 2 }

func (w *swarm) collect() *trackerv1.RunGCResponse {
	w.t.Helper()
	response, err := w.client().RunGC(w.ctx, &trackerv1.RunGCRequest{})
	if err != nil {
		w.t.Fatalf("RunGC: %v", err)
	}
	return response
}

func (w *swarm) delete(role bool, p *trackerv1.Peer) (*trackerv1.Affected, error) {
	return w.client().DeletePeer(w.ctx, &trackerv1.DeletePeerRequest{InfoHash: w.hash, Peer: p, IsSeeder: role})
}

func (w *swarm) mustDelete(role bool, p *trackerv1.Peer) *trackerv1.Affected {
	w.t.Helper()
	affected, err := w.delete(role, p)
	if err != nil {
		w.t.Fatalf("DeletePeer of %s as %s: %v", name(p), roleName(role), err)
	}
	return affected
}

// tryDelete deletes what may not be there.
func (w *swarm) tryDelete(role bool, p *trackerv1.Peer) {
	w.t.Helper()
	if _, err := w.delete(role, p); err != nil && status.Code(err) != codes.NotFound {
		w.t.Fatalf("DeletePeer of %s as %s: %v", name(p), roleName(role), err)
	}
}

func (w *swarm) remove(p *trackerv1.Peer) error {
	_, err := w.client().RemovePeer(w.ctx, &trackerv1.RemovePeerRequest{InfoHash: w.hash, Peer: p})
	return err
}

func (w *swarm) graduate(p *trackerv1.Peer) *trackerv1.GraduateLeecherResponse {
	w.t.Helper()
	response, err := w.client().GraduateLeecher(w.ctx, &trackerv1.GraduateLeecherRequest{InfoHash: w.hash, Peer: p})
	if err != nil {
		w.t.Fatalf("GraduateLeecher of %s: %v", name(p), err)
	}
	return response
}

// list asks for peers; that there are none is an empty list.
func (w *swarm) list(request *trackerv1.AnnouncePeersRequest) peers {
	w.t.Helper()
	request.InfoHash = w.hash
	response, err := w.client().AnnouncePeers(w.ctx, request)
	if status.Code(err) == codes.NotFound {
		return nil
	}
	if err != nil {
		w.t.Fatalf("AnnouncePeers: %v", err)
	}
	return response.Peers
}

// announce sends an announce for this swarm.
func (w *swarm) announce(request *trackerv1.AnnounceRequest) *trackerv1.AnnounceResponse {
	w.t.Helper()
	if request.InfoHashes == nil {
		request.InfoHashes = [][]byte{w.hash}
	}
	response, err := w.client().Announce(w.ctx, request)
	if err != nil {
		w.t.Fatalf("Announce: %v", err)
	}
	return response
}

// expect checks all that can be seen of a swarm: its counts, and each list of its peers.
func (w *swarm) expect(seeders, leechers peers) {
	w.t.Helper()
	w.counted(len(seeders), len(leechers))
	want := int32(len(seeders) + len(leechers) + 5)
	for _, v6 := range []bool{false, true} {
		as, al := inFamily(seeders, v6), inFamily(leechers, v6)
		got := w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: true, Want: want, V6: v6})
		if wrong := misplaced(got, al); wrong != "" {
			w.t.Errorf("%s peers for a seeder (leechers): %s", familyName(v6), wrong)
		}
		got = w.list(&trackerv1.AnnouncePeersRequest{ForSeeder: false, Want: want, V6: v6})
		if wrong := misplaced(got, as, al); wrong != "" {
			w.t.Errorf("%s peers for a leecher (seeders, then leechers): %s", familyName(v6), wrong)
		}
	}
}

// counted checks the counts of a swarm, alone and among others: these may be different queries.
func (w *swarm) counted(seeders, leechers int) {
	w.t.Helper()
	alone, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: w.hash})
	if err != nil {
		w.t.Fatalf("ScrapeSwarm: %v", err)
	}
	for how, got := range map[string]*trackerv1.Swarm{"ScrapeSwarm": alone, "ScrapeSwarms": w.scrapeAmong()} {
		if got.Seeders != int64(seeders) || got.Leechers != int64(leechers) {
			w.t.Errorf("%s counts %d seeders and %d leechers; there should be %d and %d",
				how, got.Seeders, got.Leechers, seeders, leechers)
		}
	}
}

// downloaded checks the count of completed downloads, alone and among others.
func (w *swarm) downloaded(want int) {
	w.t.Helper()
	alone, err := w.client().ScrapeSwarm(w.ctx, &trackerv1.ScrapeSwarmRequest{InfoHash: w.hash})
	if err != nil {
		w.t.Fatalf("ScrapeSwarm: %v", err)
	}
	for how, got := range map[string]*trackerv1.Swarm{"ScrapeSwarm": alone, "ScrapeSwarms": w.scrapeAmong()} {
		if got.Snatched != int64(want) {
			w.t.Errorf("%s counts %d downloads; there should be %d", how, got.Snatched, want)
		}
	}
}

// scrape counts several swarms in one call.
func (w *swarm) scrape(hashes ...[]byte) []*trackerv1.Swarm {
	w.t.Helper()
	response, err := w.client().ScrapeSwarms(w.ctx, &trackerv1.ScrapeSwarmsRequest{InfoHashes: hashes})
	if err != nil {
		w.t.Fatalf("ScrapeSwarms of %d: %v", len(hashes), err)
	}
	if len(response.Swarms) != len(hashes) {
		w.t.Fatalf("ScrapeSwarms of %d answers %d swarms", len(hashes), len(response.Swarms))
	}
	return response.Swarms
}

// scrapeAmong counts the swarm in one call with others. One swarm alone may be counted by another
// query.
func (w *swarm) scrapeAmong() *trackerv1.Swarm {
	w.t.Helper()
	return w.scrape(random(20), w.hash, random(20))[1]
}

// refused checks that an error is what the contract says, for programs and not only for people.
func refused(t T, call string, err error, code codes.Code, reason fault.Reason) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s succeeded; it should be refused with %s", call, code)
	case status.Code(err) != code || fault.ReasonOf(err) != reason:
		t.Errorf("%s: code %s, reason %q; it should be %s, %q (%v)", call, status.Code(err), fault.ReasonOf(err), code, reason, err)
	}
}

// misplaced says what is wrong with a list of peers; "" if it is right. The groups come one after
// the other, in any order within. A list holds each address and port once, so peers that share
// them stand for each other, and those of an earlier group for those of a later.
func misplaced(got peers, groups ...peers) string {
	listed := map[string]bool{}
	for i, group := range groups {
		ids := map[string]peers{}
		for _, p := range group {
			if !listed[place(p)] {
				ids[place(p)] = append(ids[place(p)], p)
			}
		}
		for range len(ids) {
			if len(got) == 0 {
				return fmt.Sprintf("%d missing of group %d", len(ids), i+1)
			}
			p := got[0]
			if !containsPeer(ids[place(p)], p) {
				return fmt.Sprintf("%s is not expected here", name(p))
			}
			delete(ids, place(p))
			listed[place(p)] = true
			got = got[1:]
		}
	}
	if len(got) > 0 {
		return fmt.Sprintf("%d too many, first %s", len(got), name(got[0]))
	}
	return ""
}

func containsPeer(list peers, p *trackerv1.Peer) bool {
	return slices.ContainsFunc(list, func(q *trackerv1.Peer) bool {
		return place(p) == place(q) && bytes.Equal(p.PeerId, q.PeerId)
	})
}

func inFamily(list peers, v6 bool) peers {
	return slices.DeleteFunc(slices.Clone(list), func(p *trackerv1.Peer) bool { return isV6(p) != v6 })
}

// place is a peer's address and port. Addresses are compared as they are, so that a mapped one is
// not taken for the plain one.
func place(p *trackerv1.Peer) string { return fmt.Sprintf("%x:%d", p.GetAddress(), p.GetPort()) }

func name(p *trackerv1.Peer) string {
	addr, _ := netip.AddrFromSlice(p.GetAddress())
	return fmt.Sprintf("peer %x at %s port %d", p.GetPeerId(), addr, p.GetPort())
}

func roleName(role bool) string {
	if role {
		return "seeder"
	}
	return "leecher"
}

func familyName(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}
