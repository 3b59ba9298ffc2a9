package verify

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The scratch mode: the cases run in a schema of their own, in transactions that are committed, on
// several connections. The operator's tables are named nowhere: before a case runs, the server is asked
// for the plan of every query, and a query that touches anything outside of the schema is refused.
//
// The schema is dropped in the end. A run that is killed leaves it behind; it is told from one in use by
// an advisory lock that the run's session keeps, and dropped by the next run.
const (
	scratchPrefix  = "mortise_verify_"
	scratchComment = "Scratch tables of mortise verify. They are dropped when the run ends, or by the next run."
)

// A scratch is the schema while it is there.
type scratch struct {
	conn *pgx.Conn // keeps the lock
	name string
	key  int64
	// path is the search path that begins with the schema.
	path string
}

func (r *run) inScratch(ctx context.Context) error {
	s, err := makeScratch(ctx, r.watcher)
	if err != nil {
		return err
	}
	r.report.Scratch = s.name
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leave)
		defer cancel()
		err := s.drop(ctx)
		if r.report.Dropped = err == nil; err != nil {
			r.report.Notes = append(r.report.Notes, problem.Problem{Severity: problem.Warning, Rule: "scratch",
				Message: "the schema " + s.name + " could not be dropped: " + err.Error(), Fix: "the next run with --scratch drops it"})
		}
	}()
	outside := r.config
	if r.config.Connection, err = with(r.config.Connection, map[string]string{"search_path": s.path,
		"statement_timeout": milliseconds(r.options.StatementTimeout), "lock_timeout": milliseconds(lockTimeout)}); err != nil {
		return err
	}
	if err := r.fill(ctx, s, outside); err != nil {
		return err
	}
	stage, err := openReal(ctx, r.config, r.options)
	if err != nil {
		return err
	}
	r.stage = stage
	defer stage.close()
	return r.domains(ctx)
}

// fill makes the tables, and proves that the queries touch nothing else.
func (r *run) fill(ctx context.Context, s *scratch, outside storage.Config) error {
	var err error
	if r.options.Schema != "" {
		err = s.apply(ctx, r.options.Schema)
	} else {
		err = s.clone(ctx, outside, r.options)
	}
	if err == nil {
		err = s.selfContained(ctx)
	}
	if err != nil {
		return err
	}
	return s.within(ctx, r.config, r.options)
}

// makeScratch drops what killed runs left, and makes a new schema.
func makeScratch(ctx context.Context, conn *pgx.Conn) (*scratch, error) {
	if err := sweep(ctx, conn); err != nil {
		return nil, err
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	s := &scratch{conn: conn, name: scratchPrefix + hex.EncodeToString(random), key: int64(binary.BigEndian.Uint64(random))}
	var path string
	if err := conn.QueryRow(ctx, "SHOW search_path").Scan(&path); err != nil {
		return nil, err
	}
	s.path = s.name
	if path != "" && path != `""` {
		s.path += ", " + path
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", s.key); err != nil {
		return nil, fmt.Errorf("the run cannot be marked as being under way: %w", err)
	}
	_, err := conn.Exec(ctx, "CREATE SCHEMA "+s.name+"; COMMENT ON SCHEMA "+s.name+" IS '"+scratchComment+"'", pgx.QueryExecModeSimpleProtocol)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42501" {
		return nil, errors.New("the role may not make a schema in this database; grant it with: GRANT CREATE ON DATABASE ... TO ..., or run without --scratch")
	}
	if err != nil {
		return nil, fmt.Errorf("making the scratch schema: %w", err)
	}
	return s, nil
}

// drop removes the schema with all that is in it.
func (s *scratch) drop(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+s.name+" CASCADE"); err != nil {
		return err
	}
	_, err := s.conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", s.key)
	return err
}

