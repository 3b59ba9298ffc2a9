package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

func compile(config storage.Config, options Options) (*query.Set, error) {
	set, problems := query.CompileSet(options.Contract, config.Sources)
	return set, problems.Err()
}

// clone makes empty tables like those that the queries name, without triggers and foreign keys.
func (s *scratch) clone(ctx context.Context, config storage.Config, options Options) error {
	sights, err := s.plans(ctx, config, options)
	if err != nil {
		return err
	}
	var refused problem.List
	var tables []relation
	for _, one := range sights {
		refuse := func(message, fix string) {
			refused = append(refused, problem.Problem{Severity: problem.Error, Rule: "scratch-clone", Position: one.statement.Place(0), Key: one.statement.Operation.Key, Message: message, Fix: fix})
		}
		if one.err != nil {
			refuse("the query does not fit the database: "+plain(one.err), "mortise check tells more")
		}
		if len(one.functions) > 0 {
			refuse("calls "+strings.Join(one.functions, ", ")+", which works on the real tables and cannot be cloned", "give the script that makes tables and functions with --schema, or run without --scratch")
		}
		for _, r := range one.relations {
			root, table, err := rootOf(ctx, s.conn, r)
			if err != nil {
				return err
			}
			if !table {
				refuse(r.String()+" is a view, which leads to the real tables and cannot be cloned", "give the script that makes tables and views with --schema, or run without --scratch")
				continue
			}
			tables = appendNew(tables, root)
		}
	}
	if refused.Err() != nil {
		return refused
	}
	for _, t := range tables {
		if err := s.cloneTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// rootOf returns the table that a relation is a part of, or itself; table is false if it is none.
func rootOf(ctx context.Context, conn *pgx.Conn, r relation) (root relation, table bool, err error) {
	err = conn.QueryRow(ctx, `SELECT rn.nspname::text, rc.relname::text, c.relkind IN ('r', 'p', 'f')
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		JOIN pg_class AS rc ON rc.oid = coalesce(pg_partition_root(c.oid), c.oid)
		JOIN pg_namespace AS rn ON rn.oid = rc.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2`, r.schema, r.name).Scan(&root.schema, &root.name, &table)
	if err != nil {
		err = fmt.Errorf("looking for %s: %w", r, err)
	}
	return root, table, err
}

// cloneTable makes one table. Defaults that draw from a sequence are given one of the schema's own.
func (s *scratch) cloneTable(ctx context.Context, t relation) error {
	target := pgx.Identifier{s.name, t.name}.Sanitize()
	_, err := s.conn.Exec(ctx, "CREATE TABLE "+target+" (LIKE "+pgx.Identifier{t.schema, t.name}.Sanitize()+" INCLUDING ALL)")
	if err != nil {
		return fmt.Errorf("cloning %s: %w", t, err)
	}
	rows, err := s.conn.Query(ctx, `SELECT a.attname::text FROM pg_attribute AS a JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = $1::text::regclass AND pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%'`, target)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for i, column := range columns {
		sequence := pgx.Identifier{s.name, fmt.Sprintf("sequence_%d_of_%.40s", i, t.name)}.Sanitize()
		_, err := s.conn.Exec(ctx, fmt.Sprintf("CREATE SEQUENCE %s; ALTER TABLE %s ALTER COLUMN %s SET DEFAULT nextval('%s')", sequence, target,
			pgx.Identifier{column}.Sanitize(), strings.ReplaceAll(sequence, "'", "''")), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return fmt.Errorf("cloning the sequence of %s: %w", t, err)
		}
	}
	return nil
}

// apply runs a script in the schema, and takes it back if it did anything outside.
func (s *scratch) apply(ctx context.Context, script string) error {
	if word := transactionControl(script); word != "" {
		return fmt.Errorf("the script of --schema holds %s; it has to run inside one transaction, so that what it does outside of the scratch schema can be taken back", word)
	}
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}) // others' changes stay out of the comparison
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	before, err := s.surroundings(ctx, tx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = "+s.path); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("the script of --schema: %s", plain(err))
	}
	after, err := s.surroundings(ctx, tx)
	if err != nil {
		return err
	}
	for _, what := range sortedKeys(after) {
		if before[what] != after[what] {
			return errors.New("the script of --schema makes or changes " + what + ", which is outside of the scratch schema; nothing of it was kept. Leave out names of schemas, so that all lands in the first schema of search_path")
		}
	}
	for _, what := range sortedKeys(before) {
		if _, still := after[what]; !still {
			return errors.New("the script of --schema drops " + what + ", which is outside of the scratch schema; nothing of it was kept")
		}
	}
	return tx.Commit(ctx)
}

