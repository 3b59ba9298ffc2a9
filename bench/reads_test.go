package bench

import (
	"context"
	"testing"
)

// BenchmarkScrapeSwarm counts one swarm; big ones come more often.
func BenchmarkScrapeSwarm(b *testing.B) { bench(b, taskNamed("ScrapeSwarm")) }

// BenchmarkScrapeFamily counts one swarm in one address family.
func BenchmarkScrapeFamily(b *testing.B) { bench(b, taskNamed("ScrapeFamily")) }

// BenchmarkScrapeSwarms counts 50 swarms in one call.
func BenchmarkScrapeSwarms(b *testing.B) { bench(b, taskNamed("ScrapeSwarms")) }

// BenchmarkStats counts all peers and all swarms.
func BenchmarkStats(b *testing.B) { bench(b, taskNamed("Stats")) }

// BenchmarkRunGC looks for stale peers where there are none.
func BenchmarkRunGC(b *testing.B) { bench(b, taskNamed("RunGC")) }

// BenchmarkPing asks the database for nothing.
func BenchmarkPing(b *testing.B) { bench(b, taskNamed("Ping")) }

// BenchmarkCapabilities asks for what is known without the database: in the plugin, the hop alone.
func BenchmarkCapabilities(b *testing.B) { bench(b, taskNamed("Capabilities")) }

// BenchmarkPutPeers refreshes 500 peers in one call.
func BenchmarkPutPeers(b *testing.B) { bench(b, taskNamed("PutPeers")) }

// BenchmarkNothing is the harness itself.
func BenchmarkNothing(b *testing.B) { bench(b, taskNamed("Nothing")) }

// scraped is how many swarms one scrape asks for: what many trackers allow at most.
const scraped = 50

var readTasks = []task{
	{name: "ScrapeSwarm", methods: []string{"Swarms.ScrapeSwarm"}, run: func(ctx context.Context, w way, c *caller) error {
		s := c.swarm()
		got, err := w.scrapeSwarm(ctx, s)
		if err != nil {
			return err
		}
		return got.plausible(s)
	}},
	{name: "ScrapeFamily", methods: []string{"Swarms.ScrapeFamily"}, run: func(ctx context.Context, w way, c *caller) error {
		s := c.swarm()
		v6 := c.turn%2 == 0
		got, err := w.scrapeFamily(ctx, s, v6)
		if err != nil {
			return err
		}
		return got.plausibleFamily(s, v6)
	}},
	{name: "ScrapeSwarms", methods: []string{"Swarms.ScrapeSwarms"}, run: func(ctx context.Context, w way, c *caller) error {
		all := c.swarms(scraped)
		got := make([]counts, len(all))
		if err := w.scrapeSwarms(ctx, all, got); err != nil {
			return err
		}
		for i, s := range all {
			if err := got[i].plausible(s); err != nil {
				return err
			}
		}
		return nil
	}},
}

var otherTasks = []task{
	{name: "Stats", methods: []string{"Swarms.Stats"}, run: func(ctx context.Context, w way, c *caller) error {
		got, err := w.stats(ctx)
		if err != nil {
			return err
		}
		return c.env.plausibleSum(got)
	}},
	{name: "RunGC", methods: []string{"Swarms.RunGC"}, prepare: func(ctx context.Context, e *environment) error {
		_, err := e.ways[wayPlain].runGC(ctx)
		return err
	}, run: func(ctx context.Context, w way, c *caller) error {
		n, err := w.runGC(ctx)
		if err != nil {
			return err
		}
		return c.env.plausibleCollection(n)
	}},
	{name: "Ping", methods: []string{"Database.Ping"}, run: func(ctx context.Context, w way, _ *caller) error {
		return w.ping(ctx)
	}},
	{name: "Capabilities", methods: []string{"Swarms.Capabilities"}, ways: []string{wayInProcess, wayPlugin},
		run: func(ctx context.Context, w way, _ *caller) error {
			n, err := w.capabilities(ctx)
			if err == nil && n == 0 {
				err = errNoCapabilities
			}
			return err
		}},
	{name: "PutPeers", methods: []string{"Swarms.PutPeers"}, prepare: func(ctx context.Context, e *environment) error { return e.loadBatches(ctx) },
		run: func(ctx context.Context, w way, c *caller) error {
			n, err := w.putPeers(ctx, c.batch())
			if err != nil {
				return err
			}
			return n.mustBe(batchSize, "PutPeers")
		}},
	{name: "Nothing", ways: []string{noWay}, run: func(context.Context, way, *caller) error { return nil }},
}
