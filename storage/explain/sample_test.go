package explain

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query"
)

// linked is a tracker's tables with ids: 300 torrents, one of which has most of the peers.
const linked = `
	CREATE TABLE torrents (id int8 PRIMARY KEY, info_hash bytea NOT NULL UNIQUE, tags text[]);
	CREATE TABLE peers (torrent_id int8 NOT NULL, peer_id bytea NOT NULL, ip inet NOT NULL, port int4 NOT NULL, seeder bool NOT NULL, seen timestamptz NOT NULL);
	INSERT INTO torrents SELECT i, decode(lpad(to_hex(i), 40, '0'), 'hex') FROM generate_series(1, 300) AS i;
	INSERT INTO peers SELECT CASE WHEN i % 4 > 0 THEN 7 ELSE i % 250 + 1 END, decode(lpad(to_hex(i), 40, '0'), 'hex'),
		CASE WHEN i % 2 = 0 THEN '2001:db8::'::inet ELSE '10.0.0.0' END + i, 1000 + i, i % 3 = 0, '2024-01-01 00:00Z'::timestamptz + i * interval '1 second'
	FROM generate_series(1, 4000) AS i;
	ANALYZE torrents; ANALYZE peers;`

func (s *stand) samples(st *query.Statement, given map[*operation.Parameter]operation.Value, others ...*query.Statement) map[string]*Sample {
	s.t.Helper()
	ctx := limited(s.t)
	m, err := NewSampler(ctx, s.Session, append([]*query.Statement{st}, others...), given)
	if err != nil {
		s.t.Fatal(err)
	}
	samples, err := m.Samples(ctx, st)
	if err != nil {
		s.t.Fatal(err)
	}
	byName := map[string]*Sample{}
	for _, sample := range samples {
		byName[sample.Name] = sample
		p, err := s.Custom(ctx, st, sample.Arguments, Options{})
		if err != nil || p.Root == nil {
			s.t.Errorf("the sample %s cannot be used: %v", sample.Name, err)
		}
	}
	return byName
}

// argument returns an argument of a sample, and where it is from.
func (s *Sample) argument(st *query.Statement, name string) (operation.Value, string) {
	i := st.Operation.Parameter(name).Index
	return s.Arguments[i], s.Origins[i]
}

func TestSamplesBelongTogether(t *testing.T) {
	s := newStand(t, linked)
	st := s.statement("peer.del_query", `DELETE FROM peers WHERE torrent_id = (SELECT id FROM torrents WHERE info_hash = @info_hash)
		AND peer_id = @peer_id AND ip = @address AND port = @port AND seeder = @is_seeder`)
	samples := s.samples(st, nil)
	if len(samples) != 2 {
		t.Fatalf("samples %v", samples)
	}
	for name, want := range map[string]string{Common: "t", Typical: "f"} {
		sample := samples[name]
		hash, from := sample.argument(st, "info_hash")
		if !strings.Contains(from, "torrents.info_hash of the row that belongs to the one of peers") {
			t.Errorf("%s: @info_hash is from %q", name, from)
		}
		if seven := hash.Bytes[19] == 7; seven != (want == "t") {
			t.Errorf("%s: the torrent is %x", name, hash.Bytes)
		}
		p := s.must(s.Custom(limited(t), st, sample.Arguments, Options{Analyze: true}))
		deleted := 0.0
		p.Walk(func(n *Node) {
			if n.Operation == "Delete" {
				n.walk(func(n *Node) {
					if n.Relation == "peers" && n.Operation == "" {
						deleted += n.ActualRows
					}
				})
			}
		})
		if deleted != 1 {
			t.Errorf("%s: the arguments hit %v rows, and the row that they are from is one", name, deleted)
		}
	}
}

