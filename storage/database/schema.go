package database

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// errColumnsChanged says that a statement's result has other columns than its plan knows. The server
// reports that only to connections that had the statement before the schema was changed; on a new
// connection, and for unprepared statements, the columns themselves have to be looked at.
var errColumnsChanged = errors.New("the columns of the result changed")

// isCachedPlan recognises the server's refusal to run a prepared statement whose result changed. The
// message may be in any language; the routine is a name of PostgreSQL's source.
func isCachedPlan(err *pgconn.PgError) bool {
	return err.Code == "0A000" && (err.Routine == "RevalidateCachedQuery" || strings.Contains(err.Message, "cached plan"))
}

// mayBeSchema says whether the error can come from types that changed since the statement was
// described: the result's (then it has another number of columns), or a parameter's (then an
// operator or an assignment does not fit).
func mayBeSchema(err *pgconn.PgError) bool {
	switch err.Code {
	case "08P01", "42804", "42883":
		return true
	}
	return isCachedPlan(err)
}

// judgeColumns is the verdict for a result that was not read, because its columns changed.
func (p *Pool) judgeColumns(ctx context.Context, conn *pgconn.PgConn, t *transit) verdict {
	v := verdict{cause: "schema", remedy: replanned, ambiguous: t.mayHaveEffect(),
		err: fault.New(fault.BadResult, "", "the schema changed, and the result could not be read")}
	changed, misfit := p.replan(ctx, conn, t, true)
	if misfit != nil {
		v.err = misfit
	}
	if v.ambiguous {
		v.err.Message += "; what it wrote is kept"
	}
	v.retry = changed && !(v.ambiguous && neverTwice(t.group) != nil)
	return v
}

// replan describes the group's statements again where the schema changed under them, and says
// whether another attempt can go better. The old names stay prepared on their connections, and are
// not used any more. The failed statement is described anyway if always is set: its connection has
// an outdated form of it. A misfit is the error for a query that does not fit the schema any more.
func (p *Pool) replan(ctx context.Context, conn *pgconn.PgConn, t *transit, always bool) (changed bool, misfit *fault.Error) {
	if conn == nil || conn.IsClosed() {
		return false, nil
	}
	seen := map[*query.Statement]bool{}
	for i, plan := range t.plans {
		statement := plan.Statement()
		if seen[statement] {
			continue
		}
		seen[statement] = true
		if statement.Plan() != plan.Base() {
			changed = true // somebody else was faster
			continue
		}
		if !(always && i == t.failed) && !p.outdated(ctx, conn, plan) {
			continue
		}
		problems, err := statement.Describe(ctx, describer{pool: p, conn: conn})
		if err != nil {
			return false, nil
		}
		if problems.Err() != nil {
			return false, p.misfit(statement, problems)
		}
		changed = true
	}
	return changed, nil
}

// outdated asks the database whether the plan is still right.
func (p *Pool) outdated(ctx context.Context, conn *pgconn.PgConn, plan *query.Plan) bool {
	described, err := describe(ctx, conn, plan.SQL)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return true // Describe finds out why
	}
	return err == nil && !(sameColumns(described.Fields, plan) && slices.Equal(described.ParamOIDs, plan.ParamOIDs))
}

func (p *Pool) misfit(statement *query.Statement, problems problem.List) *fault.Error {
	f := fault.New(fault.Query, statement.Operation.Key, "the schema changed, and the query does not fit it any more")
	for _, found := range problems {
		if found.Severity == problem.Error {
			f.Message += ": " + found.Message
			f.Position = found.Position
			break
		}
	}
	if p.misfits.now() {
		p.options.Logger.Error("the schema changed and the query does not fit it any more",
			"operation", statement.Operation.Key, "problems", problems.Error())
	}
	return f
}

// sameColumns says whether a result is as the plan knows it.
func sameColumns(fields []pgconn.FieldDescription, plan *query.Plan) bool {
	return slices.EqualFunc(fields, plan.Description().Fields, func(a, b pgconn.FieldDescription) bool {
		return a.Name == b.Name && a.DataTypeOID == b.DataTypeOID
	})
}

// readsColumns says whether anything is taken from the result's rows.
func readsColumns(plan *query.Plan) bool {
	return plan.TwoSteps || plan.Statement().Operation.Spec.GetResult() != annotation.Result_NONE
}
