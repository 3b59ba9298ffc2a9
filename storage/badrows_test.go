package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
)

const goodID = "'-MO0001-000000000001'"

// A stored row that breaks the contract is left out and counted by its column; it neither ends the
// list nor hides what stands behind it.
func TestBadRowsAreSkipped(t *testing.T) {
	server, layouts := testdb.Database(t), 0
	for name, c := range map[string]struct {
		column  string // the type of the address
		row     string // peer_id, address, port
		skipped string // the column that is counted; empty if the row is good
		shown   string // what comes out of a good row
	}{
		"peer id NULL":             {"inet", "NULL, '192.0.2.1', 1", "peer_id", ""},
		"peer id of 19 bytes":      {"inet", "'1234567890123456789', '192.0.2.1', 1", "peer_id", ""},
		"peer id of 21 bytes":      {"inet", "'123456789012345678901', '192.0.2.1', 1", "peer_id", ""},
		"address NULL":             {"inet", goodID + ", NULL, 1", "address", ""},
		"inet network":             {"inet", goodID + ", '192.0.2.0/24', 1", "address", ""},
		"inet host in a network":   {"inet", goodID + ", '192.0.2.1/24', 1", "address", ""},
		"inet of the other family": {"inet", goodID + ", '2001:db8::1', 1", "address", ""},
		"inet mapped":              {"inet", goodID + ", '::ffff:192.0.2.1', 1", "", "192.0.2.1:1"},
		"cidr network":             {"cidr", goodID + ", '192.0.2.0/24', 1", "address", ""},
		"bytea of 5 bytes":         {"bytea", goodID + `, '\x0102030405', 1`, "address", ""},
		"bytea empty":              {"bytea", goodID + ", '', 1", "address", ""},
		"bytea of 16 bytes":        {"bytea", goodID + `, '\x20010db8000000000000000000000001', 1`, "address", ""},
		"bytea mapped":             {"bytea", goodID + `, '\x00000000000000000000ffffc0000201', 1`, "", "192.0.2.1:1"},
		"text that is no address":  {"text", goodID + ", 'localhost', 1", "address", ""},
		"text with a port":         {"text", goodID + ", '192.0.2.1:80', 1", "address", ""},
		"text of a network":        {"text", goodID + ", '192.0.2.0/24', 1", "address", ""},
		"text of other family":     {"text", goodID + ", '2001:db8::1', 1", "address", ""},
		"text with full prefix":    {"text", goodID + ", '192.0.2.1/32', 1", "", "192.0.2.1:1"},
		"text mapped":              {"text", goodID + ", '::ffff:192.0.2.1', 1", "", "192.0.2.1:1"},
		"port NULL":                {"inet", goodID + ", '192.0.2.1', NULL", "port", ""},
		"port 0":                   {"inet", goodID + ", '192.0.2.1', 0", "port", ""},
		"port 65536":               {"inet", goodID + ", '192.0.2.1', 65536", "port", ""},
		"port below zero":          {"inet", goodID + ", '192.0.2.1', -1", "port", ""},
		"port 65535":               {"inet", goodID + ", '192.0.2.1', 65535", "", "192.0.2.1:65535"},
	} {
		t.Run(name, func(t *testing.T) {
			layouts++
			dsn := fmt.Sprintf("%s search_path=layout_%d", server, layouts)
			testdb.Exec(t, dsn, fmt.Sprintf(`CREATE SCHEMA layout_%d; CREATE TABLE peers (n int, info_hash bytea, peer_id bytea,
				address %s, port int4, is_seeder bool, is_v6 bool, created timestamptz)`, layouts, c.column))
			set := basic.with("announce.query", "SELECT peer_id, address, port FROM peers WHERE info_hash = @info_hash AND is_seeder = @is_seeder AND is_v6 = @is_v6 ORDER BY n LIMIT @count",
				"peer.add_query", "INSERT INTO peers VALUES (2, @info_hash, @peer_id, @address, @port, @is_seeder, @is_v6, @created)").without("downloads.", "data.")
			o, hash, good := serve(t, dsn, set), hashOf(1), peerAt("192.0.2.9", 9)
			testdb.Exec(t, dsn, fmt.Sprintf(`INSERT INTO peers VALUES (1, '\x%x', %s, false, false, now())`, hash, c.row))
			o.put(t, hash, false, good)

			want := []string{describe(good)}
			if c.skipped == "" {
				want = append(want, "-MO0001-000000000001 at "+c.shown)
				slices.Sort(want)
			}
			if got := o.listed(t, hash, true, false); !slices.Equal(got, want) {
				t.Errorf("listed %q; expected %q", got, want)
			}
			for _, column := range []string{"peer_id", "address", "port"} {
				counted := o.metric(t, "mortise_tracker_bad_rows_total", "op", "announce", "column", column)
				if (counted == 1) != (column == c.skipped) {
					t.Errorf("%v bad rows are counted for %s", counted, column)
				}
			}
			if told := strings.Contains(o.log.String(), "column="+c.skipped); c.skipped != "" && !told {
				t.Errorf("the log does not tell: %s", o.log)
			}
		})
	}
}

