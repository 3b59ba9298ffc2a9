package catalogue

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A schema is what the catalogue says of the relations that a query set names.
type schema struct {
	byName map[string]*table // by the name as the query writes it, quoted
	byOID  map[uint32]*table
	// roots leads from a partition's schema and name to its partitioned table.
	roots map[string]*table
}

// lookup finds a relation by the words of a query.
func (s *schema) lookup(schemaName, name string) *table { return s.byName[reference(schemaName, name)] }

// planned finds a relation by what a plan calls it.
func (s *schema) planned(schemaName, name string) *table {
	for _, t := range s.byOID {
		if t.schema == schemaName && t.name == name {
			return t
		}
	}
	return s.roots[schemaName+"."+name]
}

// reference is an exact name for to_regclass.
func reference(schemaName, name string) string {
	if schemaName == "" {
		return always(name)
	}
	return always(schemaName) + "." + always(name)
}

// readSchema asks the catalogue for the relations with these names; those that do not exist are left
// out.
func readSchema(ctx context.Context, tx pgx.Tx, names []string) (*schema, error) {
	s := &schema{byName: map[string]*table{}, byOID: map[uint32]*table{}, roots: map[string]*table{}}
	if len(names) == 0 {
		return s, nil
	}
	if err := s.readTables(ctx, tx, names); err != nil {
		return nil, err
	}
	var oids []int64
	for oid := range s.byOID {
		oids = append(oids, int64(oid))
	}
	for _, read := range []func(context.Context, pgx.Tx, []int64) error{s.readColumns, s.readIndexes, s.readTriggers, s.readPolicies} {
		if err := read(ctx, tx, oids); err != nil {
			return nil, err
		}
	}
	return s, s.readPartitions(ctx, tx)
}

const tablesQuery = `
	SELECT asked.name, c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
		c.reltuples::float8, c.relpages::bigint, pg_catalog.pg_table_is_visible(c.oid), c.relrowsecurity,
		c.relrowsecurity AND pg_catalog.row_security_active(c.oid),
		coalesce((SELECT o.option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'fillfactor'), 100),
		coalesce((SELECT string_to_array(p.partattrs::text, ' ')::int2[] FROM pg_catalog.pg_partitioned_table AS p WHERE p.partrelid = c.oid), '{}'),
		ARRAY(SELECT r.name FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r (name) WHERE pg_catalog.has_table_privilege(c.oid, r.name))
	FROM unnest($1::text[]) AS asked (name)
	JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(asked.name)
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace`

func (s *schema) readTables(ctx context.Context, tx pgx.Tx, names []string) error {
	rows, err := tx.Query(ctx, tablesQuery, names)
	if err != nil {
		return err
	}
	var asked string
	var oid int64
	var granted []string
	t := &table{}
	_, err = pgx.ForEachRow(rows, []any{&asked, &oid, &t.schema, &t.name, &t.kind, &t.persistence, &t.rows, &t.pages, &t.visible,
		&t.secured, &t.filtered, &t.fillfactor, &t.partitionKey, &granted}, func() error {
		found := *t
		found.oid, found.granted = uint32(oid), map[string]bool{}
		for _, right := range granted {
			found.granted[right] = true
		}
		if known := s.byOID[found.oid]; known != nil {
			s.byName[asked] = known // under another spelling
			return nil
		}
		s.byName[asked], s.byOID[found.oid] = &found, &found
		t.partitionKey, granted = nil, nil
		return nil
	})
	return err
}

const columnsQuery = `
	SELECT a.attrelid::bigint, a.attnum, a.attname::text, CASE WHEN t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END::bigint,
		pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.atttypid IN (1042, 1043) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END,
		a.attnotnull OR t.typnotnull, coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), t.typcategory = 'A'
	FROM pg_catalog.pg_attribute AS a
	JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
	LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attrelid::bigint = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY a.attrelid, a.attnum`

func (s *schema) readColumns(ctx context.Context, tx pgx.Tx, oids []int64) error {
	rows, err := tx.Query(ctx, columnsQuery, oids)
	if err != nil {
		return err
	}
	var owner, typeOID int64
	var c column
	_, err = pgx.ForEachRow(rows, []any{&owner, &c.number, &c.name, &typeOID, &c.typeName, &c.length, &c.notNull, &c.defaultValue, &c.array}, func() error {
		found := c
		found.oid, found.table = uint32(typeOID), s.byOID[uint32(owner)]
		found.table.columns = append(found.table.columns, &found)
		return nil
	})
	return err
}

