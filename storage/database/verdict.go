package database

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// A verdict is what an error means for a group.
type verdict struct {
	err *fault.Error
	// retry says that the group may be sent again; at most once for each remedy that is named.
	retry  bool
	remedy remedy
	// ambiguous says that the try before may have taken effect.
	ambiguous bool
	cause     string
}

// A remedy is what was done about an error that helps at once or never.
type remedy string

const (
	anyTime     remedy = "" // no remedy: the reason passes by itself
	replanned   remedy = "described the statement again"
	unprepared  remedy = "gave up prepared statements"
	insertAgain remedy = "met the row of a racing insert"
)

// settle decides what becomes of a group after an attempt.
func (r *run) settle(ctx context.Context, conn *pgconn.PgConn, t *transit, again []retry) []retry {
	if t.err == nil && t.done {
		return again
	}
	if t.err == nil {
		t.err = errors.New("the connection was lost")
	}
	v := r.pool.judge(ctx, conn, t)
	if t.failed >= 0 && v.err.Operation == "" {
		v.err.Operation = t.group[t.failed].Statement.Operation.Key
	}
	t.group.FailAt(t.failed, v.err)
	if !v.retry || ctx.Err() != nil {
		return again
	}
	if v.remedy != anyTime {
		this := use{first: t.group[0], remedy: v.remedy}
		if r.used[this] {
			return again
		}
		r.used[this] = true
	}
	return append(again, retry{group: t.group, verdict: v})
}

func (p *Pool) judge(ctx context.Context, conn *pgconn.PgConn, t *transit) verdict {
	var known *fault.Error
	if errors.As(t.err, &known) {
		return verdict{err: known}
	}
	if errors.Is(t.err, errColumnsChanged) {
		return p.judgeColumns(ctx, conn, t)
	}
	var pgErr *pgconn.PgError
	if errors.As(t.err, &pgErr) && !isConnectError(t.err) {
		return p.judgeServer(ctx, conn, t, pgErr)
	}
	if p.closed.Load() && !t.sent {
		return verdict{err: closedFault()} // the pool was closed while the call waited
	}
	if ctx.Err() != nil {
		return verdict{err: contextFault(ctx, t)}
	}
	unavailable := fault.New(fault.Unavailable, "", "the connection to the database was lost")
	if isConnectError(t.err) {
		unavailable.Message = "no connection to the database: " + plainConnectError(t.err).Error()
		unavailable.Cause = t.err
	}
	return lost(t, unavailable)
}

// lost is the verdict for a group whose connection went away. What was sent may have taken effect,
// whatever the driver says of the error: one that it met after others is about the connection being
// closed by then. Only operations that may run twice are sent again; for others the outcome is
// unknown, and the caller is told.
func lost(t *transit, unavailable *fault.Error) verdict {
	v := verdict{err: unavailable, retry: true, cause: "connection"}
	if !t.mayHaveEffect() {
		return v
	}
	if never := neverTwice(t.group); never != nil {
		return verdict{err: fault.New(fault.UnknownOutcome, never.Statement.Operation.Key,
			"the connection was lost while the statement ran: it may or may not have taken effect")}
	}
	v.ambiguous = true
	return v
}

// judgeServer follows the error codes of PostgreSQL's manual, appendix A.
func (p *Pool) judgeServer(ctx context.Context, conn *pgconn.PgConn, t *transit, pgErr *pgconn.PgError) verdict {
	v := verdict{err: t.plans[max(t.failed, 0)].Fault(pgErr), cause: pgErr.Code}
	switch {
	case isFatal(pgErr):
		if v.err.Reason != fault.Unavailable {
			v.err.Reason, v.err.Message = fault.Unavailable, "the database ended the connection"
		}
		return lost(t, v.err)
	case pgErr.Code == "40001" || pgErr.Code == "40P01":
		v.retry = true // rolled back as a whole
	case pgErr.Code == "25006":
		p.reset() // failed over: the connection leads to a standby, and must not be used again
		if conn != nil {
			closeNow(conn)
		}
		v.retry = true
	case pgErr.Code == "26000" || pgErr.Code == "42P05":
		p.giveUpPrepared(conn)
		v.retry, v.remedy = true, unprepared
	case pgErr.Code == "23505" && idempotent(t.group) && !ignores(t.group):
		v.retry, v.remedy = true, insertAgain // two racing inserts of a query that is no true upsert
	case mayBeSchema(pgErr):
		changed, misfit := p.replan(ctx, conn, t, isCachedPlan(pgErr))
		v.retry, v.remedy = changed, replanned
		if misfit != nil {
			v.err = misfit
		}
	}
	return v
}

// giveUpPrepared stops preparing statements, because a pooler mixes up its clients' statements. If
// the operator insists on them, at least the connection's own memory of them is dropped.
func (p *Pool) giveUpPrepared(conn *pgconn.PgConn) {
	if p.options.Mode == Prepared {
		if conn != nil {
			closeNow(conn)
		}
		return
	}
	if p.mode.Swap(int32(Unprepared)) != int32(Unprepared) {
		p.options.Logger.Warn("prepared statements do not work here (a pooler in transaction mode?): statements are sent unprepared from now on")
	}
}

// neverTwice returns the first call of the group that must not be run twice, or nil.
func neverTwice(group query.Group) *query.Call {
	for _, call := range group {
		if call.Once || call.Statement.Operation.Spec.GetRetry() == annotation.Retry_NEVER {
			return call
		}
	}
	return nil
}

func idempotent(group query.Group) bool {
	for _, call := range group {
		if call.Statement.Operation.Spec.GetRetry() != annotation.Retry_IDEMPOTENT {
			return false
		}
	}
	return true
}

// ignores says whether one of the calls takes a key that is taken for an ordinary answer.
func ignores(group query.Group) bool {
	for _, call := range group {
		if call.Statement.Operation.Spec.GetUnique() == annotation.Refusal_IGNORED {
			return true
		}
	}
	return false
}

func isConnectError(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

func isFatal(err *pgconn.PgError) bool {
	severity := err.SeverityUnlocalized
	if severity == "" {
		severity = err.Severity
	}
	return severity == "FATAL" || severity == "PANIC"
}

func closedFault() *fault.Error { return fault.New(fault.Closed, "", "the storage is closed") }

func contextFault(ctx context.Context, t *transit) *fault.Error {
	text := "; nothing was changed"
	if t.mayHaveEffect() {
		text = "; the database was told to stop, and a write may or may not have taken effect"
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "", "the call took too long%s", text)
	}
	return fault.New(fault.Canceled, "", "the caller gave up%s", text)
}

func closeNow(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
