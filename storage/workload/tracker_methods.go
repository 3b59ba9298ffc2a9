package workload

import (
	"time"

	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// timeless leaves the time to the service.
var timeless time.Time

// methods are the composed methods; those that are exactly one operation are measured by that.
func (d *trackerData) methods() []*Case {
	var all []*Case
	if d.plan.Has(trackerv1.Swarms_PutPeer_FullMethodName) {
		all = append(all, d.announces()...)
		all = append(all, d.peerLists()...)
		all = append(all, d.peerMethods()...)
		all = append(all, d.scrapes()...)
	}
	if d.plan.Has(trackerv1.Operations_DataAdd_FullMethodName) {
		all = append(all, d.dataMethods()...)
	}
	capabilities := trackerv1.Swarms_Capabilities_FullMethodName
	return append(all, &Case{Method: capabilities, Differ: never, Turn: func(int64) Turn {
		return Turn{Call: Request{Method: capabilities, Message: &trackerv1.CapabilitiesRequest{}}}
	}})
}

// never is for answers of which the contract fixes nothing.
func never(Turn, *Answer, *Answer) string { return "" }

// announces are the four kinds of announce: nearly all are of clients that are known.
func (d *trackerData) announces() []*Case {
	known := d.announce("interval", func(n int64) (Turn, *peer, trackerv1.Action) {
		p := d.someone("announce", n)
		if p.seeder {
			return Turn{}, p, trackerv1.Action_PUT_SEEDER
		}
		return Turn{}, p, trackerv1.Action_PUT_LEECHER
	})
	started := d.announce("started", func(n int64) (Turn, *peer, trackerv1.Action) {
		p := d.passing(forAnnounceStarted, n)
		return Turn{After: d.removal(p)}, p, trackerv1.Action_PUT_LEECHER
	})
	completed := d.announce("completed", func(n int64) (Turn, *peer, trackerv1.Action) {
		p := d.passing(forAnnounceCompleted, n)
		return Turn{Before: []Request{d.put(p, false, timeless)}, After: d.removal(p)}, p, trackerv1.Action_GRADUATE
	})
	stopped := d.announce("stopped", func(n int64) (Turn, *peer, trackerv1.Action) {
		p := d.passing(forAnnounceStopped, n)
		return Turn{Before: []Request{d.put(p, n%2 == 0, timeless)}, After: d.removal(p)}, p, trackerv1.Action_REMOVE
	})
	started.Bounded, completed.Bounded, stopped.Bounded = true, true, true
	completed.Stays = d.plan.Has(trackerv1.Operations_DownloadsInc_FullMethodName)
	return d.loadedOnly([]*Case{known}, []*Case{started, completed, stopped})
}

func (d *trackerData) announce(variant string, turn func(n int64) (Turn, *peer, trackerv1.Action)) *Case {
	method := trackerv1.Swarms_Announce_FullMethodName
	return &Case{Method: method, Variant: variant, Writes: true, Differ: d.differentAnnounces, Wrong: d.wrongPeers, Turn: func(n int64) Turn {
		t, p, action := turn(n)
		families := []trackerv1.Family{trackerv1.Family_IPV4, trackerv1.Family_IPV6}
		if p.v6() {
			families[0], families[1] = families[1], families[0]
		}
		t.Call = Request{Method: method, Message: &trackerv1.AnnounceRequest{InfoHashes: [][]byte{p.hash}, Peers: []*trackerv1.Peer{p.message()},
			Action: action, ForSeeder: action == trackerv1.Action_PUT_SEEDER || action == trackerv1.Action_GRADUATE,
			Want: want, Families: families, WantCounts: true}}
		return t
	}}
}

func (d *trackerData) peerLists() []*Case {
	method := trackerv1.Swarms_AnnouncePeers_FullMethodName
	c := d.read(method, func(n, swarm int64) proto.Message {
		return &trackerv1.AnnouncePeersRequest{InfoHash: d.swarms.hash(swarm), ForSeeder: n%2 == 0, Want: want, V6: n%4 == 3}
	})
	c.Direct, c.MayBeAbsent, c.Differ, c.Wrong = false, true, d.differentPeers, d.wrongPeers
	return []*Case{c}
}

func (d *trackerData) peerMethods() []*Case {
	remove, graduate := trackerv1.Swarms_RemovePeer_FullMethodName, trackerv1.Swarms_GraduateLeecher_FullMethodName
	tell := func(_ Turn, a, b *Answer) string { return compareBut(a, b, "affected", "promoted") }
	removal := &Case{Method: remove, Writes: true, Bounded: true, Differ: tell, Turn: func(n int64) Turn {
		p := d.passing(forRemove, n)
		return Turn{Before: []Request{d.put(p, n%2 == 0, timeless)}, After: d.removal(p),
			Call: Request{Method: remove, Message: &trackerv1.RemovePeerRequest{InfoHash: p.hash, Peer: p.message()}}}
	}}
	counts := d.plan.Has(trackerv1.Operations_DownloadsInc_FullMethodName)
	graduation := &Case{Method: graduate, Writes: true, Bounded: true, Stays: counts, Differ: tell, Turn: func(n int64) Turn {
		p := d.passing(forGraduateLeecher, n)
		return Turn{Before: []Request{d.put(p, false, timeless)}, After: d.removal(p),
			Call: Request{Method: graduate, Message: &trackerv1.GraduateLeecherRequest{InfoHash: p.hash, Peer: p.message()}}}
	}}
	return []*Case{removal, graduation, d.putPeers()}
}

// putPeers refreshes many peers at once; where none is known, it stores passing ones.
func (d *trackerData) putPeers() *Case {
	method := trackerv1.Swarms_PutPeers_FullMethodName
	return &Case{Method: method, Variant: "100 peers", Writes: true, Bounded: d.peers == 0,
		Differ: func(_ Turn, a, b *Answer) string { return compareBut(a, b, "affected") },
		Turn: func(n int64) Turn {
			var t Turn
			request := &trackerv1.PutPeersRequest{}
			for i := range int64(batch) {
				p := d.batched(n*batch + i)
				request.Changes = append(request.Changes, &trackerv1.PeerChange{Kind: trackerv1.PeerChange_PUT, InfoHash: p.hash, Peer: p.message(), IsSeeder: p.seeder})
				if d.peers == 0 {
					t.After = append(t.After, d.removal(p)...)
				}
			}
			t.Call = Request{Method: method, Message: request}
			return t
		}}
}

func (d *trackerData) batched(n int64) *peer {
	if d.peers == 0 {
		return d.passing(forPutPeers, n)
	}
	return d.someone("batch", n)
}

func (d *trackerData) scrapes() []*Case {
	method := func(c *Case) *Case {
		c.Direct = false
		return c
	}
	family := method(d.read(trackerv1.Swarms_ScrapeFamily_FullMethodName, func(n, swarm int64) proto.Message {
		return &trackerv1.ScrapeFamilyRequest{InfoHash: d.swarms.hash(swarm), V6: n%4 == 3}
	}))
	family.Differ = func(_ Turn, a, b *Answer) string {
		if bothFamilies(a) != bothFamilies(b) {
			return "" // one of the query sets cannot tell families apart, and says so
		}
		return Compare(a, b)
	}
	stats := trackerv1.Swarms_Stats_FullMethodName
	return []*Case{
		method(d.read(trackerv1.Swarms_ScrapeSwarm_FullMethodName, func(_, swarm int64) proto.Message {
			return &trackerv1.ScrapeSwarmRequest{InfoHash: d.swarms.hash(swarm)}
		})),
		family,
		method(d.read(trackerv1.Swarms_ScrapeSwarms_FullMethodName, func(n, _ int64) proto.Message {
			return &trackerv1.ScrapeSwarmsRequest{InfoHashes: d.hashes(n)}
		})),
		{Method: stats, Alone: true, Differ: func(_ Turn, a, b *Answer) string { return compareBut(a, b, "info_hashes") },
			Turn: func(int64) Turn { return Turn{Call: Request{Method: stats, Message: &trackerv1.StatsRequest{}}} }},
	}
}

func bothFamilies(a *Answer) bool {
	if len(a.Rows) != 1 {
		return false
	}
	swarm, ok := a.Rows[0].(*trackerv1.Swarm)
	return ok && swarm.GetBothFamilies()
}

func (d *trackerData) dataMethods() []*Case {
	put, contains := trackerv1.Data_Put_FullMethodName, trackerv1.Data_Contains_FullMethodName
	return []*Case{
		{Method: put, Writes: true, Bounded: true, Turn: func(n int64) Turn {
			key := d.key("put", n)
			return Turn{After: []Request{d.drop(key)}, Call: Request{Method: put, Message: &trackerv1.PutRequest{Context: dataContext,
				Entries: []*trackerv1.Entry{{Key: key, Value: digest(d.plan.Seed, "value", n, 24)}}}}}
		}},
		{Method: contains, Turn: func(n int64) Turn {
			return Turn{Call: Request{Method: contains, Message: &trackerv1.ContainsRequest{Context: dataContext,
				Keys: [][]byte{d.key("entry", below(random(d.plan.Seed, "contains", n), max(d.entries, 1))), d.key("missing", n)}}}}
		}},
	}
}