// A zone of a stored address is dropped: clients cannot use it.
func TestZoneIsDropped(t *testing.T) {
	dsn := testdb.Database(t, strings.Replace(tables, "address inet", "address text", 1))
	o, hash := serve(t, dsn, basic), hashOf(1)
	testdb.Exec(t, dsn, fmt.Sprintf(`INSERT INTO peers VALUES ('\x%x', %s, 'fe80::1%%eth0', 1, false, true, now())`, hash, goodID))
	if got := o.listed(t, hash, true, true); !slices.Equal(got, []string{"-MO0001-000000000001 at [fe80::1]:1"}) {
		t.Errorf("listed %q", got)
	}
}

// A port that the operator's column cannot hold is refused before it is sent: sending it would cost
// the connection.
func TestPortThatDoesNotFitIsRejected(t *testing.T) {
	dsn := testdb.Database(t, strings.Replace(tables, "port int4", "port int2", 1))
	o, hash := serve(t, dsn, basic), hashOf(1)
	o.put(t, hash, false, peerAt("192.0.2.1", 32767))
	dialled := o.wire.connections()
	var err error
	trips := o.wire.count(func() {
		_, err = o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: hash, Peer: peerAt("192.0.2.1", 32768)})
	})
	expect(t, err, codes.FailedPrecondition, fault.Rejected)
	if !strings.Contains(err.Error(), "port does not fit the database's type smallint") {
		t.Errorf("the error says %v", err)
	}
	o.put(t, hash, false, peerAt("192.0.2.1", 1))
	if trips != 0 || o.wire.connections() != dialled {
		t.Errorf("%d round trips, %d new connections", trips, o.wire.connections()-dialled)
	}
}

// NULL in a count is zero, a value that is NULL is found and has none.
func TestNullValues(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic)
	ok[*trackerv1.PutResponse](t)(o.data.Put(t.Context(), &trackerv1.PutRequest{Entries: []*trackerv1.Entry{
		{Key: []byte("null")}, {Key: []byte("empty"), Value: []byte{}}, {Key: nil, Value: []byte("key is empty")}}}))
	if got := selected(t, dsn, "SELECT context, name, value FROM kv ORDER BY octet_length(name)"); got != `|\x|\x6b657920697320656d707479`+"\n"+`|\x6e756c6c|-`+"\n"+`|\x656d707479|\x` {
		t.Errorf("stored %s", got)
	}
	for key, want := range map[string]*trackerv1.LoadResponse{
		"null": {}, "empty": {Value: []byte{}}, "": {Value: []byte("key is empty")},
	} {
		got := ok[*trackerv1.LoadResponse](t)(o.data.Load(t.Context(), &trackerv1.LoadRequest{Key: []byte(key)}))
		if !proto.Equal(got, want) {
			t.Errorf("key %q: %v; expected %v", key, got, want)
		}
	}
	_, err := o.data.Load(t.Context(), &trackerv1.LoadRequest{Key: []byte("absent")})
	expect(t, err, codes.NotFound, fault.DoesNotExist)
}

