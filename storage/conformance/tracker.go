package conformance

import (
	"context"
	"slices"
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// Tracker is the tracker storage under test.
type Tracker struct {
	Swarms   trackerv1.SwarmsClient
	Data     trackerv1.DataClient
	Database trackerv1.DatabaseClient
	// PeerLifetime is the age at which the storage takes a peer for stale; 30 minutes if zero.
	PeerLifetime time.Duration
	// Clock is the storage's clock; nil if it cannot be stopped.
	Clock *Clock
}

func (s *Tracker) lifetime() time.Duration {
	if s.PeerLifetime > 0 {
		return s.PeerLifetime
	}
	return 30 * time.Minute
}

// The abilities of a tracker's query set.
const (
	// Peers are kept at all; Data is kept at all. A query set may do one of the two.
	PeersServed Capability = "peers"
	DataServed  Capability = "data"
	// ManyAddresses: a client may be in a swarm with several addresses or ports, each a peer. A
	// schema whose key is narrower stores the last one.
	ManyAddresses Capability = "many_addresses"
	// Stores32ByteHashes: the info hash of a v2 torrent can be stored whole (BEP 52).
	Stores32ByteHashes Capability = "stores_32_byte_hashes"
	// ReportsAbsence: the number of deleted rows is known, so deleting what is not there is told.
	ReportsAbsence Capability = "reports_absence"
	// ExactGraduate: graduating a client does not promote another one at its address and port.
	ExactGraduate Capability = "exact_graduate"
	// GraduateRefreshes: a promoted leecher counts as seen at that time.
	GraduateRefreshes Capability = "graduate_refreshes"
	// TellsPromotion: it is known whether a graduation found a leecher.
	TellsPromotion Capability = "tells_promotion"
	// CountsDownloads: completed downloads are counted and read.
	CountsDownloads Capability = "counts_downloads"
	// CountsEveryCompletion: a completion without a leecher is counted too (count_on: completed).
	CountsEveryCompletion Capability = "counts_every_completion"
	// Families: a swarm can be counted by address family.
	Families Capability = "families"
	// CountsInfoHashes: the number of swarms that have peers is counted.
	CountsInfoHashes Capability = "counts_info_hashes"
	// Collects: stale peers are deleted, by the timestamp that was given when they were stored.
	Collects Capability = "collects"
	// ExcludesRequester: the queries leave the requester out themselves, so that even many rows of its
	// address and port cost the others no place. Otherwise the service drops the requester.
	ExcludesRequester Capability = "excludes_requester"
	// PicksAtRandom: out of a swarm with more peers than wanted not everyone gets the same.
	PicksAtRandom Capability = "picks_at_random"
	// HidesStale: peers that are stale, but not collected yet, are not listed.
	HidesStale Capability = "hides_stale"
	// CountsAlive and ScrapesAlive: they are not counted by the query for one swarm, and by the one for
	// many.
	CountsAlive  Capability = "counts_alive"
	ScrapesAlive Capability = "scrapes_alive"
	// ClockStops: the storage's clock can be stopped, so there can be a peer of exactly the age at which
	// it becomes stale.
	ClockStops Capability = "clock_stops"
	// KVOverwrite: storing under an existing key replaces its value.
	KVOverwrite Capability = "kv_overwrite"
	// KVNull: a key without a value can be told from one whose value is empty.
	KVNull Capability = "kv_null"
)

// The YAML keys of the operations.
const (
	announceQuery      = "tracker.announce.query"
	announceMixedQuery = "tracker.announce.mixed_query"
	peerAdd            = "tracker.peer.add_query"
	peerDel            = "tracker.peer.del_query"
	peerGraduate       = "tracker.peer.graduate_query"
	peerCount          = "tracker.peer.count_query"
	byInfoHash         = "tracker.peer.by_info_hash_clause"
	byFamily           = "tracker.peer.by_family_clause"
	peerScrape         = "tracker.peer.scrape_query"
	downloadsGet       = "tracker.downloads.get_query"
	downloadsInc       = "tracker.downloads.inc_query"
	dataAdd            = "tracker.data.add_query"
	dataGet            = "tracker.data.get_query"
	dataDel            = "tracker.data.del_query"
	pingQuery          = "tracker.ping_query"
	gcQuery            = "tracker.gc_query"
	infoHashCount      = "tracker.info_hash_count_query"
)

// The operations that reads of a swarm go through, whichever of them a query set has.
var (
	lists  = []string{announceQuery, announceMixedQuery}
	counts = []string{peerCount, byInfoHash, peerScrape}
)

// on joins keys and groups of keys.
func on(groups ...[]string) []string { return slices.Concat(groups...) }

func keys(k ...string) []string { return k }

// A swarmCase is a case about peers, before it is bound to the API.
type swarmCase struct {
	name      string
	on        []string
	says      string
	needs     []Capability
	exclusive bool
	run       func(w *swarm)
}

// A shelfCase is a case about key-value data, before it is bound to the API.
type shelfCase struct {
	name  string
	on    []string
	says  string
	needs []Capability
	run   func(d *shelf)
}

// TrackerCases returns all behaviours of a tracker's query set.
func TrackerCases() []Case[*Tracker] {
	var all []Case[*Tracker]
	for _, group := range [][]swarmCase{
		peerAddCases(), peerValueCases(), peerDelCases(), removePeerCases(), graduateCases(), downloadsCases(),
		announcePeersCases(), requesterCases(), farCases(), aliveCases(), announceWriteCases(), announceReadCases(), putPeersCases(),
		scrapeCases(), gcCases(), statsCases(), argumentCases(), manyCallersCases(),
	} {
		for _, c := range group {
			all = append(all, c.bind())
		}
	}
	for _, group := range [][]shelfCase{dataCases(), dataKeyCases(), dataManyCases()} {
		for _, c := range group {
			all = append(all, c.bind())
		}
	}
	return append(all, databaseCases()...)
}

// Run finds out what the query set can do, and runs the cases that apply.
func Run(ctx context.Context, s *Tracker, report func(Result)) (Summary, error) {
	known, err := Probe(ctx, s)
	if err != nil {
		return Summary{}, err
	}
	return RunCases(ctx, TrackerCases(), s, known, report), nil
}

func (c swarmCase) bind() Case[*Tracker] {
	return Case[*Tracker]{
		Name: c.name, Operations: c.on, Says: c.says, Exclusive: c.exclusive,
		Needs: append([]Capability{PeersServed}, c.needs...),
		Run: func(ctx context.Context, t T, s *Tracker) {
			w := newSwarm(ctx, t, s)
			defer w.end()
			c.run(w)
		},
	}
}

func (c shelfCase) bind() Case[*Tracker] {
	return Case[*Tracker]{
		Name: c.name, Operations: c.on, Says: c.says,
		Needs: append([]Capability{DataServed}, c.needs...),
		Run:   func(ctx context.Context, t T, s *Tracker) { c.run(newShelf(ctx, t, s)) },
	}
}
