package storage_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/internal/testdb"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
)

// kinds are the column types for each kind, with an expression that shows what is stored.
var kinds = struct{ address, created, port, count, id, context, blob []columnType }{
	address: []columnType{
		{"inet", "host(address) || '/' || masklen(address)"},
		{"cidr", "host(address) || '/' || masklen(address)"},
		{"bytea", "encode(address, 'hex')"},
		{"text", "address"},
		{"varchar(45)", "address"},
		{"an_address", "host(address) || '/' || masklen(address)"},
	},
	created: []columnType{
		{"timestamptz", "to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"},
		{"timestamp", "to_char(created, 'YYYY-MM-DD HH24:MI:SS.US')"},
		{"bigint", "created::text"},
		{"integer", "created::text"},
	},
	port:    []columnType{{"int4", "port::text"}, {"int8", "port::text"}, {"numeric", "port::text"}, {"int2", "port::text"}, {"a_port", "port::text"}},
	count:   []columnType{{"int8", ""}, {"int4", ""}, {"numeric", ""}, {"int2", ""}},
	id:      []columnType{{"bytea", "encode(peer_id, 'escape')"}, {"text", "peer_id"}, {"varchar(20)", "peer_id"}, {"char(20)", "peer_id"}},
	context: []columnType{{"text", "context"}, {"varchar", "context"}, {"citext", "context"}, {"an_enum", "context::text"}, {"a_word", "context"}, {"name", "context"}, {"char(4)", "context"}},
	blob:    []columnType{{"bytea", "encode(value, 'escape')"}, {"text", "value"}},
}

type columnType struct{ sql, shown string }

const kindTypes = `
	CREATE EXTENSION citext;
	CREATE DOMAIN an_address AS inet;
	CREATE DOMAIN a_port AS int4 CHECK (VALUE BETWEEN 1 AND 65535);
	CREATE DOMAIN a_word AS varchar(20);
	CREATE TYPE an_enum AS ENUM ('site', 'other');`

// The moment that the service's clock shows, and how columns hold it.
var (
	moment = time.Date(2024, 7, 1, 23, 34, 56, 789012000, time.UTC)
	stored = map[string]string{
		"timestamptz": "2024-07-01 23:34:56.789012", "timestamp": "2024-07-01 23:34:56.789012",
		"bigint": "1719876896", "integer": "1719876896",
	}
)

// A combination is one table layout.
type combination struct{ address, created, port, count, id, context, blob columnType }

func combinations() []combination {
	var all []combination
	pick := func(from []columnType, i int) columnType { return from[i%len(from)] }
	for _, address := range kinds.address {
		for _, created := range kinds.created {
			i := len(all)
			all = append(all, combination{address, created, pick(kinds.port, i), pick(kinds.count, i+i/4), pick(kinds.id, i+i/5),
				pick(kinds.context, i), pick(kinds.blob, i+i/4)})
		}
	}
	return all
}

func (c combination) tables() string {
	return fmt.Sprintf(`
		CREATE TABLE mo_peers (info_hash bytea, peer_id %s, address %s, port %s, is_seeder bool, is_v6 bool, created %s,
			PRIMARY KEY (info_hash, peer_id, address, port));
		CREATE TABLE mo_downloads (info_hash bytea PRIMARY KEY, downloads %s);
		CREATE TABLE mo_kv (context %s, name bytea, value %s, PRIMARY KEY (context, name));`,
		c.id.sql, c.address.sql, c.port.sql, c.created.sql, c.count.sql, c.context.sql, c.blob.sql)
}

// One file of queries works on every combination of column types, and what is in the tables is what
// the rules for values say, whatever time zone the server believes in.
func TestOneQuerySetFitsManyColumnTypes(t *testing.T) {
	file := read(t, "../schemas/mochi-corrected/queries.yaml")
	dsn := testdb.Database(t, kindTypes)
	testdb.Exec(t, dsn, `ALTER DATABASE `+selected(t, dsn, "SELECT current_database()")+` SET timezone = 'Asia/Tokyo'`)
	for i, c := range combinations() {
		name := strings.Join([]string{c.address.sql, c.created.sql, c.port.sql, c.count.sql, c.id.sql, c.context.sql, c.blob.sql}, " ")
		t.Run(name, func(t *testing.T) {
			own := fmt.Sprintf("%s search_path=layout_%d,public", dsn, i)
			testdb.Exec(t, own, fmt.Sprintf("CREATE SCHEMA layout_%d", i)+";"+c.tables())
			now := moment
			o := open(t, own, file, at(&now))
			if err := o.problems.Err(); err != nil {
				t.Fatal(err)
			}
			peersFit(t, o, own, c, &now)
			dataFits(t, o, own, c)
		})
	}
}

