package check_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
)

const (
	announce     = "tracker.announce.query"
	mixed        = "tracker.announce.mixed_query"
	add          = "tracker.peer.add_query"
	del          = "tracker.peer.del_query"
	graduate     = "tracker.peer.graduate_query"
	count        = "tracker.peer.count_query"
	inc          = "tracker.downloads.inc_query"
	dataAdd      = "tracker.data.add_query"
	dataDel      = "tracker.data.del_query"
	gc           = "tracker.gc_query"
	hashes       = "tracker.info_hash_count_query"
	scrapeQuery  = "tracker.peer.scrape_query"
	downloadsGet = "tracker.downloads.get_query"
	byHash       = "tracker.peer.by_info_hash_clause"
	whole        = " info_hash = @info_hash AND peer_id = @peer_id AND address = @address AND port = @port"
	goodAdd      = "INSERT INTO p (a, b, c, d, e, f, g) VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @is_v6, @created)"
	goodChoice   = "SELECT peer_id, address, port FROM p WHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6 " +
		"AND (created > @alive_since) IS NOT FALSE AND (address = @address AND port = @port) IS NOT TRUE "
)

var trackerCases = []textsCase{
	{"a peer id lost its @", "", graduate, "UPDATE p SET is_seeder = TRUE, created = @created\nWHERE info_hash = @info_hash AND peer_id = peer_id AND address = @address AND port = @port", []string{"T02 warning 1:1", "T01 warning 2:34"}},
	{"a port lost its @", "", graduate, "UPDATE p SET created = @created WHERE port = p.port AND p.port = p.port AND info_hash = @info_hash AND peer_id = @peer_id AND address = @address", []string{"T02 warning 1:1", "T01 warning 1:57"}},
	{"all of the peer key", "", graduate, "UPDATE p SET is_seeder = TRUE, created = @created WHERE" + whole + " AND NOT is_seeder", nil},
	{"an old timestamp", "", graduate, "UPDATE p\nSET is_seeder = TRUE WHERE" + whole, []string{"T03 warning 2:1"}},
	{"a timestamp of the database", "", graduate, "UPDATE p SET is_seeder = TRUE, seen = now() WHERE" + whole, nil},
	{"a function that may set the timestamp", "", graduate, "SELECT f(@info_hash, @peer_id, @address, @port) AS affected", nil},

	{"limit without order", "", announce, goodChoice + "\nLIMIT @count", []string{"T05 warning 2:1"}},
	{"limit with order", "", announce, goodChoice + "ORDER BY random() LIMIT @count", nil},
	{"limit behind a random place", "", announce, goodChoice + "AND peer_id > (SELECT decode(md5(random()::text), 'hex')) LIMIT @count", nil},
	{"limit inside of an ordered choice", "", announce, "SELECT peer_id, address, port FROM (" + goodChoice + "LIMIT @count) AS c ORDER BY random()", nil},
	{"neither time nor requester", "", announce, "SELECT peer_id, address, port FROM p\nWHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6 ORDER BY random() LIMIT @count", []string{"T06 info 2:1", "T07 info 2:1"}},
	{"time of the database", "", announce, "SELECT peer_id, address, port FROM p WHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6 AND peer_id <> @peer_id AND seen > now() - interval '31 min' ORDER BY random() LIMIT @count", nil},
	{"a function without time and requester", "", announce, "SELECT peer_id, address, port FROM f(@info_hash, @is_seeder, @is_v6, @count)", []string{"T06 info 1:31", "T07 info 1:31"}},
	{"family ignored", "", announce, "SELECT peer_id, address, port FROM f(@info_hash, @is_seeder, @count, @alive_since, @address)", []string{"unused-parameter warning 1:1"}},
	{"a role that is fixed", "", announce, "SELECT peer_id, address, port FROM p WHERE info_hash = @info_hash AND NOT p.is_seeder AND is_v6 = @is_v6 AND (created > @alive_since) IS NOT FALSE AND address <> @address ORDER BY random() LIMIT @count", []string{"tracker-fixed-role warning 1:75"}},
	{"a role in another column", "", announce, "SELECT peer_id, address, port FROM p WHERE info_hash = @info_hash AND (to_go = 0) = @is_seeder AND is_v6 = @is_v6 AND (created > @alive_since) IS NOT FALSE AND address <> @address ORDER BY random() LIMIT @count", nil},
	{"a mixed choice without order", "", mixed, "SELECT peer_id, address, port FROM p WHERE info_hash = @info_hash AND NOT (is_seeder AND @for_seeder) AND is_v6 = @is_v6 AND (created > @alive_since) IS NOT FALSE AND address <> @address LIMIT @count", []string{"T05 warning 1:188"}},

	{"insert without columns", "", add, "INSERT INTO p VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @is_v6, @created)", []string{"T08 warning 1:13"}},
	{"insert with columns", "", add, goodAdd, nil},
	{"values left to the database", "", add, "INSERT INTO p (a, b, c, d, e) VALUES (@info_hash, @peer_id, @address, @port, @is_seeder)", []string{"tracker-derived info 1:1", "tracker-derived info 1:1"}},
	{"a role that is not stored", "", add, "INSERT INTO p (a, b, c, d, e, f) VALUES (@info_hash, @peer_id, @address, @port, @is_v6, @created)", []string{"unused-parameter warning 1:1"}},

	{"no number", "", inc, "INSERT INTO d (h)\nVALUES (@info_hash) ON CONFLICT (h) DO UPDATE SET n = d.n + 1", []string{"T09 warning 2:1"}},
	{"no number, with a cast", "", inc, "INSERT INTO d (h) VALUES (@info_hash::bytea) ON CONFLICT (h) DO UPDATE SET n = d.n + 1", []string{"T09 warning 1:19"}},
	{"a number", "", inc, "INSERT INTO d (h, n) VALUES (@info_hash, 1) ON CONFLICT (h) DO UPDATE SET n = d.n + 1", nil},
	{"first write wins", "", dataAdd, "INSERT INTO kv (c, k, v) VALUES (@context, @key, @value)\nON CONFLICT (c, k) DO NOTHING", []string{"T10 warning 2:20"}},
	{"last write wins", "", dataAdd, "INSERT INTO kv (c, k, v) VALUES (@context, @key, @value) ON CONFLICT (c, k) DO UPDATE SET v = excluded.v", nil},
	{"a view that sees to it", "", dataAdd, "INSERT INTO kv (c, k, v) VALUES (@context, @key, @value)", nil},
	{"no value", "", dataAdd, "INSERT INTO kv (c, k) VALUES (@context, @key)", []string{"tracker-no-value warning 1:1"}},
	{"keys as one", "", dataDel, "DELETE FROM kv WHERE c = @context AND k = @key", []string{"array-parameter warning 1:43"}},
	{"keys as many", "", dataDel, "DELETE FROM kv WHERE c = @context AND k = ANY(@key)", nil},

	{"collection in one piece", "", gc, "DELETE FROM p WHERE created <= @created", []string{"T11 info 1:1"}},
	{"collection in chunks", "", gc, "DELETE FROM p WHERE id IN (SELECT id FROM p WHERE created <= @created LIMIT @limit)", nil},
	{"collection in chunks of CockroachDB", "cockroachdb", gc, "DELETE FROM p WHERE created <= @created LIMIT @limit", []string{"not-parsed info 1:41"}},
	{"collection by a function", "", gc, "SELECT collect(@created)", []string{"unknown-count info 1:1"}},
	{"collection without a time", "", gc, "DELETE FROM p WHERE stale LIMIT 100", []string{"tracker-cutoff warning 1:1", "not-parsed info 1:27", "D24-cockroachdb-only error 1:27"}},
	{"collection by age", "", gc, "DELETE FROM p WHERE id IN (SELECT id FROM p WHERE created < now() - make_interval(secs => @lifetime) LIMIT @limit)", []string{"D13-postgres-only info 1:88"}},
}

