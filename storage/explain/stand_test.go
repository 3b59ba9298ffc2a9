package explain

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A stand is a session on a database of its own, and statements of the tracker's contract.
type stand struct {
	*Session
	t        *testing.T
	contract *operation.Contract
	dsn      string
}

// otherServer names a server that the tests use instead of their own, for trying other versions: the DSN
// of a superuser. A database mortise_explain_test is dropped and made anew on it.
const otherServer = "MORTISE_EXPLAIN_DSN"

// Database makes a database with what the scripts make.
func Database(t *testing.T, scripts ...string) string {
	t.Helper()
	admin := os.Getenv(otherServer)
	if admin == "" {
		return testdb.Database(t, scripts...)
	}
	testdb.Exec(t, admin, "DROP DATABASE IF EXISTS mortise_explain_test")
	testdb.Exec(t, admin, "CREATE DATABASE mortise_explain_test")
	dsn := admin + " dbname=mortise_explain_test"
	t.Cleanup(func() { testdb.Exec(t, admin, "DROP DATABASE mortise_explain_test WITH (FORCE)") })
	for _, script := range scripts {
		testdb.Exec(t, dsn, script)
	}
	return dsn
}

func newStand(t *testing.T, script string) *stand {
	t.Helper()
	return standOn(t, Database(t, script))
}

func standOn(t *testing.T, dsn string) *stand {
	t.Helper()
	contract, err := operation.Load(trackerv1.File_mortise_tracker_v1_tracker_proto)
	if err != nil {
		t.Fatal(err)
	}
	conn := testdb.Conn(t, dsn)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	s, err := Open(limited(t), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return &stand{Session: s, t: t, contract: contract, dsn: dsn}
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// statement compiles a query for an operation; key may leave out the section.
func (s *stand) statement(key, sql string) *query.Statement {
	s.t.Helper()
	op, ok := s.contract.Lookup("tracker." + key)
	if !ok {
		s.t.Fatalf("no operation %s", key)
	}
	st, problems := query.Compile(op, query.Source{SQL: sql, Locate: func(offset int) problem.Position {
		before := sql[:offset]
		return problem.Position{File: "queries.yaml", Line: 1 + strings.Count(before, "\n"), Column: offset - strings.LastIndex(before, "\n")}
	}})
	if st == nil {
		s.t.Fatal(problems)
	}
	return st
}

func (s *stand) exec(script string) {
	s.t.Helper()
	if err := s.Session.exec(limited(s.t), script); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) must(p *Plan, err error) *Plan {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// skewed is a table of 20 000 peers: one swarm has half of them, 5 000 have two each.
const skewed = `
	CREATE TABLE peers (info_hash bytea NOT NULL, peer_id bytea NOT NULL, address inet NOT NULL, port int4 NOT NULL,
		is_seeder bool NOT NULL, created timestamptz NOT NULL);
	INSERT INTO peers SELECT decode(lpad(CASE WHEN i % 2 = 0 THEN 'ff' ELSE to_hex(i / 4) END, 40, '0'), 'hex'),
		decode(lpad(to_hex(i), 40, '0'), 'hex'), '10.0.0.0'::inet + i, 6881, i % 3 = 0, now() - i * interval '1 second'
	FROM generate_series(1, 20000) AS i;
	CREATE INDEX peers_hash ON peers (info_hash);
	ANALYZE peers;`