// An index that belongs to a constraint depends on the constraint, and its columns are in its keys;
// those of an expression or a predicate are only in the dependencies. In indoption, bit 0 is DESC.
const indexesQuery = `
	SELECT i.indrelid::bigint, c.relname::text, am.amname::text, i.indisunique AND i.indisvalid AND i.indimmediate,
		(string_to_array(i.indkey::text, ' ')::int2[])[1:i.indnkeyatts], string_to_array(i.indoption::text, ' ')::int2[],
		string_to_array(i.indkey::text, ' ')::int2[] || coalesce((SELECT array_agg(d.refobjsubid::int2) FROM pg_catalog.pg_depend AS d
			WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid > 0), '{}'),
		i.indpred IS NOT NULL
	FROM pg_catalog.pg_index AS i
	JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
	JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
	WHERE i.indrelid::bigint = ANY ($1)
	ORDER BY c.relname`

func (s *schema) readIndexes(ctx context.Context, tx pgx.Tx, oids []int64) error {
	rows, err := tx.Query(ctx, indexesQuery, oids)
	if err != nil {
		return err
	}
	var owner int64
	var name, method string
	var unique, partial bool
	var keys, options, depends []int16
	_, err = pgx.ForEachRow(rows, []any{&owner, &name, &method, &unique, &keys, &options, &depends, &partial}, func() error {
		found := &index{name: name, method: method, unique: unique, keys: keys, depends: depends, partial: partial}
		for _, option := range options {
			found.descending = append(found.descending, option&1 == 1)
		}
		t := s.byOID[uint32(owner)]
		t.indexes = append(t.indexes, found)
		keys, options, depends = nil, nil, nil
		return nil
	})
	return err
}

const triggersQuery = `
	SELECT t.tgrelid::bigint, t.tgname::text, p.proname::text, t.tgtype
	FROM pg_catalog.pg_trigger AS t
	JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
	WHERE t.tgrelid::bigint = ANY ($1) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
	ORDER BY t.tgname`

func (s *schema) readTriggers(ctx context.Context, tx pgx.Tx, oids []int64) error {
	rows, err := tx.Query(ctx, triggersQuery, oids)
	if err != nil {
		return err
	}
	var owner int64
	var found trigger
	_, err = pgx.ForEachRow(rows, []any{&owner, &found.name, &found.function, &found.events}, func() error {
		t := s.byOID[uint32(owner)]
		t.triggers = append(t.triggers, found)
		return nil
	})
	return err
}

func (s *schema) readPolicies(ctx context.Context, tx pgx.Tx, oids []int64) error {
	rows, err := tx.Query(ctx, `SELECT polrelid::bigint, polname::text FROM pg_catalog.pg_policy WHERE polrelid::bigint = ANY ($1) ORDER BY polname`, oids)
	if err != nil {
		return err
	}
	var owner int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&owner, &name}, func() error {
		t := s.byOID[uint32(owner)]
		t.policies = append(t.policies, name)
		return nil
	})
	return err
}

const partitionsQuery = `
	SELECT root.oid, n.nspname::text, c.relname::text
	FROM unnest($1::bigint[]) AS root (oid)
	CROSS JOIN LATERAL pg_catalog.pg_partition_tree(root.oid::oid::regclass) AS part
	JOIN pg_catalog.pg_class AS c ON c.oid = part.relid
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace`

// readPartitions lists the partitions, because a plan names those.
func (s *schema) readPartitions(ctx context.Context, tx pgx.Tx) error {
	var partitioned []int64
	for oid, t := range s.byOID {
		if t.kind == "p" {
			partitioned = append(partitioned, int64(oid))
		}
	}
	if partitioned == nil {
		return nil // and servers without that function are not asked
	}
	rows, err := tx.Query(ctx, partitionsQuery, partitioned)
	if err != nil {
		return err
	}
	var root int64
	var schemaName, name string
	_, err = pgx.ForEachRow(rows, []any{&root, &schemaName, &name}, func() error {
		s.roots[schemaName+"."+name] = s.byOID[uint32(root)]
		return nil
	})
	return err
}