// surroundings are what there is outside of the schema, each with its version.
func (s *scratch) surroundings(ctx context.Context, tx pgx.Tx) (map[string]string, error) {
	rows, err := tx.Query(ctx, `WITH others AS (SELECT oid, nspname, xmin FROM pg_namespace WHERE nspname <> $1 AND nspname !~ '^pg_' AND nspname <> 'information_schema')
		SELECT 'the schema ' || nspname, xmin::text FROM others
		UNION ALL SELECT format('the relation %I.%I', o.nspname, c.relname), c.xmin::text FROM pg_class AS c JOIN others AS o ON o.oid = c.relnamespace
		UNION ALL SELECT format('the column %I of %I.%I', a.attname, o.nspname, c.relname), a.xmin::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN others AS o ON o.oid = c.relnamespace
		UNION ALL SELECT format('the default of column %s of %I.%I', d.adnum, o.nspname, c.relname), d.xmin::text FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid JOIN others AS o ON o.oid = c.relnamespace
		UNION ALL SELECT format('the constraint %I of %I.%I', k.conname, o.nspname, c.relname), k.xmin::text FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN others AS o ON o.oid = c.relnamespace
		UNION ALL SELECT format('the trigger %I on %I.%I', t.tgname, o.nspname, c.relname), t.xmin::text FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN others AS o ON o.oid = c.relnamespace
		UNION ALL SELECT format('the rule %I on %I.%I', r.rulename, o.nspname, c.relname), r.xmin::text FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class JOIN others AS o ON o.oid = c.relnamespace
		UNION ALL SELECT format('the function %I.%I(%s)', o.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.xmin::text FROM pg_proc AS p JOIN others AS o ON o.oid = p.pronamespace
		UNION ALL SELECT format('the type %I.%I', o.nspname, t.typname), t.xmin::text FROM pg_type AS t JOIN others AS o ON o.oid = t.typnamespace
		UNION ALL SELECT 'the extension ' || extname, xmin::text FROM pg_extension
		UNION ALL SELECT 'the role ' || rolname, '' FROM pg_roles
		UNION ALL SELECT format('rows of %I.%I', schemaname, relname), (n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_xact_user_tables WHERE schemaname <> $1`, s.name)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	var what, version string
	_, err = pgx.ForEachRow(rows, []any{&what, &version}, func() error {
		found[what] = version
		return nil
	})
	return found, err
}

// transactionControl returns the word by which a script would end or begin a transaction; empty if it has
// none.
func transactionControl(script string) string {
	tokens, err := sqltext.Tokenize(script)
	if err != nil {
		return "" // the server says it better
	}
	start, body, last := true, false, ""
	for _, t := range tokens {
		if !t.Means() {
			continue
		}
		word := strings.ToUpper(t.Text(script))
		switch {
		case last == "BEGIN" && word == "ATOMIC":
			body = true // a function's body of several statements, up to END
		case start && body && word == "END":
			body = false
		case start && !body:
			switch word {
			case "BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT", "SAVEPOINT", "PREPARE":
				return word
			}
		}
		start, last = word == ";", word
	}
	return ""
}

// qualifiers returns the names that stand in front of a dot in a function's text.
func qualifiers(text string) []string {
	tokens, err := sqltext.Tokenize(text)
	if err != nil {
		return nil // not SQL; what a function in another language does is not known anyway
	}
	var found []string
	previous := ""
	for _, t := range tokens {
		if !t.Means() {
			continue
		}
		word := t.Text(text)
		if word == "." && previous != "" {
			found = append(found, strings.Trim(strings.ToLower(previous), `"`))
		}
		previous = word
	}
	return found
}
