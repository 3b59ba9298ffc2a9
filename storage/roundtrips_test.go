package storage_test

import (
	"fmt"
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// A tripCase is a method with the round trips that the contract's table of methods gives it.
type tripCase struct {
	name  string
	trips int
	call  func(*testing.T, *opened) error
}

func tripCases() []tripCase {
	hash, peer := hashOf(1), peerAt("192.0.2.1", 1)
	both := []trackerv1.Family{trackerv1.Family_IPV4, trackerv1.Family_IPV6}
	announce := func(action trackerv1.Action, change func(*trackerv1.AnnounceRequest)) func(*testing.T, *opened) error {
		return func(t *testing.T, o *opened) error {
			request := &trackerv1.AnnounceRequest{InfoHashes: [][]byte{hash}, Peers: []*trackerv1.Peer{peer}, Action: action,
				Want: 50, Families: both, WantCounts: true}
			if change != nil {
				change(request)
			}
			response, err := o.swarms.Announce(t.Context(), request)
			if response.GetWriteError() != nil {
				t.Errorf("the write failed: %v", response.GetWriteError())
			}
			return err
		}
	}
	return []tripCase{
		{"PutPeer", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hash, Peer: peer})
			return err
		}},
		{"AnnouncePeers", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.AnnouncePeers(t.Context(), &trackerv1.AnnouncePeersRequest{InfoHash: hash, ForSeeder: true, Want: 50})
			return err
		}},
		{"AnnouncePeers for a leecher", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.AnnouncePeers(t.Context(), &trackerv1.AnnouncePeersRequest{InfoHash: hash, Want: 50, Requester: peerAt("192.0.2.9", 9)})
			return err
		}},
		{"ScrapeSwarm", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hash})
			return err
		}},
		{"ScrapeFamily", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.ScrapeFamily(t.Context(), &trackerv1.ScrapeFamilyRequest{InfoHash: hash})
			return err
		}},
		{"ScrapeSwarms", 1, func(t *testing.T, o *opened) error {
			request := &trackerv1.ScrapeSwarmsRequest{}
			for i := range 74 {
				request.InfoHashes = append(request.InfoHashes, hashOf(byte(i)))
			}
			_, err := o.swarms.ScrapeSwarms(t.Context(), request)
			return err
		}},
		{"Announce, put", 1, announce(trackerv1.Action_PUT_LEECHER, nil)},
		{"Announce, read", 1, announce(trackerv1.Action_NONE, nil)},
		{"Announce of two hashes and addresses", 1, announce(trackerv1.Action_PUT_LEECHER, func(r *trackerv1.AnnounceRequest) {
			r.InfoHashes = append(r.InfoHashes, hashOf(2))
			r.Peers = append(r.Peers, peerAt("2001:db8::1", 1))
		})},
		{"Announce, graduate", 1, announce(trackerv1.Action_GRADUATE, nil)},
		{"Announce, graduate again", 2, announce(trackerv1.Action_GRADUATE, nil)},
		{"Announce, remove", 1, announce(trackerv1.Action_REMOVE, nil)},
		{"Announce, remove again", 1, announce(trackerv1.Action_REMOVE, nil)},
		{"GraduateLeecher without a leecher", 2, func(t *testing.T, o *opened) error {
			_, err := o.swarms.GraduateLeecher(t.Context(), &trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: peer})
			return err
		}},
		{"DeletePeer", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: hash, Peer: peer, IsSeeder: true})
			return err
		}},
		{"PutPeers, one chunk", 1, func(t *testing.T, o *opened) error { return putMany(t, o, hash, 500) }},
		{"PutPeers, three chunks", 3, func(t *testing.T, o *opened) error { return putMany(t, o, hash, 1001) }},
		{"GraduateLeecher", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.GraduateLeecher(t.Context(), &trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: peerAt("192.0.2.1", 1)})
			return err
		}},
		{"RemovePeer", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.RemovePeer(t.Context(), &trackerv1.RemovePeerRequest{InfoHash: hash, Peer: peerAt("192.0.2.1", 1)})
			return err
		}},
		{"Put", 1, func(t *testing.T, o *opened) error {
			request := &trackerv1.PutRequest{Context: "c"}
			for i := range 100 {
				request.Entries = append(request.Entries, &trackerv1.Entry{Key: []byte{byte(i)}, Value: []byte("v")})
			}
			_, err := o.data.Put(t.Context(), request)
			return err
		}},
		{"Load", 1, func(t *testing.T, o *opened) error {
			_, err := o.data.Load(t.Context(), &trackerv1.LoadRequest{Context: "c", Key: []byte{1}})
			return err
		}},
		{"Contains", 1, func(t *testing.T, o *opened) error {
			_, err := o.data.Contains(t.Context(), &trackerv1.ContainsRequest{Context: "c", Keys: [][]byte{{1}, {2}, {200}}})
			return err
		}},
		{"Delete", 1, func(t *testing.T, o *opened) error {
			_, err := o.data.Delete(t.Context(), &trackerv1.DeleteRequest{Context: "c", Key: [][]byte{{1}, {2}, {200}}})
			return err
		}},
		{"Ping", 1, func(t *testing.T, o *opened) error {
			_, err := o.database.Ping(t.Context(), &trackerv1.PingRequest{})
			return err
		}},
		{"Stats", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.Stats(t.Context(), &trackerv1.StatsRequest{})
			return err
		}},
		{"RunGC", 1, func(t *testing.T, o *opened) error {
			_, err := o.swarms.RunGC(t.Context(), &trackerv1.RunGCRequest{})
			return err
		}},
		{"Capabilities", 0, func(t *testing.T, o *opened) error {
			_, err := o.swarms.Capabilities(t.Context(), &trackerv1.CapabilitiesRequest{})
			return err
		}},
	}
}

