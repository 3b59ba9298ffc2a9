package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// beware tells what runs inside the transaction besides the operator's queries, because a rollback does
// not take back what is done outside of the database, and which values of sequences are used up.
func beware(ctx context.Context, conn *pgx.Conn, set *query.Set) (problem.List, error) {
	sights, err := look(ctx, conn, set)
	if err != nil {
		return nil, err
	}
	var touched []relation
	var called []string
	var notes problem.List
	for _, s := range sights {
		touched = appendNew(touched, s.relations...)
		called = appendNew(called, s.functions...)
	}
	if len(called) > 0 {
		notes = append(notes, problem.Problem{Severity: problem.Info, Rule: "function",
			Message: "the queries call " + strings.Join(called, ", ") + ", which ran inside the transaction, with all that they call and all triggers that they fire"})
	}
	hooks, err := hooksOf(ctx, conn, touched)
	if err != nil {
		return nil, err
	}
	for _, s := range sights {
		var own []string
		for _, r := range s.written {
			own = append(own, hooks[r]...)
		}
		if len(own) == 0 {
			continue
		}
		notes = append(notes, problem.Problem{Severity: problem.Warning, Rule: "trigger", Position: s.statement.Place(0), Key: s.statement.Operation.Key,
			Message: "fires " + strings.Join(own, ", ") + " inside the transaction; what these do outside of the database (dblink, HTTP, COPY ... PROGRAM) is not rolled back",
			Fix:     "if one of them reaches outside, run verify --scratch"})
	}
	sequences, err := sequencesOf(ctx, conn, touched)
	if err != nil {
		return nil, err
	}
	if len(sequences) > 0 {
		notes = append(notes, problem.Problem{Severity: problem.Info, Rule: "sequence",
			Message: "numbers drawn from " + strings.Join(sequences, ", ") + " stay drawn, because no rollback gives them back (PostgreSQL's nextval); rows are as they were"})
	}
	return merge(notes), nil
}

// merge joins notes that differ in nothing but the query: one query stands for all.
func merge(notes problem.List) problem.List {
	var kept problem.List
	for _, n := range notes {
		at := slices.IndexFunc(kept, func(k problem.Problem) bool { return k.Rule == n.Rule && k.Message == n.Message })
		if at < 0 {
			kept = append(kept, n)
			continue
		}
		kept[at].Key += ", " + n.Key
	}
	return kept
}

// hooksOf returns the operator's triggers and rules on relations, each described.
func hooksOf(ctx context.Context, conn *pgx.Conn, relations []relation) (map[relation][]string, error) {
	schemas, names := split(relations)
	rows, err := conn.Query(ctx, `SELECT n.nspname::text, c.relname::text, 'trigger', t.tgname::text
		FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 28 <> 0 -- of INSERT, DELETE or UPDATE
		  AND (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		UNION ALL
		SELECT n.nspname::text, c.relname::text, 'rule', r.rulename::text
		FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D'
		  AND (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		ORDER BY 1, 2, 3, 4`, schemas, names)
	if err != nil {
		return nil, err
	}
	found := map[relation][]string{}
	var r relation
	var what, name string
	_, err = pgx.ForEachRow(rows, []any{&r.schema, &r.name, &what, &name}, func() error {
		found[r] = append(found[r], fmt.Sprintf("%s %s on %s", what, name, r))
		return nil
	})
	return found, err
}

// sequencesOf returns the sequences that belong to columns of the relations.
func sequencesOf(ctx context.Context, conn *pgx.Conn, relations []relation) ([]string, error) {
	schemas, names := split(relations)
	rows, err := conn.Query(ctx, `SELECT DISTINCT sn.nspname || '.' || s.relname
		FROM pg_depend AS d
		JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace AS sn ON sn.oid = s.relnamespace
		JOIN pg_class AS c ON c.oid = d.refobjid JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
		  AND (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		ORDER BY 1`, schemas, names)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func split(relations []relation) (schemas, names []string) {
	schemas, names = []string{}, []string{}
	for _, r := range relations {
		schemas, names = append(schemas, r.schema), append(names, r.name)
	}
	return schemas, names
}