func TestTracker(t *testing.T) {
	for _, c := range trackerCases {
		t.Run(c.name, func(t *testing.T) {
			if got := texts(t, c.target, c.key, c.sql); !slices.Equal(got, c.want) {
				t.Errorf("%q\n got %q\nwant %q", c.sql, got, c.want)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	const byPosition = "SELECT peer_id, address, port FROM f($1, $2, $3, $4, $5, $6)"
	in, _ := input(t, "", announce, byPosition, add, goodAdd)
	found := check.Texts(in)
	if len(found) != 1 || brief(found[0]) != "T04 info 1:38" || found[0].Message != "positional parameters read as info_hash, is_seeder, is_v6, count, alive_since, peer_id" {
		t.Errorf("found %v", found)
	}
	if got := texts(t, "", announce, byPosition); got != nil {
		t.Errorf("a file that has positions everywhere: %q", got)
	}
	if got, want := texts(t, "", put, "UPDATE t SET a = $4 WHERE id = $1", get, "SELECT id, name FROM t WHERE id = @id"), []string{"positional-parameters info 1:18"}; !slices.Equal(got, want) {
		t.Errorf("another domain: %q, want %q", got, want)
	}
	if got := texts(t, "", add, goodAdd, get, "SELECT id, name FROM t WHERE id = $1"); got != nil {
		t.Errorf("another domain with names: %q", got)
	}
}

func TestUnusedQuery(t *testing.T) {
	const choice = goodChoice + "ORDER BY random() LIMIT @count"
	const both = "SELECT peer_id, address, port FROM f(@info_hash, @for_seeder, @is_v6, @count, @alive_since, @address)"
	if got, want := texts(t, "", announce, choice, mixed, both), []string{"tracker-unused-query info 1:1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	const scrape = "SELECT info_hash, seeders, leechers, downloads FROM f(@info_hashes)"
	const downloads = "SELECT n FROM d WHERE info_hash = @info_hash"
	const counts, clause = "SELECT seeders, leechers FROM c", "WHERE info_hash = @info_hash"
	if got, want := texts(t, "", scrapeQuery, scrape, downloadsGet, downloads, count, counts), []string{"tracker-unused-query info 1:1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := texts(t, "", scrapeQuery, scrape, downloadsGet, downloads, count, counts, byHash, clause); got != nil {
		t.Errorf("scrape_query beside a clause: %q", got)
	}
	if got := texts(t, "", mixed, both); got != nil {
		t.Errorf("mixed_query alone: %q", got)
	}
}

// A clause is read together with its query; what is wrong with the query is said once.
func TestClause(t *testing.T) {
	got := texts(t, "", count, "SELECT count(*) AS seeders, 0 AS seeders, 1 AS leechers FROM p", byHash, "WHERE info_hash = @info_hash\nAND is_v6 = is_v6")
	want := []string{"self-comparison warning 2:5", "doubled-column error 1:29"} // by file, which is the key here
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSettings tries the rules on keys that are no queries. Their places are made of the key's length.
func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		interval, lifetime, announced time.Duration
		absent                        bool
		connection                    string
		queries                       []string
		want                          []string
	}{
		"all fine":                        {interval: time.Minute, lifetime: 31 * time.Minute, connection: "host=a dbname=b"},
		"statistics each second":          {interval: time.Second, lifetime: time.Hour, want: []string{"T12 warning 1:37 statistics scan the whole table every 1s"}},
		"statistics of counters":          {interval: time.Second, lifetime: time.Hour, queries: []string{count, "SELECT seeders, leechers FROM totals", add, goodAdd}},
		"distinct hashes each second":     {interval: 1500 * time.Millisecond, lifetime: time.Hour, queries: []string{hashes, "SELECT count(DISTINCT h) FROM p"}, want: []string{"T12 warning 1:37 statistics scan the whole table every 1.5s"}},
		"no statistics":                   {lifetime: time.Hour},
		"the usual lifetime":              {lifetime: 30 * time.Minute, absent: true, want: []string{"T13 warning 1:21 peer_lifetime 30m should exceed the announce interval"}},
		"the usual lifetime, written":     {lifetime: 30 * time.Minute, want: []string{"T13 warning 1:21 peer_lifetime 30m should exceed the announce interval"}},
		"a chosen lifetime":               {lifetime: 16 * time.Minute},
		"shorter than the interval":       {lifetime: 31 * time.Minute, announced: time.Hour, want: []string{"T13 warning 1:21 peer_lifetime 31m should exceed the announce interval"}},
		"longer than the interval":        {lifetime: 16 * time.Minute, announced: 15 * time.Minute},
		"no peers":                        {lifetime: 30 * time.Minute, queries: []string{dataDel, "DELETE FROM kv WHERE c = @context AND k = ANY (@key)"}},
		"database=":                       {lifetime: time.Hour, connection: "host=127.0.0.1 database = secret", want: []string{"T15 info 1:17 database= works here, not in psql"}},
		"database= inside of quotes":      {lifetime: time.Hour, connection: `password='a database=\'b' dbname=c`},
		"database= behind quotes":         {lifetime: time.Hour, connection: `password='it\'s' database=c`, want: []string{"T15 info 1:17 database= works here, not in psql"}},
		"database in a URL":               {lifetime: time.Hour, connection: "postgres://a/b?database=c"},
		"embedded":                        {lifetime: time.Hour, connection: "embedded"},
		"database= behind an odd last=\\": {lifetime: time.Hour, connection: `options=\`},
	} {
		t.Run(name, func(t *testing.T) {
			queries := c.queries
			if queries == nil {
				queries = []string{add, goodAdd, count, "SELECT count(*) AS seeders, 0 AS leechers FROM p"}
			}
			in, _ := input(t, "", queries...)
			in.Settings = map[string]proto.Message{"tracker": &trackerv1.Settings{
				PeerLifetime: durationpb.New(c.lifetime), PrometheusReportingInterval: durationpb.New(c.interval)}}
			in.Connection, in.AnnounceInterval = c.connection, c.announced
			in.Given = func(key string) bool { return key != "tracker.peer_lifetime" || !c.absent }
			in.Place = func(key string) problem.Position { return problem.Position{Line: 1, Column: len(key)} }
			var got []string
			for _, p := range check.Texts(in) {
				got = append(got, brief(p)+" "+p.Message)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
