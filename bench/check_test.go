package bench

import (
	"errors"
	"fmt"
)

var (
	errPeersForGone   = errors.New("peers were listed for a client that has stopped")
	errNoCapabilities = errors.New("no query is told")
)

// Each check returns an error for an answer that cannot be right. While a benchmark runs, clients of
// its own come and go in the swarms, so counts are known within bounds.

func (n affected) mustBe(want affected, what string) error {
	if n != want && n != unknown {
		return fmt.Errorf("%s affected %d rows, not %d", what, n, want)
	}
	return nil
}

// plausible checks the counts of a swarm: everybody who was loaded is there, and besides them nobody
// but clients of the benchmarks.
func (c counts) plausible(s *swarm) error {
	all := int(c.seeders + c.leechers)
	if int(c.seeders) < s.seeders() || int(c.leechers) < s.leechers() || all > s.total()+s.clients {
		return fmt.Errorf("%d seeders and %d leechers; %d and %d were loaded, and there are at most %d further clients",
			c.seeders, c.leechers, s.seeders(), s.leechers(), s.clients)
	}
	return nil
}

// plausibleFamily checks the counts of a family. A query set that cannot tell families apart counts
// both.
func (c counts) plausibleFamily(s *swarm, v6 bool) error {
	family := index(v6)
	if int(c.seeders) < s.loaded[1][family] || int(c.leechers) < s.loaded[0][family] || int(c.seeders+c.leechers) > s.total()+s.clients {
		return fmt.Errorf("%d seeders and %d leechers; %d and %d of the family were loaded",
			c.seeders, c.leechers, s.loaded[1][family], s.loaded[0][family])
	}
	return nil
}

// plausiblePeers checks how many peers were listed for a client that is none of those loaded.
func plausiblePeers(n int, p *peer, forSeeder bool, want int) error {
	family := index(p.v6())
	there := p.swarm.loaded[0][family]
	if !forSeeder {
		there += p.swarm.loaded[1][family]
	}
	if n > want || n < min(want, there) {
		return fmt.Errorf("%d peers were listed; %d were asked for and at least %d are there", n, want, there)
	}
	return nil
}

// plausibleSum checks the counts of everything. In a database of one's own there may be more.
func (e *environment) plausibleSum(c counts) error {
	most := len(e.population.everybody())
	if all := int(c.seeders + c.leechers); all < len(e.population.loaded) || (e.server != nil && all > most) {
		return fmt.Errorf("%d peers were counted; %d were loaded, and there are at most %d", all, len(e.population.loaded), most)
	}
	return nil
}

// plausibleCollection checks how many peers were collected: none, but in a run that takes longer than
// a peer lives clients whose benchmark is over may go.
func (e *environment) plausibleCollection(n affected) error {
	if clients := len(e.population.everybody()) - len(e.population.loaded); n != unknown && int(n) > clients {
		return fmt.Errorf("%d peers were collected; there are %d clients that can be stale", n, clients)
	}
	return nil
}
