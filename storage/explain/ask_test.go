package explain

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/operation"
)

func hash(tail string) operation.Value {
	raw, err := hex.DecodeString(strings.Repeat("0", 40-len(tail)) + tail)
	if err != nil {
		panic(err)
	}
	return operation.Value{Bytes: raw}
}

// downloads has one parameter, and so serves for any query by an info hash.
const byHash = "SELECT count(*) FROM peers WHERE info_hash = @info_hash"

func TestGenericAndCustomDiffer(t *testing.T) {
	s := newStand(t, skewed)
	st := s.statement("downloads.get_query", byHash)
	ctx := limited(t)
	generic := s.must(s.Generic(ctx, st, Options{}))
	rare := s.must(s.Custom(ctx, st, Arguments{hash("77")}, Options{}))
	common := s.must(s.Custom(ctx, st, Arguments{hash("ff")}, Options{}))
	if !generic.Generic || rare.Generic || generic.Root.TotalCost == 0 {
		t.Errorf("generic %+v, rare %+v", generic, rare)
	}
	if generic.Shape() != rare.Shape() || Diff(generic, rare) != nil {
		t.Errorf("a rare value has another plan: %s and %s", generic.Shape(), rare.Shape())
	}
	diff := strings.Join(Diff(rare, common), "\n")
	if rare.Shape() == common.Shape() || !strings.Contains(diff, "only in the second: Seq Scan on peers") || !strings.Contains(diff, "peers_hash on peers by info_hash") {
		t.Errorf("a value of half of the table has the plan %s; difference %q", common.Shape(), diff)
	}
	common.Walk(func(n *Node) {
		if strings.Contains(n.Filter, `\x`) || (n.Filter != "" && !strings.Contains(n.Filter, "?")) {
			t.Errorf("the condition shows a value: %s", n.Filter)
		}
	})
	shown := s.must(s.Custom(ctx, st, Arguments{hash("ff")}, Options{Values: true}))
	if text := shown.Root.Children[0].Filter; !strings.Contains(text, `\x`) {
		t.Errorf("the condition hides what was asked for: %s", text)
	}
	without := s.must(s.Custom(ctx, st, Arguments{hash("ff")}, Options{NoSeqScan: true}))
	if without.Shape() == common.Shape() {
		t.Errorf("the same plan without sequential scans: %s", without.Shape())
	}
}

func TestAnalyzeRunsAndLeavesNothing(t *testing.T) {
	s := newStand(t, `CREATE TABLE downloads (info_hash bytea PRIMARY KEY, downloads int8)`)
	st := s.statement("downloads.inc_query", "INSERT INTO downloads VALUES (@info_hash, 1) ON CONFLICT (info_hash) DO UPDATE SET downloads = downloads.downloads + 1")
	ctx := limited(t)
	args := Arguments{hash("01")}
	for len(args) < len(st.Operation.Parameters) {
		args = append(args, operation.Value{Null: true})
	}
	for name, ask := range map[string]func() (*Plan, error){
		"custom":  func() (*Plan, error) { return s.Custom(ctx, st, args, Options{Analyze: true, Runs: 5}) },
		"generic": func() (*Plan, error) { return s.GenericFor(ctx, st, args, Options{Analyze: true, Runs: 5}) },
	} {
		p := s.must(ask())
		modify := p.Root
		if !p.Analyzed || len(p.Runs) != 5 || p.ExecutionMS == 0 || modify.Operation != "Insert" || modify.Loops != 1 {
			t.Errorf("%s: %+v, %+v", name, p, modify)
		}
		if modify.Conflict != "UPDATE" || len(modify.ConflictIndexes) != 1 {
			t.Errorf("%s: conflicts %q %v", name, modify.Conflict, modify.ConflictIndexes)
		}
	}
	rows, err := s.texts(ctx, "SELECT count(*) FROM downloads")
	if err != nil || rows[0][0] != "0" {
		t.Errorf("%v rows are left, %v", rows, err)
	}
	if rows, err := s.texts(ctx, "SELECT name FROM pg_prepared_statements WHERE name = $1", statementName); err != nil || len(rows) != 0 {
		t.Errorf("prepared statements are left: %v, %v", rows, err)
	}
}

// The server finds these when it plans or starts a statement, and not when it prepares one.
func TestErrorsOfPlanning(t *testing.T) {
	dsn := Database(t, skewed+`
		DROP ROLE IF EXISTS mortise_explain_nobody;
		CREATE ROLE mortise_explain_nobody;
		CREATE TABLE loose (info_hash bytea);`)
	s := standOn(t, dsn)
	ctx := limited(t)
	asked := func(sql string) error {
		st := s.statement("downloads.get_query", sql)
		if problems, err := s.Prepare(ctx, st); err != nil || problems.Err() != nil {
			t.Fatalf("%s does not prepare: %v, %v", sql, problems, err)
		}
		_, err := s.Generic(ctx, st, Options{})
		return err
	}
	upsert := s.statement("downloads.inc_query", "INSERT INTO loose VALUES (@info_hash) ON CONFLICT (info_hash) DO NOTHING")
	_, err := s.Generic(ctx, upsert, Options{})
	if code(err) != "42P10" {
		t.Errorf("an upsert without a constraint: %v", err)
	}
	if err := asked(byHash); err != nil {
		t.Fatalf("the session is of no use after an error: %v", err)
	}
	s.exec("SET LOCAL ROLE mortise_explain_nobody")
	if err := asked(byHash); code(err) != "42501" {
		t.Errorf("a right that is missing: %v", err)
	}
	_ = s.Close(ctx)
	testdb.Exec(t, dsn, "DROP ROLE mortise_explain_nobody")
}

func code(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestCommandsWithoutPlan(t *testing.T) {
	s := newStand(t, `CREATE PROCEDURE collect(t timestamptz) LANGUAGE sql AS 'SELECT 1'`)
	st := s.statement("gc_query", "CALL collect(@created)")
	p := s.must(s.Generic(limited(t), st, Options{}))
	if p.Root != nil || p.Shape() != "" {
		t.Errorf("plan %+v", p)
	}
}

func TestRowBoundIsExplained(t *testing.T) {
	s := newStand(t, skewed)
	st := s.statement("peer.del_query", "DELETE FROM peers WHERE info_hash = @info_hash AND peer_id = @peer_id AND address = @address AND port = @port AND is_seeder = @is_seeder")
	p := s.must(s.Generic(limited(t), st, Options{}))
	if !strings.Contains(p.Shape(), "CTE Scan on mortise_write") || !strings.Contains(p.Shape(), "Delete on peers") {
		t.Errorf("shape %s", p.Shape())
	}

}