// sweep drops the schemas of runs that ended without dropping them: nobody has their lock.
func sweep(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT nspname::text FROM pg_namespace
		WHERE nspname ~ ('^' || $1 || '[0-9a-f]{16}$') AND obj_description(oid, 'pg_namespace') = $2
		  AND pg_has_role(nspowner, 'USAGE')`, scratchPrefix, scratchComment)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		random, err := hex.DecodeString(strings.TrimPrefix(name, scratchPrefix))
		if err != nil {
			return err
		}
		s := scratch{conn: conn, name: name, key: int64(binary.BigEndian.Uint64(random))}
		var free bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", s.key).Scan(&free); err != nil {
			return err
		}
		if !free {
			continue // another run is under way
		}
		if err := s.drop(ctx); err != nil {
			return fmt.Errorf("dropping %s, which a killed run left: %w", name, err)
		}
	}
	return nil
}

// within asks for the plans of all queries, with the schema in front of the search path, and refuses
// those that touch anything outside of it.
func (s *scratch) within(ctx context.Context, config storage.Config, options Options) error {
	sights, err := s.plans(ctx, config, options)
	if err != nil {
		return err
	}
	var refused problem.List
	for _, one := range sights {
		refuse := func(rule, message, fix string) {
			refused = append(refused, problem.Problem{Severity: problem.Error, Rule: rule, Position: one.statement.Place(0), Key: one.statement.Operation.Key, Message: message, Fix: fix})
		}
		if one.err != nil {
			refuse("scratch-plan", "the server does not tell what the query touches: "+plain(one.err), "make it one that EXPLAIN takes, or run without --scratch")
		}
		for _, r := range one.relations {
			if r.schema != s.name {
				refuse("scratch-outside", "touches "+r.String()+", which is outside of the scratch schema", "name tables without their schema (search_path finds them), give the script that makes views with --schema, or run without --scratch")
			}
		}
		for _, f := range one.functions {
			if !strings.HasPrefix(f, s.name+".") {
				refuse("scratch-function", "calls "+f+", which works on the real tables", "give the script that makes the tables and functions, without names of schemas, with --schema, or run without --scratch")
			}
		}
	}
	return refused.Err()
}

// plans looks into the queries on a connection of their own.
func (s *scratch) plans(ctx context.Context, config storage.Config, options Options) ([]sight, error) {
	set, err := compile(config, options)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, config.Connection)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return look(ctx, conn, set)
}

// selfContained proves that nothing in the schema leads out of it: no view, foreign key, default, index
// or trigger, and no function's text.
func (s *scratch) selfContained(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, `SELECT DISTINCT i.identity, t.identity
		FROM pg_depend AS d,
		     pg_identify_object(d.classid, d.objid, d.objsubid) AS i,
		     pg_identify_object(d.refclassid, d.refobjid, 0) AS t
		WHERE d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass) AND d.deptype = 'n'
		  AND strpos(i.identity, $1) > 0 AND strpos(t.identity, $1) = 0
		  AND t.schema NOT IN ('pg_catalog', 'information_schema')
		  AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
		ORDER BY 1, 2`, s.name)
	if err != nil {
		return err
	}
	var refused problem.List
	var from, to string
	if _, err := pgx.ForEachRow(rows, []any{&from, &to}, func() error {
		refused = append(refused, problem.Problem{Severity: problem.Error, Rule: "scratch-outside", Message: strings.ReplaceAll(from, s.name+".", "") + " leads to " + to + ", which is outside of the scratch schema",
			Fix: "give a script for --schema that makes all that is needed, without names of schemas"})
		return nil
	}); err != nil {
		return err
	}
	leading, err := s.leadingFunctions(ctx)
	if err != nil {
		return err
	}
	return append(refused, leading...).Err()
}

// leadingFunctions finds functions in the schema whose text names another schema, or that have a
// search_path of their own: what they touch cannot be seen in a plan.
func (s *scratch) leadingFunctions(ctx context.Context) (problem.List, error) {
	rows, err := s.conn.Query(ctx, `SELECT n.nspname::text FROM pg_namespace AS n
		WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', $1)`, s.name)
	if err != nil {
		return nil, err
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	rows, err = s.conn.Query(ctx, `SELECT p.proname::text, p.prosrc, coalesce(array_to_string(p.proconfig, ' '), '')
		FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = $1`, s.name)
	if err != nil {
		return nil, err
	}
	var refused problem.List
	var name, text, settings string
	_, err = pgx.ForEachRow(rows, []any{&name, &text, &settings}, func() error {
		why := ""
		if strings.Contains(settings, "search_path=") {
			why = "has a search_path of its own"
		}
		for _, schema := range qualifiers(text) {
			if slices.Contains(others, schema) {
				why = "names the schema " + schema
			}
		}
		if why != "" {
			refused = append(refused, problem.Problem{Severity: problem.Error, Rule: "scratch-function", Message: "the function " + name + " " + why + ", and may work on the real tables",
				Fix: "give a script for --schema whose functions name no schema, or run without --scratch"})
		}
		return nil
	})
	return refused, err
}

func plain(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Message + " (SQLSTATE " + refused.Code + ")"
	}
	return err.Error()
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
