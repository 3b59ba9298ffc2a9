package conformance

import (
	"bytes"
	"slices"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func peerAddCases() []swarmCase {
	const upsert = "a peer with the same key takes the new role and timestamp; it is never there twice"
	cases := []swarmCase{
		{name: "peer.add stores an IPv4 leecher", on: on(keys(peerAdd), lists, counts), says: "what is stored is listed and counted",
			run: func(w *swarm) { p := peer4(); w.put(leecher, p); w.expect(nobody, peers{p}) }},
		{name: "peer.add stores an IPv4 seeder", on: on(keys(peerAdd), lists, counts), says: "what is stored is listed and counted",
			run: func(w *swarm) { p := peer4(); w.put(seeder, p); w.expect(peers{p}, nobody) }},
		{name: "peer.add stores an IPv6 leecher", on: on(keys(peerAdd), lists, counts), says: "what is stored is listed and counted",
			run: func(w *swarm) { p := peer6(); w.put(leecher, p); w.expect(nobody, peers{p}) }},
		{name: "peer.add stores an IPv6 seeder", on: on(keys(peerAdd), lists, counts), says: "what is stored is listed and counted",
			run: func(w *swarm) { p := peer6(); w.put(seeder, p); w.expect(peers{p}, nobody) }},
		{name: "peer.add of the same peer again makes no second row", on: keys(peerAdd), says: upsert,
			run: func(w *swarm) { p := peer4(); w.put(leecher, p, p, p); w.expect(nobody, peers{p}) }},
		{name: "peer.add turns a leecher into a seeder", on: keys(peerAdd), says: upsert,
			run: func(w *swarm) { p := peer4(); w.put(leecher, p); w.put(seeder, p); w.expect(peers{p}, nobody) }},
		{name: "peer.add turns a seeder into a leecher", on: keys(peerAdd), says: upsert,
			run: func(w *swarm) { p := peer6(); w.put(seeder, p); w.put(leecher, p); w.expect(nobody, peers{p}) }},
		{name: "peer.add refreshes the timestamp", on: keys(peerAdd, gcQuery), says: upsert, needs: []Capability{Collects}, exclusive: true,
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				w.putAt(w.stale(), leecher, p)
				w.putAt(w.stale(), seeder, q)
				w.put(leecher, p)
				w.put(seeder, q)
				w.collect()
				w.expect(peers{q}, peers{p})
			}},
		{name: "peer.add refreshes the timestamp with a new role", on: keys(peerAdd, gcQuery), says: upsert, needs: []Capability{Collects}, exclusive: true,
			run: func(w *swarm) {
				p := peer4()
				w.putAt(w.stale(), leecher, p)
				w.put(seeder, p)
				w.collect()
				w.expect(peers{p}, nobody)
			}},
		{name: "peer.add stores one client in several swarms", on: keys(peerAdd), says: "the info hash is part of the key",
			run: func(w *swarm) {
				p, other := peer4(), w.other()
				w.put(leecher, p)
				other.put(seeder, p)
				w.expect(nobody, peers{p})
				other.expect(peers{p}, nobody)
			}},
		{name: "peer.add stores both addresses of a client", on: keys(peerAdd), says: "the address is part of the key (BEP 7)",
			needs: []Capability{ManyAddresses},
			run: func(w *swarm) {
				p := peer4()
				q := with(p, func(q *trackerv1.Peer) { q.Address = peer6().Address })
				w.put(leecher, p)
				w.put(leecher, q)
				w.expect(nobody, peers{p, q})
			}},
		{name: "peer.add tells one affected row, or nothing", on: keys(peerAdd), says: "a known number of rows is the number of rows",
			run: func(w *swarm) {
				got, err := w.client().PutPeer(w.ctx, &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: peer4()})
				if err != nil {
					w.t.Fatalf("PutPeer: %v", err)
				}
				if got.Affected != nil && *got.Affected != 1 {
					w.t.Errorf("a new peer affects %d rows; it should be 1", *got.Affected)
				}
			}},
		{name: "peer.add takes what the host knows of the client", on: keys(peerAdd), says: "the values of the host reach the queries that use them, and disturb no other",
			run: func(w *swarm) {
				p := peer4()
				request := &trackerv1.PutPeerRequest{InfoHash: w.hash, Peer: p, HostValues: hostValues("started", 10)}
				if _, err := w.client().PutPeer(w.ctx, request); err != nil {
					w.t.Fatalf("PutPeer with host values: %v", err)
				}
				request.HostValues = hostValues("", 5)
				if _, err := w.client().PutPeer(w.ctx, request); err != nil {
					w.t.Fatalf("PutPeer with host values, again: %v", err)
				}
				w.expect(nobody, peers{p})
			}},
		{name: "peer.add derives the family from the address", on: keys(peerAdd), says: "is_v6 follows from the address; what the caller says is ignored",
			run: func(w *swarm) {
				p, q := peer4(), peer6()
				for _, r := range []*trackerv1.PutPeerRequest{
					{InfoHash: w.hash, Peer: p, IsV6: true}, {InfoHash: w.hash, Peer: q, IsV6: false},
				} {
					if _, err := w.client().PutPeer(w.ctx, r); err != nil {
						w.t.Fatalf("PutPeer: %v", err)
					}
				}
				w.expect(nobody, peers{p, q})
			}},
	}
	return append(cases, beside("peer.add leaves alone the peer", "only the peer with this key takes the new role",
		keys(peerAdd), nil, func(w *swarm, p *trackerv1.Peer, v *swarm, n *trackerv1.Peer) {
			v.put(leecher, n)
			w.put(leecher, p)
			w.put(seeder, p)
			expectBoth(w, peers{p}, nobody, v, n, leecher)
		})...)
}

