package catalogue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/problem"
)

func serverError(err error) *pgconn.PgError {
	var pgErr *pgconn.PgError
	errors.As(err, &pgErr)
	return pgErr
}

// denied is a function that this role may not call.
type denied struct {
	function
	signature string
}

// readDenied looks for functions with these names that this role may not call.
func readDenied(ctx context.Context, tx pgx.Tx, names []string) ([]denied, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT n.nspname::text, p.proname::text, p.oid::regprocedure::text
		FROM pg_catalog.pg_proc AS p
		JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
		WHERE p.proname::text = ANY ($1) AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
		ORDER BY 3`, names)
	if err != nil {
		return nil, err
	}
	var all []denied
	var one denied
	_, err = pgx.ForEachRow(rows, []any{&one.schema, &one.name, &one.signature}, func() error {
		all = append(all, one)
		return nil
	})
	return all, err
}

// checkPlan reports that the server refuses to plan a statement that it prepared: one problem a query.
func (c *checker) checkPlan(r *reading) {
	err := r.refused
	if err == nil {
		return
	}
	switch err.Code {
	case "42P10":
		c.noArbiter(r)
	case "42501":
		fix := c.grants(r)
		c.report(problem.Error, ruleNoRight, r, r.firstPlace(), fmt.Sprintf("the role %s lacks a right that the query needs: %s", c.server.role, err.Message), fix)
	case "55P03", "57014":
		c.report(problem.Warning, ruleNotLooked, r, r.firstPlace(), "the query could not be looked at, because another session holds a lock on one of its tables", "check again when that session is done")
	default:
		c.report(problem.Error, ruleNotPlanned, r, r.firstPlace(),
			fmt.Sprintf("the database prepares the query, and cannot plan it: %s (SQLSTATE %s)", err.Message, err.Code), strings.TrimSuffix(err.Hint, "."))
	}
}

// noArbiter reports ON CONFLICT without a unique index behind it.
func (c *checker) noArbiter(r *reading) {
	for _, w := range r.writes {
		if w.conflict == nil || len(w.conflict.columns) == 0 {
			continue
		}
		if w.use.table.foreign() {
			c.report(problem.Error, ruleForeign, r, w.conflict.at,
				fmt.Sprintf("%s is a foreign table, for which ON CONFLICT takes no target and DO UPDATE is not possible", w.use.table),
				"write to the other server itself, with a query set of its own")
			return
		}
		fix := fmt.Sprintf("CREATE UNIQUE INDEX ON %s (%s);", w.use.table, quoteAll(w.conflict.columns))
		if w.conflict.expression {
			fix = "create a unique index with exactly these expressions and this predicate"
		}
		c.report(problem.Error, ruleNoArbiter, r, w.conflict.at,
			fmt.Sprintf("no unique index of %s is over (%s), which ON CONFLICT needs", w.use.table, quoteAll(w.conflict.columns)), fix)
		return
	}
	c.report(problem.Error, ruleNoArbiter, r, r.firstPlace(), "ON CONFLICT has no unique index behind it", "create one over the columns that it names")
}

// grants writes the statements that give the role what it lacks.
func (c *checker) grants(r *reading) string {
	var statements []string
	for _, u := range r.uses {
		var lacking []string
		for _, right := range r.rights(u) {
			if !u.table.granted[right] {
				lacking = append(lacking, right)
			}
		}
		if lacking != nil {
			statements = append(statements, fmt.Sprintf("GRANT %s ON %s TO %s;", list(lacking), u.table, quote(c.server.role)))
		}
	}
	for _, d := range c.denied {
		if slices.ContainsFunc(r.functions, func(f function) bool { return f.name == d.name && (f.schema == "" || f.schema == d.schema) }) {
			statements = append(statements, fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s;", d.signature, quote(c.server.role)))
		}
	}
	slices.Sort(statements)
	if statements = slices.Compact(statements); len(statements) == 0 {
		return "grant it to " + quote(c.server.role)
	}
	return strings.Join(statements, " ")
}

// rights are those on a relation that the query needs.
func (r *reading) rights(u *use) []string {
	if !u.written {
		return []string{"SELECT"}
	}
	var rights []string
	for _, w := range r.writes {
		if w.use != u {
			continue
		}
		rights = append(rights, w.command)
		if w.conflict != nil && w.conflict.update {
			rights = append(rights, "UPDATE")
		}
		if w.command != "INSERT" || w.conflict != nil && len(w.conflict.columns) > 0 {
			rights = append(rights, "SELECT")
		}
	}
	slices.Sort(rights)
	return slices.Compact(rights)
}

// firstPlace is where the query names its first table, or its beginning.
func (r *reading) firstPlace() int {
	if len(r.uses) > 0 {
		return r.uses[0].at
	}
	return 0
}
