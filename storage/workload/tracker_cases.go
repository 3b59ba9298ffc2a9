package workload

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// Passing clients by what they are for; each has numbers of its own.
const (
	forNew = iota
	forDelete
	forGraduate
	forAnnounceStarted
	forAnnounceCompleted
	forAnnounceStopped
	forRemove
	forGraduateLeecher
	forPutPeers
	forGC
	forRunGC
	purposes
)

// batch is how many peers PutPeers writes at once, and hashes how many swarms a scrape asks for.
const (
	batch  = 100
	hashes = 20
	// collected is how many stale peers are put there for a collection.
	collected = 200
)

// Cases are those for which the operator gave the queries.
func (d *trackerData) Cases() []*Case {
	if d.plan.Size == 0 && len(d.plan.Keys) == 0 {
		return nil
	}
	var all []*Case
	all = append(all, d.peerReads()...)
	all = append(all, d.peerWrites()...)
	all = append(all, d.dataCases()...)
	all = append(all, d.upkeep()...)
	all = append(all, d.methods()...)
	all = append(all, d.collections()...) // last, because they take the stale peers away
	return slices.DeleteFunc(all, func(c *Case) bool { return c.Direct && !d.plan.Has(c.Method) })
}

// read makes a case of a call that changes nothing.
func (d *trackerData) read(method string, call func(n int64, swarm int64) proto.Message) *Case {
	return &Case{Method: method, Direct: true, Turn: func(n int64) Turn {
		swarm := d.swarms.pick(random(d.plan.Seed, method, n))
		return Turn{Call: Request{Method: method, Message: call(n, swarm)}}
	}}
}

func (d *trackerData) peerReads() []*Case {
	announce := d.read(trackerv1.Operations_Announce_FullMethodName, func(n, swarm int64) proto.Message {
		return &trackerv1.AnnounceParameters{InfoHash: d.swarms.hash(swarm), IsSeeder: n%2 == 0, IsV6: n%4 == 3, Count: want, AliveSince: d.aliveSince()}
	})
	mixed := d.read(trackerv1.Operations_AnnounceMixed_FullMethodName, func(n, swarm int64) proto.Message {
		return &trackerv1.AnnounceMixedParameters{InfoHash: d.swarms.hash(swarm), ForSeeder: n%2 == 0, IsV6: n%4 == 3, Count: want, AliveSince: d.aliveSince()}
	})
	announce.Differ, announce.Wrong = d.differentPeers, d.wrongPeers
	mixed.Differ, mixed.Wrong = d.differentPeers, d.wrongPeers
	return []*Case{announce, mixed,
		d.read(trackerv1.Operations_SwarmCount_FullMethodName, func(_, swarm int64) proto.Message {
			return &trackerv1.SwarmCountParameters{InfoHash: d.swarms.hash(swarm), AliveSince: d.aliveSince()}
		}),
		d.read(trackerv1.Operations_FamilyCount_FullMethodName, func(n, swarm int64) proto.Message {
			return &trackerv1.FamilyCountParameters{InfoHash: d.swarms.hash(swarm), IsV6: n%4 == 3, AliveSince: d.aliveSince()}
		}),
		d.scrape(),
		d.read(trackerv1.Operations_DownloadsGet_FullMethodName, func(_, swarm int64) proto.Message {
			return &trackerv1.DownloadsGetParameters{InfoHash: d.swarms.hash(swarm)}
		}),
	}
}

func (d *trackerData) scrape() *Case {
	c := d.read(trackerv1.Operations_PeerScrape_FullMethodName, func(n, _ int64) proto.Message {
		return &trackerv1.PeerScrapeParameters{InfoHashes: d.hashes(n), AliveSince: d.aliveSince()}
	})
	c.Differ = differentScrapes
	return c
}

