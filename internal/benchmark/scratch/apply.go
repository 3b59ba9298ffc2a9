package scratch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// apply runs the script in the scratch. In a scratch schema it runs in a transaction that is committed
// only if nothing outside of the schema was made or changed.
func (p *Place) apply(ctx context.Context, script string) error {
	conn, err := connect(ctx, p.ConnString)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if p.Kind == Database {
		return run(ctx, conn, script)
	}
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ"); err != nil {
		return err
	}
	before, err := p.outside(ctx, conn)
	if err != nil {
		return err
	}
	if err := run(ctx, conn, script); err != nil {
		return err
	}
	after, err := p.outside(ctx, conn)
	if err != nil {
		return err
	}
	var touched []string
	for id, thing := range after {
		if old, there := before[id]; !there || old.version != thing.version {
			touched = append(touched, thing.name)
		}
	}
	if len(touched) > 0 || len(after) < len(before) {
		slices.Sort(touched)
		return fmt.Errorf("%w (%s)", ErrOutside, strings.Join(touched[:min(3, len(touched))], ", "))
	}
	_, err = conn.Exec(ctx, "COMMIT")
	return err
}

func run(ctx context.Context, conn *pgx.Conn, script string) error {
	_, err := conn.PgConn().Exec(ctx, script).ReadAll()
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		line := 1 + strings.Count(firstRunes(script, int(refused.Position)), "\n")
		return fmt.Errorf("the schema's script fails at line %d: %s (SQLSTATE %s)", line, refused.Message, refused.Code)
	}
	return err
}

// firstRunes returns the text before a position as the server counts it: characters, from 1.
func firstRunes(text string, position int) string {
	n := 0
	for i := range text {
		if n++; n >= position {
			return text[:i]
		}
	}
	return text
}

// A thing is an object of the database, in the version that a transaction wrote.
type thing struct{ name, version string }

// outside returns the schemas, tables, indexes, views and functions that are not in the scratch.
func (p *Place) outside(ctx context.Context, conn *pgx.Conn) (map[string]thing, error) {
	rows, err := conn.Query(ctx, `
		WITH named AS (SELECT oid, nspname FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'information_schema', $1) AND nspname NOT LIKE 'pg\_t%')
		SELECT 'n' || n.oid::text, 'schema ' || n.nspname, s.xmin::text FROM named AS n JOIN pg_namespace AS s ON s.oid = n.oid
		UNION ALL
		SELECT 'c' || c.oid::text, n.nspname || '.' || c.relname, c.xmin::text FROM pg_class AS c JOIN named AS n ON n.oid = c.relnamespace
		UNION ALL
		SELECT 'p' || f.oid::text, n.nspname || '.' || f.proname || '()', f.xmin::text FROM pg_proc AS f JOIN named AS n ON n.oid = f.pronamespace`, p.Name)
	if err != nil {
		return nil, err
	}
	found := map[string]thing{}
	var id, name, version string
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &version}, func() error {
		found[id] = thing{name, version}
		return nil
	})
	return found, err
}

// Occupied returns the tables that hold rows in the database that a connection string leads to, and
// those that may not be looked at. System tables and those of extensions are left out.
func Occupied(ctx context.Context, connString string) (tables []string, err error) {
	conn, err := connect(ctx, connString)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `
		SELECT n.nspname, c.relname
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'crdb_internal', 'pg_extension') AND n.nspname NOT LIKE 'pg\_t%'
		  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`)
	if err != nil {
		return nil, err
	}
	full := map[string]bool{}
	type table struct{ Schema, Name string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		var found bool
		name := pgx.Identifier{t.Schema, t.Name}.Sanitize()
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+name+" LIMIT 1)").Scan(&found); err != nil && !hasCode(err, "42501") {
			return nil, err
		} else if err != nil || found {
			full[t.Schema+"."+t.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(full)), nil
}
