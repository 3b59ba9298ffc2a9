package bench

import (
	"context"
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// BenchmarkPutPeer refreshes a peer that is there, as nearly every announce does.
func BenchmarkPutPeer(b *testing.B) { bench(b, taskNamed("PutPeer")) }

// BenchmarkDeletePeer stores a new peer and deletes it: two calls.
func BenchmarkDeletePeer(b *testing.B) { bench(b, taskNamed("DeletePeer")) }

// BenchmarkRemovePeer stores a new peer and removes it, whatever its role: two calls.
func BenchmarkRemovePeer(b *testing.B) { bench(b, taskNamed("RemovePeer")) }

// BenchmarkGraduateLeecher makes a peer a leecher and then a seeder, with its download counted: two
// calls.
func BenchmarkGraduateLeecher(b *testing.B) { bench(b, taskNamed("GraduateLeecher")) }

// BenchmarkAnnouncePeersLeecher lists 50 peers for a leecher.
func BenchmarkAnnouncePeersLeecher(b *testing.B) { bench(b, taskNamed("AnnouncePeersLeecher")) }

// BenchmarkAnnouncePeersSeeder lists 50 peers for a seeder.
func BenchmarkAnnouncePeersSeeder(b *testing.B) { bench(b, taskNamed("AnnouncePeersSeeder")) }

// BenchmarkAnnounceLeecher is the whole announce of a leecher: refreshed, counts, 50 peers.
func BenchmarkAnnounceLeecher(b *testing.B) { bench(b, taskNamed("AnnounceLeecher")) }

// BenchmarkAnnounceSeeder is the whole announce of a seeder: refreshed, counts, 50 peers.
func BenchmarkAnnounceSeeder(b *testing.B) { bench(b, taskNamed("AnnounceSeeder")) }

// BenchmarkAnnounceCompleted makes a peer a leecher, then announces that it has completed: two calls.
func BenchmarkAnnounceCompleted(b *testing.B) { bench(b, taskNamed("AnnounceCompleted")) }

// BenchmarkAnnounceStopped stores a new peer, then announces that it has stopped: two calls.
func BenchmarkAnnounceStopped(b *testing.B) { bench(b, taskNamed("AnnounceStopped")) }

// wanted is how many peers are asked for: what clients ask for mostly, and hosts give.
const wanted = 50

var peerTasks = []task{
	{name: "PutPeer", methods: []string{"Swarms.PutPeer"}, run: func(ctx context.Context, w way, c *caller) error {
		return store(ctx, w, c.client(staying))
	}},
	{name: "DeletePeer", methods: []string{"Swarms.DeletePeer"}, run: func(ctx context.Context, w way, c *caller) error {
		p := c.client(passing)
		if err := store(ctx, w, p); err != nil {
			return err
		}
		n, err := w.deletePeer(ctx, p, false)
		if err != nil {
			return err
		}
		return n.mustBe(1, "DeletePeer")
	}},
	{name: "RemovePeer", methods: []string{"Swarms.RemovePeer"}, run: func(ctx context.Context, w way, c *caller) error {
		p := c.client(passing)
		if err := store(ctx, w, p); err != nil {
			return err
		}
		n, err := w.removePeer(ctx, p)
		if err != nil {
			return err
		}
		return n.mustBe(1, "RemovePeer")
	}},
	{name: "GraduateLeecher", methods: []string{"Swarms.GraduateLeecher"}, run: func(ctx context.Context, w way, c *caller) error {
		p := c.client(finishing)
		if err := store(ctx, w, p); err != nil {
			return err
		}
		n, err := w.graduateLeecher(ctx, p)
		if err != nil {
			return err
		}
		return n.mustBe(1, "GraduateLeecher")
	}},
}

// store makes the peer a leecher.
func store(ctx context.Context, w way, p *peer) error {
	n, err := w.putPeer(ctx, p, false)
	if err != nil {
		return err
	}
	return n.mustBe(1, "PutPeer")
}

var announceTasks = []task{
	{name: "AnnouncePeersLeecher", methods: []string{"Swarms.AnnouncePeers"}, run: listFor(false)},
	{name: "AnnouncePeersSeeder", methods: []string{"Swarms.AnnouncePeers"}, run: listFor(true)},
	{name: "AnnounceLeecher", methods: []string{"Swarms.Announce"}, run: func(ctx context.Context, w way, c *caller) error {
		return announce(ctx, w, c.client(staying), trackerv1.Action_PUT_LEECHER)
	}},
	{name: "AnnounceSeeder", methods: []string{"Swarms.Announce"}, run: func(ctx context.Context, w way, c *caller) error {
		return announce(ctx, w, c.client(staying), trackerv1.Action_PUT_SEEDER)
	}},
	{name: "AnnounceCompleted", methods: []string{"Swarms.Announce"}, run: func(ctx context.Context, w way, c *caller) error {
		p := c.client(finishing)
		if err := store(ctx, w, p); err != nil {
			return err
		}
		return announce(ctx, w, p, trackerv1.Action_GRADUATE)
	}},
	{name: "AnnounceStopped", methods: []string{"Swarms.Announce"}, run: func(ctx context.Context, w way, c *caller) error {
		p := c.client(passing)
		if err := store(ctx, w, p); err != nil {
			return err
		}
		return announce(ctx, w, p, trackerv1.Action_REMOVE)
	}},
}

func listFor(seeder bool) func(context.Context, way, *caller) error {
	return func(ctx context.Context, w way, c *caller) error {
		p := c.client(staying)
		n, err := w.announcePeers(ctx, p, seeder, wanted)
		if err != nil {
			return err
		}
		return plausiblePeers(n, p, seeder, wanted)
	}
}

// announce makes a whole announce and checks that its answer counts the client in its new role.
func announce(ctx context.Context, w way, p *peer, action trackerv1.Action) error {
	forSeeder := action == trackerv1.Action_PUT_SEEDER || action == trackerv1.Action_GRADUATE
	got, err := w.announce(ctx, p, action, forSeeder, wanted)
	if err != nil {
		return err
	}
	others := got.counts
	switch action {
	case trackerv1.Action_PUT_LEECHER:
		others.leechers--
	case trackerv1.Action_PUT_SEEDER, trackerv1.Action_GRADUATE:
		others.seeders--
	case trackerv1.Action_REMOVE:
		if got.peers != 0 {
			return errPeersForGone
		}
		return others.plausible(p.swarm)
	}
	if err := others.plausible(p.swarm); err != nil {
		return err
	}
	return plausiblePeers(got.peers, p, forSeeder, wanted)
}