func peersFit(t *testing.T, o *opened, dsn string, c combination, now *time.Time) {
	hash := hashOf(1)
	v4, v6 := peerAt("192.0.2.7", 6881), peerAt("2001:db8::7", 32000)
	mapped := &trackerv1.Peer{PeerId: v4.PeerId, Address: netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), Port: v4.Port}
	o.put(t, hash, false, mapped, v6)

	for _, family := range []struct {
		v6   bool
		peer *trackerv1.Peer
		want string
	}{
		{false, v4, shownAddress(c.address.sql, v4)},
		{true, v6, shownAddress(c.address.sql, v6)},
	} {
		if got := o.listed(t, hash, true, family.v6); !slices.Equal(got, []string{describe(family.peer)}) {
			t.Errorf("listed %q, v6 %v", got, family.v6)
		}
		got := selected(t, dsn, fmt.Sprintf("SELECT %s, %s, %s, %s, is_seeder FROM mo_peers WHERE is_v6 = %v",
			c.id.shown, c.address.shown, c.port.shown, c.created.shown, family.v6))
		want := fmt.Sprintf("%s|%s|%d|%s|f", family.peer.PeerId, family.want, family.peer.Port, stored[c.created.sql])
		if got != want {
			t.Errorf("stored %s; expected %s", got, want)
		}
	}

	promoted := ok[*trackerv1.GraduateLeecherResponse](t)(o.swarms.GraduateLeecher(t.Context(), &trackerv1.GraduateLeecherRequest{InfoHash: hash, Peer: v4}))
	if !promoted.GetPromoted() {
		t.Error("the leecher was not found by its address")
	}
	swarm := ok[*trackerv1.Swarm](t)(o.swarms.ScrapeSwarm(t.Context(), &trackerv1.ScrapeSwarmRequest{InfoHash: hash}))
	if swarm.GetSeeders() != 1 || swarm.GetLeechers() != 1 || swarm.GetSnatched() != 1 {
		t.Errorf("swarm %v", swarm)
	}
	if _, err := o.swarms.DeletePeer(t.Context(), &trackerv1.DeletePeerRequest{InfoHash: hash, Peer: v4, IsSeeder: true}); err != nil {
		t.Errorf("deleting by address: %v", err)
	}

	*now = moment.Add(31*time.Minute - time.Second) // peer_lifetime
	if n := collected(t, o); n != 0 {
		t.Errorf("%d live peers were collected", n)
	}
	*now = moment.Add(31*time.Minute + time.Second)
	if n := collected(t, o); n != 1 {
		t.Errorf("%d stale peers were collected; expected 1", n)
	}
}

func shownAddress(column string, peer *trackerv1.Peer) string {
	addr, _ := netip.AddrFromSlice(peer.GetAddress())
	switch column {
	case "bytea":
		return fmt.Sprintf("%x", peer.GetAddress())
	case "text", "varchar(45)":
		return addr.String()
	}
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}

func collected(t *testing.T, o *opened) int64 {
	t.Helper()
	return ok[*trackerv1.RunGCResponse](t)(o.swarms.RunGC(t.Context(), &trackerv1.RunGCRequest{})).GetDeleted()
}

func dataFits(t *testing.T, o *opened, dsn string, c combination) {
	key, text := []byte{0, 0xff, 'k'}, []byte("päper")
	ok[*trackerv1.PutResponse](t)(o.data.Put(t.Context(), &trackerv1.PutRequest{Context: "site",
		Entries: []*trackerv1.Entry{{Key: key, Value: text}, {Key: []byte("none")}}}))
	loaded := ok[*trackerv1.LoadResponse](t)(o.data.Load(t.Context(), &trackerv1.LoadRequest{Context: "site", Key: key}))
	if string(loaded.GetValue()) != string(text) {
		t.Errorf("loaded %q", loaded.GetValue())
	}
	if got := selected(t, dsn, fmt.Sprintf("SELECT %s, octet_length(%s) FROM mo_kv WHERE value IS NOT NULL", c.context.shown, "value")); got != "site|6" {
		t.Errorf("stored %q", got)
	}
	found := ok[*trackerv1.ContainsResponse](t)(o.data.Contains(t.Context(), &trackerv1.ContainsRequest{Context: "site",
		Keys: [][]byte{key, []byte("none"), []byte("absent")}}))
	if !slices.Equal(found.GetFound(), []bool{true, true, false}) {
		t.Errorf("contains %v", found.GetFound())
	}
	gone := ok[*trackerv1.Affected](t)(o.data.Delete(t.Context(), &trackerv1.DeleteRequest{Context: "site", Key: [][]byte{key, []byte("none"), []byte("absent")}}))
	if gone.GetAffected() != 2 {
		t.Errorf("%d keys were deleted", gone.GetAffected())
	}
}