// hashes are those of one scrape, each once.
func (d *trackerData) hashes(n int64) [][]byte {
	var list [][]byte
	seen := map[int64]bool{}
	for i := range int64(hashes) {
		swarm := d.swarms.pick(random(d.plan.Seed, "scrape", n*hashes+i))
		if !seen[swarm] {
			seen[swarm] = true
			list = append(list, d.swarms.hash(swarm))
		}
	}
	return list
}

func (d *trackerData) peerWrites() []*Case {
	put := trackerv1.Swarms_PutPeer_FullMethodName
	refresh := &Case{Method: put, Direct: true, Variant: "refresh", Writes: true, Turn: func(n int64) Turn {
		p := d.someone("refresh", n)
		return Turn{Call: d.put(p, p.seeder, timeless)}
	}}
	fresh := &Case{Method: put, Direct: true, Variant: "new", Writes: true, Bounded: true, Turn: func(n int64) Turn {
		p := d.passing(forNew, n)
		return Turn{Call: d.put(p, n%2 == 0, timeless), After: []Request{d.remove(p, n%2 == 0)}}
	}}
	remove := &Case{Method: trackerv1.Swarms_DeletePeer_FullMethodName, Direct: true, Writes: true, Bounded: true, Turn: func(n int64) Turn {
		p := d.passing(forDelete, n)
		gone := d.remove(p, n%2 == 0)
		return Turn{Before: []Request{d.put(p, n%2 == 0, timeless)}, Call: gone, After: []Request{gone}}
	}}
	graduate := &Case{Method: trackerv1.Operations_PeerGraduate_FullMethodName, Direct: true, Writes: true, Bounded: true, Turn: func(n int64) Turn {
		p := d.passing(forGraduate, n)
		return Turn{Before: []Request{d.put(p, false, timeless)}, After: d.removal(p),
			Call: Request{Method: trackerv1.Operations_PeerGraduate_FullMethodName, Message: &trackerv1.PeerGraduateParameters{InfoHash: p.hash, Peer: p.message()}}}
	}}
	count := &Case{Method: trackerv1.Operations_DownloadsInc_FullMethodName, Direct: true, Writes: true, Stays: true, Turn: func(n int64) Turn {
		return Turn{Call: d.increment(d.anySwarm("inc", n))}
	}}
	return d.loadedOnly([]*Case{refresh}, []*Case{fresh, remove, graduate, count})
}

// loadedOnly leaves out the first cases where no peer is known.
func (d *trackerData) loadedOnly(first, rest []*Case) []*Case {
	if d.peers == 0 {
		return rest
	}
	return append(first, rest...)
}

// someone is a stored peer that is alive, chosen anew at each turn. A stale one would come back to life,
// and how many are left would depend on how many calls were made.
func (d *trackerData) someone(purpose string, n int64) *peer {
	x := below(random(d.plan.Seed, purpose, n), d.peers)
	if x%staleEach == staleAt {
		x--
	}
	return d.loaded(x)
}

// anySwarm chooses without regard to size: completed downloads meet in one counter less often than
// announces in one swarm.
func (d *trackerData) anySwarm(purpose string, n int64) int64 {
	return below(random(d.plan.Seed, purpose, n), d.swarms.count())
}

// removal takes a client away whatever its role.
func (d *trackerData) removal(p *peer) []Request {
	return []Request{d.remove(p, true), d.remove(p, false)}
}