func hostValues(event string, left int64) *trackerv1.HostValues {
	up, down, agent := int64(1)<<40, int64(7), "Client/1.0 (\"quoted\" 'twice' \\ %)"
	return &trackerv1.HostValues{Event: &event, Uploaded: &up, Downloaded: &down, Left: &left, UserAgent: &agent}
}

// awkward are starts of byte strings that text functions, quoting and padding damage.
var awkward = map[string][]byte{
	"zero bytes":       {0, 0, 0, 0, 0, 0, 0, 0},
	"0xff bytes":       {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	"quotes":           []byte(`'"''";--`),
	"backslashes":      []byte(`\\x00\'\`),
	"hex escape":       []byte(`\x414243`),
	"spaces":           []byte("        "),
	"pattern letters":  []byte("%_%_*?[^"),
	"broken UTF-8":     {0xc3, 0x28, 0xa0, 0xa1, 0xe2, 0x28, 0xa1, 0xf0},
	"lines":            []byte("\r\n\t\n\r\b\x1a\x7f"),
	"parameter-like":   []byte("@key $1 "),
	"upper-case ASCII": []byte("ABCDEFGH"),
}

func peerValueCases() []swarmCase {
	return []swarmCase{
		{name: "peer.add keeps a 32-byte hash apart from its prefix", on: on(keys(peerAdd), lists, counts),
			says: "an info hash is opaque: 32 bytes and their first 20 are two swarms", needs: []Capability{Stores32ByteHashes},
			run: func(w *swarm) {
				long := w.of(slices.Concat(w.hash, random(12)))
				p, q := peer4(), peer4()
				long.put(leecher, p)
				w.counted(0, 0)
				w.put(seeder, q)
				w.expect(peers{q}, nobody)
				long.expect(nobody, peers{p})
			}},
		{name: "peer.add stores an IPv4-mapped address as IPv4", on: on(keys(peerAdd), lists),
			says: "an IPv4-mapped IPv6 address is unmapped",
			run: func(w *swarm) {
				p := peer4()
				w.put(leecher, mapped(p))
				w.expect(nobody, peers{p})
				w.put(seeder, p)
				w.expect(peers{p}, nobody)
			}},
		{name: "peer.add stores every port", on: on(keys(peerAdd), lists), says: "a port is 1 to 65535",
			run: func(w *swarm) {
				var all peers
				for _, port := range []uint32{1, 255, 256, 1024, 32767, 32768, 65534, 65535} {
					all = append(all, with(peer4(), func(p *trackerv1.Peer) { p.Port = port }))
				}
				w.put(leecher, all...)
				w.expect(nobody, all)
			}},
		{name: "peer.add stores every address", on: on(keys(peerAdd), lists), says: "which addresses are welcome is the host's business",
			run: func(w *swarm) {
				var all peers
				for _, address := range [][]byte{
					{0, 0, 0, 0}, {0, 0, 0, 1}, {1, 0, 0, 0}, {10, 0, 0, 1}, {127, 0, 0, 1}, {192, 168, 0, 0}, {223, 255, 255, 255}, {255, 255, 255, 255},
					make([]byte, 16), append(make([]byte, 15), 1), {0x20, 15: 0}, {0xfe, 0x80, 15: 1}, {0xfd, 15: 0xff}, bytes.Repeat([]byte{0xff}, 16),
				} {
					all = append(all, peerAt(address))
				}
				w.put(seeder, all...)
				w.expect(all, nobody)
			}},
		{name: "peer.add stores any bytes as info hash", on: on(keys(peerAdd, peerDel), lists, counts), says: "an info hash is opaque bytes",
			run: func(w *swarm) {
				for what, start := range awkward {
					p, v := peer4(), w.of(append(bytes.Clone(start), random(12)...))
					end := w.of(append(random(12), start...))
					v.put(leecher, p)
					end.put(seeder, p)
					v.t.Logf("info hash with %s", what)
					v.expect(nobody, peers{p})
					end.expect(peers{p}, nobody)
					v.mustDelete(leecher, p)
					v.expect(nobody, nobody)
				}
			}},
		{name: "peer.add stores any bytes as peer id", on: on(keys(peerAdd, peerDel, peerGraduate), lists), says: "a peer id is 20 bytes that the client chooses",
			run: func(w *swarm) {
				for what, start := range awkward {
					v := w.other()
					p := with(peer4(), func(p *trackerv1.Peer) { p.PeerId = append(bytes.Clone(start), random(12)...) })
					q := with(peer6(), func(p *trackerv1.Peer) { p.PeerId = append(random(12), start...) })
					v.t.Logf("peer id with %s", what)
					v.put(leecher, p, q)
					v.expect(nobody, peers{p, q})
					v.graduate(p)
					v.mustDelete(leecher, q)
					v.expect(peers{p}, nobody)
				}
			}},
		{name: "peer.add tells peer ids apart that differ in case or after a zero byte", on: keys(peerAdd), says: "a peer id is compared byte by byte",
			run: func(w *swarm) {
				p := with(peer4(), func(p *trackerv1.Peer) { p.PeerId = []byte("-MO0001-\x00bcdefghijkl") })
				q := with(peer4(), func(p *trackerv1.Peer) { p.PeerId = []byte("-MO0001-\x00BCDEFGHIJKL") })
				q.Address, q.Port = p.Address, p.Port
				w.put(seeder, p)
				w.put(leecher, q)
				w.counted(1, 1)
				w.mustDelete(leecher, q)
				w.expect(peers{p}, nobody)
			}},
	}
}
