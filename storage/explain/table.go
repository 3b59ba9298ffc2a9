package explain

import (
	"context"
	"strconv"
	"strings"
)

// A Table is what the catalogue says of a relation that a query touches: a table, a partitioned table
// with its partitions, a view or a materialized view.
type Table struct {
	Schema, Name string
	// Kind is pg_class.relkind: r, p, v, m, f.
	Kind string
	// Columns are in the table's order.
	Columns []string
	// Rows is the server's estimate.
	Rows float64
	// Pages and Bytes are those of the table itself, without indexes.
	Pages, Bytes int64
	// Analyzed says that the planner has statistics of the columns.
	Analyzed bool
	// Unknown says that it has none although there are rows.
	Unknown bool
	Indexes []Index

	oid string
}

// An Index is one of a table's.
type Index struct {
	Name string
	// Unique indexes are used by writes, too, to find a row that is there.
	Unique bool
	Bytes  int64
	// Scans is how often the server used it since its statistics were reset.
	Scans int64
}

// QualifiedName is schema.name.
func (t *Table) QualifiedName() string { return t.Schema + "." + t.Name }

// sampleable says that TABLESAMPLE works on it.
func (t *Table) sampleable() bool { return t.Kind == "r" || t.Kind == "p" || t.Kind == "m" }

const tableQuery = `
	WITH RECURSIVE parts AS (
		SELECT c.oid, c.relkind, c.reltuples FROM pg_catalog.pg_class AS c WHERE c.oid = $1::pg_catalog.oid
		UNION ALL
		SELECT c.oid, c.relkind, c.reltuples FROM parts
		JOIN pg_catalog.pg_inherits AS i ON i.inhparent = parts.oid AND parts.relkind = 'p'
		JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
	)
	SELECT n.nspname, c.relname, c.relkind::text,
		(SELECT sum(greatest(p.reltuples, pg_catalog.pg_stat_get_live_tuples(p.oid), 0)) FROM parts AS p)::float8,
		(SELECT sum(CASE WHEN p.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(p.oid) ELSE 0 END) FROM parts AS p)::int8,
		EXISTS (SELECT FROM pg_catalog.pg_stats AS s JOIN pg_catalog.pg_class AS k ON k.relname = s.tablename
			JOIN pg_catalog.pg_namespace AS m ON m.oid = k.relnamespace AND m.nspname = s.schemaname
			JOIN parts AS p ON p.oid = k.oid)
	FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.oid = $1::pg_catalog.oid`

const columnsQuery = `SELECT attname FROM pg_catalog.pg_attribute
	WHERE attrelid = $1::pg_catalog.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`

const indexesQuery = `
	SELECT c.relname, i.indisunique, pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_stat_get_numscans(c.oid)
	FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
	WHERE i.indrelid = $1::pg_catalog.oid AND i.indisvalid ORDER BY c.relname`

// Table looks a relation up; without a schema it is looked for as the search_path says. It returns nil
// if there is none.
func (s *Session) Table(ctx context.Context, schema, name string) (*Table, error) {
	key := schema + "\x00" + name
	if t, known := s.tables[key]; known {
		return t, nil
	}
	full := quote(name)
	if schema != "" {
		full = quote(schema) + "." + full
	}
	var t *Table
	err := s.guarded(ctx, func() error {
		var err error
		t, err = s.readTable(ctx, full)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.tables[key] = t
	if t != nil {
		s.tables[t.Schema+"\x00"+t.Name] = t // what is known of it is from before anything was run
	}
	return t, nil
}

func (s *Session) readTable(ctx context.Context, full string) (*Table, error) {
	rows, err := s.texts(ctx, "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid", full)
	if err != nil || rows[0][0] == "" {
		return nil, err
	}
	t := &Table{oid: rows[0][0]}
	if rows, err = s.texts(ctx, tableQuery, t.oid); err != nil || len(rows) == 0 {
		return nil, err
	}
	row := rows[0]
	t.Schema, t.Name, t.Kind, t.Analyzed = row[0], row[1], row[2], row[5] == "t"
	t.Rows, _ = strconv.ParseFloat(row[3], 64)
	t.Bytes, _ = strconv.ParseInt(row[4], 10, 64)
	t.Pages = t.Bytes / 8192
	if rows, err = s.texts(ctx, columnsQuery, t.oid); err != nil {
		return nil, err
	}
	for _, row := range rows {
		t.Columns = append(t.Columns, row[0])
	}
	if rows, err = s.texts(ctx, indexesQuery, t.oid); err != nil {
		return nil, err
	}
	for _, row := range rows {
		index := Index{Name: row[0], Unique: row[1] == "t"}
		index.Bytes, _ = strconv.ParseInt(row[2], 10, 64)
		index.Scans, _ = strconv.ParseInt(row[3], 10, 64)
		t.Indexes = append(t.Indexes, index)
	}
	t.Unknown = !t.Analyzed && t.sampleable() && s.hasRows(ctx, full)
	return t, nil
}

// hasRows looks for one row. A table that may not be read is as good as empty.
func (s *Session) hasRows(ctx context.Context, full string) bool {
	found := false
	err := s.guarded(ctx, func() error {
		rows, err := s.texts(ctx, "SELECT 1 FROM "+full+" LIMIT 1")
		found = len(rows) > 0
		return err
	})
	return found && err == nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