func (d *trackerData) dataCases() []*Case {
	load := trackerv1.Data_Load_FullMethodName
	read := &Case{Method: load, Direct: true, Turn: func(n int64) Turn {
		key := d.key("entry", below(random(d.plan.Seed, "load", n), max(d.entries, 1)))
		return Turn{Call: Request{Method: load, Message: &trackerv1.LoadRequest{Context: dataContext, Key: key}}}
	}}
	missing := &Case{Method: load, Direct: true, Variant: "missing", MayBeAbsent: true, Turn: func(n int64) Turn {
		return Turn{Call: Request{Method: load, Message: &trackerv1.LoadRequest{Context: dataContext, Key: d.key("missing", n)}}}
	}}
	add := &Case{Method: trackerv1.Operations_DataAdd_FullMethodName, Direct: true, Writes: true, Bounded: true, Turn: func(n int64) Turn {
		key := d.key("add", n)
		return Turn{Call: d.add(key, n), After: []Request{d.drop(key)}}
	}}
	drop := &Case{Method: trackerv1.Data_Delete_FullMethodName, Direct: true, Writes: true, Bounded: true, Turn: func(n int64) Turn {
		key := d.key("delete", n)
		return Turn{Before: []Request{d.add(key, n)}, Call: d.drop(key), After: []Request{d.drop(key)}}
	}}
	if d.entries == 0 {
		return []*Case{missing, add, drop}
	}
	return []*Case{read, missing, add, drop}
}

func (d *trackerData) upkeep() []*Case {
	ping := trackerv1.Database_Ping_FullMethodName
	total := trackerv1.Operations_PeerCount_FullMethodName
	swarms := trackerv1.Operations_InfoHashCount_FullMethodName
	return []*Case{
		{Method: ping, Direct: true, Turn: func(int64) Turn { return Turn{Call: Request{Method: ping, Message: &trackerv1.PingRequest{}}} }},
		{Method: total, Direct: true, Alone: true, Turn: func(int64) Turn {
			return Turn{Call: Request{Method: total, Message: &trackerv1.PeerCountParameters{AliveSince: d.aliveSince()}}}
		}},
		{Method: swarms, Direct: true, Alone: true, Turn: func(int64) Turn {
			return Turn{Call: Request{Method: swarms, Message: &trackerv1.InfoHashCountParameters{}}}
		}},
	}
}

// collections remove stale peers: those that each turn puts there, and at first those that were stored.
func (d *trackerData) collections() []*Case {
	gc := trackerv1.Operations_GC_FullMethodName
	limit, lifetime := int64(collected), int64(d.lifetime.Seconds())
	chunk := &Case{Method: gc, Direct: true, Alone: true, Writes: true, Consumes: true, Bounded: true, Turn: func(n int64) Turn {
		return Turn{Before: d.stale(forGC, n), Call: Request{Method: gc, Message: &trackerv1.GCParameters{
			Created: timestamppb.New(d.plan.Now.Add(-d.lifetime)), Limit: &limit, Lifetime: &lifetime}}}
	}}
	run := &Case{Method: trackerv1.Swarms_RunGC_FullMethodName, Alone: true, Writes: true, Consumes: true, Bounded: true, Turn: func(n int64) Turn {
		return Turn{Before: d.stale(forRunGC, n), Call: Request{Method: trackerv1.Swarms_RunGC_FullMethodName, Message: &trackerv1.RunGCRequest{}}}
	}}
	// How many rows go depends on what was left by the call before, so only the least is fixed.
	chunk.Differ, run.Differ = never, never
	chunk.Wrong = func(_ Turn, a *Answer) string { return tooFew(a.Counted, a.Affected) }
	run.Wrong = func(_ Turn, a *Answer) string {
		response := a.Rows[0].(*trackerv1.RunGCResponse)
		return tooFew(response.Deleted != nil, response.GetDeleted())
	}
	if !d.plan.Has(gc) {
		return nil
	}
	return []*Case{chunk, run}
}

func tooFew(known bool, deleted int64) string {
	if known && deleted < collected {
		return fmt.Sprintf("%d peers are deleted, and at least %d were stale", deleted, collected)
	}
	return ""
}

func (d *trackerData) stale(purpose int, n int64) []Request {
	var all []Request
	for i := range int64(collected) {
		p := d.passing(purpose, n*collected+i)
		all = append(all, d.put(p, i%2 == 0, d.plan.Now.Add(-2*d.lifetime)))
	}
	return all
}