// The limit of an index row is the database's: a long key is refused if it cannot be compressed.
func TestLongKeys(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic)
	put := func(key []byte) error {
		_, err := o.data.Put(t.Context(), &trackerv1.PutRequest{Context: "c", Entries: []*trackerv1.Entry{{Key: key, Value: []byte("v")}}})
		return err
	}
	if err := put(slices.Repeat([]byte("a"), 100_000)); err != nil {
		t.Errorf("a long key that can be compressed: %v", err)
	}
	err := put(incompressible(2800))
	expect(t, err, codes.FailedPrecondition, fault.Rejected)
	if fault.SQLStateOf(err) != "54000" || fault.OperationOf(err) != "tracker.data.add_query" {
		t.Errorf("SQLSTATE %q of %q", fault.SQLStateOf(err), fault.OperationOf(err))
	}
	if err := put(incompressible(2600)); err != nil {
		t.Errorf("a key below the limit: %v", err)
	}
}

// incompressible returns bytes without any pattern, the same each time.
func incompressible(n int) []byte {
	state, all := uint64(1), make([]byte, n)
	for i := range all {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		all[i] = byte(state >> 24)
	}
	return all
}

// What `now()` gives agrees with what is sent, whatever time zone the server believes in.
func TestColumnDefaultsAreInUTC(t *testing.T) {
	dsn := testdb.Database(t, strings.Replace(tables, "created timestamptz", "created timestamp DEFAULT now()", 1))
	testdb.Exec(t, dsn, `ALTER DATABASE `+selected(t, dsn, "SELECT current_database()")+` SET timezone = 'Asia/Tokyo'`)
	o := serve(t, dsn, basic.with("peer.add_query", "INSERT INTO peers (info_hash, peer_id, address, port, is_seeder, is_v6) VALUES (@info_hash, @peer_id, @address, @port, @is_seeder, @is_v6)"))
	o.put(t, hashOf(1), false, peerAt("192.0.2.1", 1))
	if got := selected(t, dsn, "SELECT abs(extract(epoch FROM (now() AT TIME ZONE 'UTC') - created)) < 3600 FROM peers"); got != "t" {
		t.Error("the default is not in UTC")
	}
}

// 20 and 32 bytes are different swarms even where one is the beginning of the other, and a table that
// wants only the one refuses the other.
func TestInfoHashLengths(t *testing.T) {
	dsn := testdb.Database(t, tables)
	o := serve(t, dsn, basic)
	long := append(hashOf(1), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	o.put(t, long, false, peerAt("192.0.2.1", 1))
	o.put(t, long[:20], false, peerAt("192.0.2.2", 2))
	for _, c := range []struct {
		hash []byte
		peer *trackerv1.Peer
	}{{long, peerAt("192.0.2.1", 1)}, {long[:20], peerAt("192.0.2.2", 2)}} {
		if got := o.listed(t, c.hash, true, false); !slices.Equal(got, []string{describe(c.peer)}) {
			t.Errorf("the swarm of %d bytes has %q", len(c.hash), got)
		}
	}
	testdb.Exec(t, dsn, "ALTER TABLE peers ADD CONSTRAINT only_v1 CHECK (octet_length(info_hash) = 20) NOT VALID")
	_, err := o.swarms.PutPeer(t.Context(), &trackerv1.PutPeerRequest{InfoHash: long, Peer: peerAt("192.0.2.3", 3)})
	expect(t, err, codes.FailedPrecondition, fault.Rejected)
	if fault.SQLStateOf(err) != "23514" || !strings.Contains(err.Error(), "only_v1") {
		t.Errorf("the error says %v", err)
	}
}
