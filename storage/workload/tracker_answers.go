package workload

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// peersOf returns the peers in an answer: the rows of an operation, or the list of a method.
func peersOf(a *Answer) []*trackerv1.Peer {
	var peers []*trackerv1.Peer
	for _, row := range a.Rows {
		switch m := row.(type) {
		case *trackerv1.Peer:
			peers = append(peers, m)
		case *trackerv1.AnnouncePeersResponse:
			peers = append(peers, m.GetPeers()...)
		case *trackerv1.AnnounceResponse:
			peers = append(peers, m.GetPeers()...)
		}
	}
	return peers
}

// differentPeers compares lists of peers. Which peers are chosen out of more than were asked for is
// left to the query, and so is their order within a role; how many there are is not, and where all
// fit they must be the same.
func (d *trackerData) differentPeers(turn Turn, a, b *Answer) string {
	left, right := peersOf(a), peersOf(b)
	if len(left) != len(right) {
		return fmt.Sprintf("A lists %d peers, B %d", len(left), len(right))
	}
	if len(left) >= want {
		return ""
	}
	there := map[string]bool{}
	for _, p := range left {
		there[keyOf(p)] = true
	}
	for _, p := range right {
		if !there[keyOf(p)] {
			return "only B lists " + Describe(p)
		}
	}
	return ""
}

func keyOf(p *trackerv1.Peer) string {
	return fmt.Sprintf("%x %x %d", p.GetPeerId(), p.GetAddress(), p.GetPort())
}

// differentAnnounces compares the peers by what the contract fixes, and all the rest exactly.
func (d *trackerData) differentAnnounces(turn Turn, a, b *Answer) string {
	if difference := d.differentPeers(turn, a, b); difference != "" {
		return difference
	}
	x, y := cloned(a), cloned(b)
	for _, answer := range []*Answer{x, y} {
		for _, row := range answer.Rows {
			if m, ok := row.(*trackerv1.AnnounceResponse); ok {
				m.Peers = nil
			}
		}
	}
	return compareBut(x, y, "affected")
}

// differentScrapes compares counts by hash: a hash without a row is one without peers.
func differentScrapes(_ Turn, a, b *Answer) string {
	without := func(answer *Answer) *Answer {
		rest := *answer
		rest.Rows = nil
		for _, row := range answer.Rows {
			if m, ok := row.(*trackerv1.ScrapeRow); ok && m.GetSeeders()+m.GetLeechers()+m.GetDownloads() > 0 {
				rest.Rows = append(rest.Rows, row)
			}
		}
		return &rest
	}
	return Compare(without(a), without(b))
}

// asked is what a call for peers asks for.
type asked struct {
	hash     []byte
	families map[bool]bool
	// roles are those that may be listed: seeders (true), leechers (false).
	roles map[bool]bool
	most  int
}

func askedBy(call proto.Message) (asked, bool) {
	leechers, both := map[bool]bool{false: true}, map[bool]bool{true: true, false: true}
	rolesFor := func(seeder bool) map[bool]bool {
		if seeder {
			return leechers
		}
		return both
	}
	switch m := call.(type) {
	case *trackerv1.AnnounceParameters:
		return asked{m.GetInfoHash(), map[bool]bool{m.GetIsV6(): true}, map[bool]bool{m.GetIsSeeder(): true}, int(m.GetCount())}, true
	case *trackerv1.AnnounceMixedParameters:
		return asked{m.GetInfoHash(), map[bool]bool{m.GetIsV6(): true}, rolesFor(m.GetForSeeder()), int(m.GetCount())}, true
	case *trackerv1.AnnouncePeersRequest:
		return asked{m.GetInfoHash(), map[bool]bool{m.GetV6(): true}, rolesFor(m.GetForSeeder()), int(m.GetWant())}, true
	case *trackerv1.AnnounceRequest:
		return asked{m.GetInfoHashes()[0], both, rolesFor(m.GetForSeeder()), int(m.GetWant())}, true
	}
	return asked{}, false
}

// wrongPeers holds a list against what was stored: nobody who was not stored there, in a role and
// family that was asked for, seeders before leechers within a family, nobody twice, not too many.
func (d *trackerData) wrongPeers(turn Turn, answer *Answer) string {
	want, ok := askedBy(turn.Call.Message)
	if !ok || d.peers == 0 {
		return ""
	}
	peers := peersOf(answer)
	if len(peers) > want.most {
		return fmt.Sprintf("%d peers are listed, and %d were asked for", len(peers), want.most)
	}
	seen, leecherSeen := map[string]bool{}, map[bool]bool{}
	for _, listed := range peers {
		if seen[keyOf(listed)] {
			return "listed twice: " + Describe(listed)
		}
		seen[keyOf(listed)] = true
		stored, why := d.stored(want, listed)
		if why != "" {
			return why + ": " + Describe(listed)
		}
		if stored == nil {
			continue
		}
		if stored.seeder && leecherSeen[stored.v6()] {
			return "a seeder is listed after leechers: " + Describe(listed)
		}
		leecherSeen[stored.v6()] = leecherSeen[stored.v6()] || !stored.seeder
	}
	return ""
}

// stored returns the stored peer that is listed, or why it cannot be listed; neither for a passing one,
// whose role changes.
func (d *trackerData) stored(want asked, listed *trackerv1.Peer) (*peer, string) {
	n, ok := number(listed.GetPeerId())
	if !ok {
		return nil, "was never stored"
	}
	if n >= d.plan.Size {
		return nil, ""
	}
	p := d.loaded(n)
	switch {
	case !bytes.Equal(p.hash, want.hash):
		return nil, "is in another swarm"
	case !bytes.Equal(p.id, listed.GetPeerId()) || !bytes.Equal(p.addr.AsSlice(), listed.GetAddress()) || p.port != listed.GetPort():
		return nil, "was never stored so"
	case !want.families[p.v6()]:
		return nil, "is of the other address family"
	case !want.roles[p.seeder]:
		return nil, "has the other role"
	}
	return p, ""
}