func TestSamplesOfExpressionsListsAndRanges(t *testing.T) {
	s := newStand(t, linked)
	announce := s.statement("announce.query", `SELECT p.peer_id, p.ip AS address, p.port FROM torrents AS t JOIN peers AS p ON p.torrent_id = t.id
		WHERE t.info_hash = @info_hash AND p.seeder = @is_seeder AND (family(p.ip) = 6) = @is_v6 AND (p.seen > @alive_since) IS NOT FALSE
		AND (@peer_id::bytea IS NULL OR (p.ip = @address AND p.port = @port) IS NOT TRUE) LIMIT @count::bigint`)
	for name, sample := range s.samples(announce, nil) {
		v6, from := sample.argument(announce, "is_v6")
		address, _ := sample.argument(announce, "address")
		if v6.Bool != address.Addr.Is6() || !strings.Contains(from, "(family(p.ip) = 6)") {
			t.Errorf("%s: is_v6 is %v beside %v, from %q", name, v6.Bool, address.Addr, from)
		}
		if count, from := sample.argument(announce, "count"); count.Int != inventedRows || from != "made up" {
			t.Errorf("%s: count is %d, %s", name, count.Int, from)
		}
		if since, from := sample.argument(announce, "alive_since"); since.Time.Year() != 2024 || !strings.Contains(from, "5% of its rows") {
			t.Errorf("%s: alive_since is %v, %s", name, since.Time, from)
		}
		if event, from := sample.argument(announce, "event"); !event.Null || !strings.HasPrefix(from, "NULL") {
			t.Errorf("%s: event is %+v, %s", name, event, from)
		}
	}
	scrape := s.statement("peer.scrape_query", `SELECT t.info_hash, 0 AS seeders, 0 AS leechers, 0 AS downloads
		FROM unnest(@info_hashes::bytea[]) AS asked (info_hash) JOIN torrents AS t USING (info_hash)`)
	for name, sample := range s.samples(scrape, nil) {
		hashes, from := sample.argument(scrape, "info_hashes")
		if len(hashes.List) != listLength || !strings.Contains(from, "of up to 10 rows") {
			t.Errorf("%s: %d hashes, %s", name, len(hashes.List), from)
		}
	}
}

func TestGivenValuesChooseTheRow(t *testing.T) {
	s := newStand(t, linked)
	st := s.statement("peer.graduate_query", `UPDATE peers SET seeder = true, seen = @created WHERE peer_id = @peer_id AND ip = @address AND port = @port`)
	for _, sample := range s.samples(st, map[*operation.Parameter]operation.Value{st.Operation.Parameter("port"): {Int: 1500}}) {
		id, _ := sample.argument(st, "peer_id")
		if port, from := sample.argument(st, "port"); port.Int != 1500 || from != "given" || !slices.Equal(id.Bytes[18:], []byte{500 >> 8, 500 & 255}) {
			t.Errorf("port %d (%s) beside the peer %x", port.Int, from, id.Bytes)
		}
		if created, from := sample.argument(st, "created"); created.Time.IsZero() || from != "the time of the call" {
			t.Errorf("created is %v, %s", created.Time, from)
		}
	}
}

func TestBorrowedColumns(t *testing.T) {
	s := newStand(t, linked+`CREATE FUNCTION found(hash bytea) RETURNS int8 LANGUAGE sql AS 'SELECT 1::int8';
		CREATE VIEW swarms AS SELECT info_hash FROM torrents;`)
	st := s.statement(hot, "SELECT found(@info_hash)")
	other := s.statement("peer.by_info_hash_clause", "SELECT 0 AS seeders, 0 AS leechers FROM swarms WHERE info_hash = @info_hash")
	sample := s.samples(st, nil, other)[Typical]
	if sample == nil {
		t.Fatal("no row was taken from the other query's table")
	}
	if hash, from := sample.argument(st, "info_hash"); len(hash.Bytes) != 20 || !strings.Contains(from, "swarms.info_hash") || !strings.Contains(from, "as in tracker.peer.by_info_hash_clause") {
		t.Errorf("%x, %s", hash.Bytes, from)
	}
}