func putMany(t *testing.T, o *opened, hash []byte, n int) error {
	request := &trackerv1.PutPeersRequest{}
	for i := range n {
		request.Changes = append(request.Changes, &trackerv1.PeerChange{InfoHash: hash, Peer: peerAt("192.0.2.1", uint32(i+1))})
	}
	response, err := o.swarms.PutPeers(t.Context(), request)
	for _, result := range response.GetResults() {
		if result.GetError() != nil {
			t.Fatalf("a change failed: %v", result.GetError())
		}
	}
	return err
}

// sets are query sets of the repository, each with its tables.
var sets = map[string]struct{ file, schema string }{
	"default":     {"../queries.example.yaml", "../schema.sql"},
	"mochi":       {"../schemas/mochi/queries.yaml", "../schemas/mochi/schema.sql"},
	"mochi-bytea": {"../schemas/mochi-bytea/queries.yaml", "../schemas/mochi-bytea/schema.sql"},
	"functions":   {"../schemas/functions/queries.yaml", "../schemas/functions/schema.sql"},
}

// Each method costs the round trips that the contract says, on connections that know the statements
// already, and not one more on connections that do not.
func TestRoundTrips(t *testing.T) {
	for name, set := range sets {
		for _, state := range []string{"cold", "warm"} {
			t.Run(name+", "+state, func(t *testing.T) {
				dsn := testdb.Database(t, read(t, set.schema)) + " pool_max_conns=1"
				o := open(t, dsn, read(t, set.file))
				if err := o.problems.Err(); err != nil {
					t.Fatal(err)
				}
				cases := tripCases()
				if state == "warm" {
					for _, c := range cases {
						if err := c.call(t, o); err != nil {
							t.Fatalf("%s: %v", c.name, err)
						}
					}
				}
				dialled := o.wire.connections()
				for _, c := range cases {
					var err error
					if trips := o.wire.count(func() { err = c.call(t, o) }); trips != c.trips || err != nil {
						t.Errorf("%s: %d round trips, %v; expected %d", c.name, trips, err, c.trips)
					}
				}
				if more := o.wire.connections() - dialled; (more > 0) != (state == "cold") {
					t.Errorf("%d new connections", more)
				}
			})
		}
	}
}

// Each of the methods costs no more when it is the first on its connection.
func TestFirstUseOfAConnectionCostsNoRoundTrip(t *testing.T) {
	set := sets["default"]
	dsn := testdb.Database(t, read(t, set.schema))
	settled := open(t, dsn, read(t, set.file))
	for _, c := range tripCases() {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, dsn, read(t, set.file))
			var err error
			if trips := o.wire.count(func() { err = c.call(t, o) }); trips != c.trips || err != nil {
				t.Errorf("%d round trips, %v; expected %d", trips, err, c.trips)
			}
		})
	}
	if settled.problems.Err() != nil {
		t.Error(settled.problems)
	}
}

// When only promotions are counted as downloads, the count has to wait for the answer.
func TestRoundTripsOfCountingPromotions(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o, hash := serve(t, dsn, basic.with("downloads.count_on", "graduated")), hashOf(1)
	o.put(t, hash, false, peerAt("192.0.2.1", 1))
	for i, want := range []struct {
		promoted bool
		snatched int64
	}{{true, 1}, {false, 1}} {
		trips := o.wire.count(func() {
			response := ok[*trackerv1.GraduateLeecherResponse](t)(o.swarms.GraduateLeecher(t.Context(),
				&trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: peerAt("192.0.2.1", 1)}))
			if response.GetPromoted() != want.promoted {
				t.Errorf("call %d: promoted %v", i+1, response.GetPromoted())
			}
		})
		swarm := ok[*trackerv1.Swarm](t)(o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hash}))
		if trips != 2 || swarm.GetSnatched() != want.snatched {
			t.Errorf("call %d: %d round trips, %d downloads", i+1, trips, swarm.GetSnatched())
		}
	}
}

// A collection takes one round trip for each chunk, and as many as it takes until one is not full.
func TestRoundTripsOfACollection(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic.with("gc_limit", "10", "gc_query",
		"DELETE FROM peers WHERE ctid = ANY (ARRAY(SELECT ctid FROM peers WHERE created <= @created LIMIT @limit::bigint))"))
	for _, c := range []struct{ rows, trips int }{{0, 1}, {9, 1}, {10, 2}, {25, 3}} {
		testdb.Exec(t, dsn, fmt.Sprintf(`INSERT INTO peers SELECT '\x00', int4send(n), '192.0.2.1', n, false, false, now() - interval '1 day'
			FROM generate_series(1, %d) AS n`, c.rows))
		trips := o.wire.count(func() {
			if n := collected(t, o); n != int64(c.rows) {
				t.Errorf("%d of %d rows were collected", n, c.rows)
			}
		})
		if trips != c.trips {
			t.Errorf("%d rows: %d round trips; expected %d", c.rows, trips, c.trips)
		}
	}
}
