package conformance

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

func trackerDomain() Domain {
	return Domain{Section: "tracker", Steady: steadyTracker, Bind: func(conn grpc.ClientConnInterface, settings proto.Message, clock *Clock) (*Suite, error) {
		typed, ok := settings.(*trackerv1.Settings)
		if !ok {
			return nil, fmt.Errorf("the settings of the section tracker are of type %T", settings)
		}
		return trackerSuite(&Tracker{
			Swarms: trackerv1.NewSwarmsClient(conn), Data: trackerv1.NewDataClient(conn), Database: trackerv1.NewDatabaseClient(conn),
			PeerLifetime: typed.GetPeerLifetime().AsDuration(), Clock: clock,
		}), nil
	}}
}

// steadyTracker lets a peer live so long that none becomes stale while a case runs: on a tracker in use
// many do each second, and would be counted and collected in between.
func steadyTracker(settings proto.Message) proto.Message {
	typed, ok := settings.(*trackerv1.Settings)
	if !ok {
		return settings
	}
	changed := proto.CloneOf(typed)
	changed.PeerLifetime = durationpb.New(3 * 365 * 24 * time.Hour)
	return changed
}

func trackerSuite(s *Tracker) *Suite {
	suite := &Suite{Answers: s.answers, Cases: bindCases(TrackerCases(), s), Shortcuts: trackerShortcuts}
	for _, p := range trackerProbes {
		a := trackerAbilities[p.finds]
		a.Capability, a.BuildsOn = p.finds, p.on
		a.look = func(ctx context.Context, t T) bool { return p.has(newSwarm(ctx, t, s), newShelf(ctx, t, s)) }
		suite.Abilities = append(suite.Abilities, a)
	}
	return suite
}

// answers fails if the database does not.
func (s *Tracker) answers(ctx context.Context) error {
	if _, err := s.Database.Ping(ctx, &trackerv1.PingRequest{}); err != nil {
		return fmt.Errorf("the storage does not answer: %w", err)
	}
	return nil
}

// trackerShortcuts are one statement each where the others would be several.
var trackerShortcuts = map[string][]string{
	announceMixedQuery: {announceQuery},
	peerScrape:         {peerCount, byInfoHash, downloadsGet},
}

// trackerAbilities is what the contract says of each ability. The rules are those that `check` finds in
// the queries' texts, where it can.
var trackerAbilities = map[Capability]Ability{
	PeersServed: {Choice: true, Operations: keys(peerAdd), Says: "a tracker may keep peers", Fix: "add the groups announce and peer"},
	DataServed:  {Choice: true, Operations: keys(dataAdd), Says: "a tracker may keep key-value data", Fix: "add the group data"},
	ManyAddresses: {Operations: keys(peerAdd), Says: "a peer is known by info hash, peer id, address and port: a client with several addresses is several peers",
		Fix: "let the unique key of the peers' table end in address and port, and name it in ON CONFLICT"},
	Stores32ByteHashes: {Operations: keys(peerAdd), Says: "an info hash has 20 bytes, or 32 for a v2 torrent",
		Fix: "let the column take 32 bytes"},
	ReportsAbsence: {Choice: true, Operations: keys(peerDel), Says: "deleting a peer that is not there is told, where the number of rows is known",
		Fix: "let the query report the rows that it deleted: as a DELETE, or in a column affected"},
	ExactGraduate: {Rule: "T01", Operations: keys(peerGraduate), Says: "only the leecher with this peer id is promoted, and no other client at its address and port",
		Fix: "compare the column of peer ids with @peer_id; a column that is compared with itself is always equal"},
	GraduateRefreshes: {Rule: "T03", Operations: keys(peerGraduate), Says: "a graduation counts as a sign of life, so the peer is not collected for its age before",
		Fix: "set the column of timestamps from @created"},
	TellsPromotion: {Choice: true, Operations: keys(peerGraduate), Says: "a graduation tells whether there was a leecher, where the number of rows is known",
		Fix: "let the query report the rows that it changed: as an UPDATE, or in a column affected"},
	CountsDownloads: {Operations: keys(downloadsInc, downloadsGet), Says: "completed downloads are counted, and told in scrapes",
		Fix: "give downloads.inc_query and downloads.get_query, and let them use the same counter"},
	CountsEveryCompletion: {Choice: true, Operations: keys(downloadsInc), Says: "with downloads.count_on: completed a completion without a leecher is counted, too",
		Fix: "set downloads.count_on to completed, if clients that cheat do not matter"},
	Families: {Operations: keys(byFamily), Says: "a swarm can be counted by address family",
		Fix: "give peer.by_family_clause"},
	CountsInfoHashes: {Operations: keys(infoHashCount), Says: "the number of info hashes that have peers is counted",
		Fix: "give info_hash_count_query"},
	Collects: {Operations: keys(gcQuery), Says: "peers that were last seen at or before the cutoff are deleted",
		Fix: "give gc_query, and compare the column of timestamps with @created"},
	ExcludesRequester: {Choice: true, Rule: "T07", Operations: lists, Says: "the requester is left out of the list by the query, so that it takes nobody's place",
		Fix: "leave out @peer_id, and the pair of @address and @port"},
	PicksAtRandom: {Rule: "T05", Operations: lists, Says: "out of a swarm with more peers than wanted not everyone gets the same ones",
		Fix: "order by random(), or sample from an index as the default query set does"},
	HidesStale: {Choice: true, Rule: "T06", Operations: lists, Says: "a stale peer is not listed before it is collected",
		Fix: "compare the column of timestamps with @alive_since"},
	CountsAlive: {Choice: true, Rule: "T06", Operations: keys(peerCount, byInfoHash), Says: "a stale peer is not counted before it is collected",
		Fix: "compare the column of timestamps with @alive_since"},
	ScrapesAlive: {Choice: true, Rule: "T06", Operations: keys(peerScrape), Says: "a stale peer is not counted in a scrape of several swarms before it is collected",
		Fix: "compare the column of timestamps with @alive_since"},
	ClockStops: {Choice: true, Operations: keys(gcQuery), Says: "the service's clock can be stopped, as only a test of its own can",
		Fix: "nothing: this is about who asks, and not about the queries"},
	KVOverwrite: {Rule: "T10", Operations: keys(dataAdd), Says: "storing under an existing key replaces its value",
		Fix: "write ON CONFLICT ... DO UPDATE SET instead of DO NOTHING"},
	KVNull: {Choice: true, Operations: keys(dataAdd, dataGet), Says: "a key without a value can be told from one whose value is empty",
		Fix: "let the column of values take NULL"},
}