func TestEmptyTablesAndBadRows(t *testing.T) {
	s := newStand(t, `CREATE TABLE downloads (info_hash bytea, downloads int8); CREATE TABLE kv (context text, name bytea, value bytea);
		INSERT INTO kv VALUES ('a', '\x00', NULL);`)
	st := s.statement(hot, "SELECT downloads FROM downloads WHERE info_hash = @info_hash")
	sample := s.samples(st, nil)[Invented]
	if sample == nil || len(sample.Notes) != 1 || !strings.Contains(sample.Notes[0], "downloads is empty") {
		t.Fatalf("sample %+v", sample)
	}
	again := s.samples(st, nil)[Invented]
	if !bytes.Equal(again.Arguments[0].Bytes, sample.Arguments[0].Bytes) {
		t.Error("what is made up is another thing each time")
	}
	s.exec(`INSERT INTO downloads VALUES ('\x0102')`)
	sample = s.samples(st, nil)[Typical]
	if hash, from := sample.argument(st, "info_hash"); len(hash.Bytes) != 20 || !strings.Contains(from, "breaks the contract: it must have 20 or 32 bytes") {
		t.Errorf("%x, %s", hash.Bytes, from)
	}
	data := s.statement("data.add_query", "INSERT INTO kv VALUES (@context, @key, @value)")
	sample = s.samples(data, nil)[Typical]
	if value, _ := sample.argument(data, "value"); !value.Null {
		t.Errorf("NULL of the row became %+v", value)
	}
	if key, from := sample.argument(data, "key"); !bytes.Equal(key.Bytes, []byte{0}) || from != "kv.name of a typical row" {
		t.Errorf("%x, %s", key.Bytes, from)
	}
}

func TestWrongRightsAreNoFailure(t *testing.T) {
	dsn := Database(t, linked+`DROP ROLE IF EXISTS mortise_explain_nobody; CREATE ROLE mortise_explain_nobody;`)
	s := standOn(t, dsn)
	st := s.statement(hot, "SELECT port::int8 AS downloads FROM torrents JOIN peers ON torrent_id = id WHERE info_hash = @info_hash")
	s.exec("SET LOCAL ROLE mortise_explain_nobody")
	reports, _ := s.examined(true, st)
	if code(reports[0].Refused) != "42501" {
		t.Errorf("refused: %v", reports[0].Refused)
	}
	_ = s.Close(limited(t))
	testdb.Exec(t, dsn, "DROP ROLE mortise_explain_nobody")
}

func TestInsertOfANewRow(t *testing.T) {
	s := newStand(t, `CREATE TABLE kv (context text, name bytea, value bytea, PRIMARY KEY (context, name)); INSERT INTO kv VALUES ('a', '\x01', '\x02')`)
	st := s.statement("data.add_query", "INSERT INTO kv VALUES (@context, @key, @value)")
	reports, _ := s.examined(false, st)
	c := reports[0].Cases[0]
	if c.NotRun != "" || !c.Custom.Analyzed {
		t.Errorf("not run: %s", c.NotRun)
	}
	if _, from := c.Sample.argument(st, "key"); !strings.Contains(from, "there already") {
		t.Errorf("the key is from %q", from)
	}
	// What is given is not replaced.
	given := map[*operation.Parameter]operation.Value{st.Operation.Parameter("context"): {Text: "a"}, st.Operation.Parameter("key"): {Bytes: []byte{1}}, st.Operation.Parameter("value"): {Null: true}}
	m, err := NewSampler(limited(t), s.Session, []*query.Statement{st}, given)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Examine(limited(t), m, st, Options{Analyze: true})
	if err != nil || !strings.Contains(r.Cases[0].NotRun, "is there already (constraint kv_pkey)") || r.Cases[0].Custom.Analyzed {
		t.Errorf("%v, not run: %q", err, r.Cases[0].NotRun)
	}
}

func TestSlowQueriesAreGivenUp(t *testing.T) {
	s := newStand(t, `CREATE TABLE downloads (info_hash bytea)`)
	st := s.statement(hot, "SELECT count(*) FROM downloads, pg_sleep(20) WHERE info_hash = @info_hash OR true")
	s.exec("INSERT INTO downloads VALUES ('\x01')")
	m, err := NewSampler(limited(t), s.Session, []*query.Statement{st}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Examine(limited(t), m, st, Options{Analyze: true, Runs: 5, Timeout: 50 * time.Millisecond})
	if err != nil || len(r.Cases) == 0 || r.Cases[0].NotRun != "it took longer than 50ms" || r.Cases[0].Custom == nil || r.Cases[0].Custom.Analyzed {
		t.Errorf("%v, refused %v, cases %+v", err, r.Refused, r.Cases)
	}
}
