package catalogue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// Refine makes what describing the statements found shorter and easier to act on. A table that is not
// there is reported once and not for each query that names it; an empty database as a whole. A schema
// that may not be used gets the statement that allows it, a table in another schema is pointed to. The
// connection must not be in a transaction.
func Refine(ctx context.Context, conn *pgx.Conn, set *query.Set, described problem.List) (problem.List, error) {
	if !slices.ContainsFunc(described, func(p problem.Problem) bool { return absent(p) || denies(p) }) {
		return described, nil
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	f := &refiner{set: set, missing: map[string]*missing{}}
	if err := f.look(ctx, tx); err != nil {
		return nil, err
	}
	var refined problem.List
	for _, p := range described {
		switch {
		case absent(p) && f.empty:
			f.note(p)
		case absent(p) && f.relationAt(p) != nil:
			f.note(p)
		case denies(p):
			if p.Fix, err = f.schemaGrant(ctx, tx, p); err != nil {
				return nil, err
			}
			refined = append(refined, p)
		default:
			refined = append(refined, p)
		}
	}
	if f.empty {
		return append(refined, f.emptyDatabase()...), nil
	}
	return append(refined, f.missingTables(ctx, tx)...), nil
}

// absent says that a query was refused because something that it names is not there: a table, a schema,
// a function.
func absent(p problem.Problem) bool {
	return p.Rule == ruleNotPrepared && (strings.Contains(p.Message, "(SQLSTATE 42P01)") ||
		strings.Contains(p.Message, "(SQLSTATE 3F000)") || strings.Contains(p.Message, "(SQLSTATE 42883)"))
}

func denies(p problem.Problem) bool {
	return p.Rule == ruleNotPrepared && strings.Contains(p.Message, "(SQLSTATE 42501)")
}

type refiner struct {
	set     *query.Set
	role    string
	empty   bool
	missing map[string]*missing
	order   []*missing
}

// missing is something that is not there, with the queries that name it.
type missing struct {
	problem.Problem
	schema, name string
	keys         []string
}

func (f *refiner) look(ctx context.Context, tx pgx.Tx) error {
	return tx.QueryRow(ctx, `
		SELECT current_user::text, NOT EXISTS (
			SELECT FROM pg_catalog.pg_class AS c
			JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'crdb_internal', 'pg_extension')
				AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`).
		Scan(&f.role, &f.empty)
}

func (f *refiner) statement(p problem.Problem) *query.Statement {
	for _, statement := range f.set.Statements() {
		if statement.Operation.Key == p.Key {
			return statement
		}
	}
	return nil
}

// relationAt returns the relation that a query names at the place of a problem, or nil: the server's
// message may be in any language.
func (f *refiner) relationAt(p problem.Problem) *syntax.Node {
	statement := f.statement(p)
	if statement == nil {
		return nil
	}
	tree, err := syntax.Parse(statement.Positional())
	if err != nil {
		return nil
	}
	var found *syntax.Node
	tree.Walk(func(n *syntax.Node) bool {
		if at, ok := n.Location(); ok && n.Text("relname") != "" && statement.At(at) == p.Position {
			found = n
		}
		return found == nil
	})
	return found
}

func (f *refiner) note(p problem.Problem) {
	m := &missing{Problem: p, keys: []string{p.Key}}
	id := p.Message
	if relation := f.relationAt(p); relation != nil {
		m.schema, m.name = relation.Text("schemaname"), relation.Text("relname")
		id = reference(m.schema, m.name)
	}
	if known := f.missing[id]; known != nil {
		known.keys = append(known.keys, p.Key)
		return
	}
	f.missing[id] = m
	f.order = append(f.order, m)
}

func (f *refiner) emptyDatabase() problem.List {
	var names []string
	queries := 0
	for _, m := range f.order {
		queries += len(m.keys)
		if m.name != "" {
			names = append(names, m.String())
		}
	}
	message := fmt.Sprintf("the database has no tables at all, so %d queries cannot work", queries)
	if names != nil {
		slices.Sort(names)
		message += "; they name " + list(names)
	}
	return problem.List{{Severity: problem.Error, Rule: ruleEmptyDatabase, Position: f.order[0].Position, Key: f.order[0].Key,
		Message: message, Fix: "mortise init applies the default schema, or your own with --schema FILE; if there should be tables, check that this is the right database"}}
}

func (m *missing) String() string {
	if m.schema == "" {
		return quote(m.name)
	}
	return quote(m.schema) + "." + quote(m.name)
}

// missingTables reports each table that is not there once. One of the same name in another schema is
// likely the one that is meant.
func (f *refiner) missingTables(ctx context.Context, tx pgx.Tx) problem.List {
	var problems problem.List
	for _, m := range f.order {
		switch others := len(m.keys) - 1; {
		case others > 3:
			m.Message += fmt.Sprintf("; %d further queries name it", others)
		case others > 0:
			m.Message += "; also named by " + list(m.keys[1:])
		}
		var elsewhere string
		err := tx.QueryRow(ctx, `
			SELECT n.nspname::text FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
			WHERE c.relname::text = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1 LIMIT 1`, m.name).Scan(&elsewhere)
		if err == nil && m.schema == "" {
			m.Fix = fmt.Sprintf("there is one in the schema %s: write %s.%s, or ALTER ROLE %s SET search_path = %s, public;",
				elsewhere, quote(elsewhere), quote(m.name), quote(f.role), quote(elsewhere))
		}
		problems = append(problems, m.Problem)
	}
	return problems
}

// schemaGrant writes the statement that allows the schemas which a query names.
func (f *refiner) schemaGrant(ctx context.Context, tx pgx.Tx, p problem.Problem) (string, error) {
	statement := f.statement(p)
	if statement == nil {
		return p.Fix, nil
	}
	tree, err := syntax.Parse(statement.Positional())
	if err != nil {
		return p.Fix, nil
	}
	var named []string
	tree.Walk(func(n *syntax.Node) bool {
		named = append(named, n.Text("schemaname"))
		if words := n.List("funcname"); len(words) == 2 {
			named = append(named, words[0].Text("sval"))
		}
		return true
	})
	rows, err := tx.Query(ctx, `SELECT nspname::text FROM pg_catalog.pg_namespace
		WHERE nspname::text = ANY ($1) AND NOT pg_catalog.has_schema_privilege(oid, 'USAGE') ORDER BY 1`, named)
	if err != nil {
		return "", err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || schemas == nil {
		return p.Fix, err
	}
	return fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quoteAll(schemas), quote(f.role)), nil
}
