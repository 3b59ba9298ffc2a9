package bench

import (
	"context"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// The ways, by the names that the benchmarks have.
const (
	wayPlain     = "plain"
	wayInProcess = "inprocess"
	wayPlugin    = "plugin"
	// noWay is for what calls nobody.
	noWay = "none"
)

var allWays = []string{wayPlain, wayInProcess, wayPlugin}

// A way does what the API's methods do. Peers that are listed are counted; whatever else comes back
// is what a host would use.
type way interface {
	putPeer(ctx context.Context, p *peer, seeder bool) (affected, error)
	deletePeer(ctx context.Context, p *peer, seeder bool) (affected, error)
	removePeer(ctx context.Context, p *peer) (affected, error)
	graduateLeecher(ctx context.Context, p *peer) (affected, error)
	announcePeers(ctx context.Context, p *peer, forSeeder bool, want int) (peers int, err error)
	announce(ctx context.Context, p *peer, action trackerv1.Action, forSeeder bool, want int) (announced, error)
	putPeers(ctx context.Context, all []*peer) (affected, error)

	scrapeSwarm(ctx context.Context, s *swarm) (counts, error)
	scrapeFamily(ctx context.Context, s *swarm, v6 bool) (counts, error)
	scrapeSwarms(ctx context.Context, all []*swarm, into []counts) error

	dataPut(ctx context.Context, key, value []byte) error
	dataLoad(ctx context.Context, key []byte) (value []byte, err error)
	dataContains(ctx context.Context, keys [][]byte) (found int, err error)
	dataDelete(ctx context.Context, key []byte) (affected, error)

	ping(ctx context.Context) error
	stats(ctx context.Context) (counts, error)
	runGC(ctx context.Context) (affected, error)
	capabilities(ctx context.Context) (queries int, err error)
}

// affected is a number of rows; unknown if the query set does not tell.
type affected int64

const unknown affected = -1

// counts are those of a swarm, or of all.
type counts struct{ seeders, leechers, snatched int64 }

// announced is the answer to an announce.
type announced struct {
	counts
	peers int
}
