package database

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

const (
	firstBackoff = 5 * time.Millisecond
	lastBackoff  = 250 * time.Millisecond
)

// Run executes a flight: in one round trip if nothing goes wrong. Each call then holds its answer or
// its error, a *fault.Error.
func (p *Pool) Run(ctx context.Context, flight *query.Flight) {
	start := time.Now()
	defer p.report(flight, start)
	if refused := p.admit(); refused != nil {
		setError(flight.Groups, refused)
		return
	}
	defer p.underway.Add(-1)
	ctx, cancel := p.limit(ctx, flight)
	defer cancel()

	pending := flight.Groups
	until := start.Add(p.options.RetryFor)
	tries := map[*query.Call]int{}
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		pending = p.attempt(ctx, pending, tries)
		if len(pending) == 0 {
			return
		}
		pause := time.Duration(float64(backoff) * (0.5 + rand.Float64())) // jitter, or rivals meet again
		if time.Now().Add(pause).After(until) || !wait(ctx, pause) {
			return // the calls keep the error of the last attempt
		}
	}
}

func (p *Pool) admit() *fault.Error {
	if p.closed.Load() {
		return fault.New(fault.Closed, "", "the storage is closed")
	}
	if p.underway.Add(1) > int64(p.options.MaxWaiting) {
		p.underway.Add(-1)
		return fault.New(fault.Overload, "", "too many calls are waiting for the database")
	}
	return nil
}

// limit gives the flight the shortest time limit of its calls. Periodic work has none but its own.
func (p *Pool) limit(ctx context.Context, flight *query.Flight) (context.Context, context.CancelFunc) {
	shortest := time.Duration(0)
	for _, group := range flight.Groups {
		for _, call := range group {
			timeout := call.Statement.Timeout
			if timeout == 0 && !call.Statement.Operation.Background() {
				timeout = p.options.CallTimeout
			}
			if timeout > 0 && (shortest == 0 || timeout < shortest) {
				shortest = timeout
			}
		}
	}
	if shortest == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, shortest)
}

// attempt sends the groups once. It returns those that are worth another try; their calls hold the
// error of this one.
func (p *Pool) attempt(ctx context.Context, groups []query.Group, tries map[*query.Call]int) (again []query.Group) {
	var transits []*transit
	for _, group := range groups {
		t, err := load(group)
		if err != nil {
			group.Fail(err)
			continue
		}
		transits = append(transits, t)
	}
	if len(transits) == 0 {
		return nil
	}
	conn, err := p.poolFor(groups).Acquire(ctx)
	if err != nil {
		for _, t := range transits {
			t.err = err
			again = p.settle(ctx, nil, t, tries, again)
		}
		return again
	}
	pgConn := conn.Conn().PgConn()
	p.fly(ctx, pgConn, transits)
	for _, t := range transits {
		p.countRoundTrip(t)
		again = p.settle(ctx, pgConn, t, tries, again)
	}
	conn.Release()
	return again
}

func (p *Pool) poolFor(groups []query.Group) *pgxpool.Pool {
	for _, group := range groups {
		for _, call := range group {
			if !call.Statement.Operation.Background() {
				return p.requests
			}
		}
	}
	return p.periodic
}

// settle decides what becomes of a group after an attempt.
func (p *Pool) settle(ctx context.Context, conn *pgconn.PgConn, t *transit, tries map[*query.Call]int, again []query.Group) []query.Group {
	if t.err == nil && t.done {
		return again
	}
	if t.err == nil {
		t.err = errors.New("the connection was lost")
	}
	verdict := p.judge(ctx, conn, t)
	if t.failed >= 0 && verdict.err.Operation == "" {
		verdict.err.Operation = t.group[t.failed].Statement.Operation.Key
	}
	t.group.Fail(verdict.err)
	first := t.group[0]
	if !verdict.retry || (verdict.once && tries[first] > 0) || ctx.Err() != nil {
		return again
	}
	tries[first]++
	for _, call := range t.group {
		call.Resent = call.Resent || verdict.ambiguous
		if p.options.Observer != nil {
			p.options.Observer.Retried(call.Statement.Operation, verdict.cause)
		}
	}
	return append(again, t.group)
}

// A verdict is what an error means for a group.
type verdict struct {
	err *fault.Error
	// retry says that the group may be sent again, once that this helps at most once.
	retry, once bool
	// ambiguous says that the first try may have taken effect.
	ambiguous bool
	cause     string
}

func (p *Pool) judge(ctx context.Context, conn *pgconn.PgConn, t *transit) verdict {
	var known *fault.Error
	if errors.As(t.err, &known) {
		return verdict{err: known}
	}
	var pgErr *pgconn.PgError
	if errors.As(t.err, &pgErr) && !isConnectError(t.err) {
		return p.judgeServer(ctx, conn, t, pgErr)
	}
	if err := ctx.Err(); err != nil {
		return verdict{err: contextFault(ctx, t)}
	}
	unavailable := fault.New(fault.Unavailable, "", "no connection to the database: %s", plainConnectError(t.err))
	if isConnectError(t.err) {
		unavailable.Cause = t.err
	} else {
		unavailable.Message = "the connection to the database was lost"
	}
	if !t.sent || pgconn.SafeToRetry(t.err) {
		return verdict{err: unavailable, retry: true, cause: "connection"}
	}
	return p.lost(t, unavailable)
}

// lost is the verdict for a group whose connection went away after it was sent. Only operations that
// may run twice are sent again; for others the outcome is unknown, and the caller is told.
func (p *Pool) lost(t *transit, unavailable *fault.Error) verdict {
	for _, call := range t.group {
		if call.Statement.Operation.Spec.GetRetry() == annotation.Retry_NEVER {
			return verdict{err: fault.New(fault.UnknownOutcome, call.Statement.Operation.Key,
				"the connection was lost while the statement ran: it may or may not have taken effect")}
		}
	}
	return verdict{err: unavailable, retry: true, ambiguous: true, cause: "connection"}
}

func (p *Pool) judgeServer(ctx context.Context, conn *pgconn.PgConn, t *transit, pgErr *pgconn.PgError) verdict {
	i := max(t.failed, 0)
	v := verdict{err: t.plans[i].Fault(pgErr), cause: pgErr.Code}
	switch {
	case pgErr.Code == "40001" || pgErr.Code == "40P01":
		v.retry = true // rolled back as a whole
	case pgErr.Code == "25006":
		p.reset() // failed over: the connection leads to a standby, and must not be used again
		if conn != nil {
			closeNow(conn)
		}
		v.retry = true
	case pgErr.Code == "0A000" && strings.Contains(pgErr.Message, "cached plan"):
		v.retry, v.once = p.replan(ctx, conn, t.plans), true
	case pgErr.Code == "26000" || pgErr.Code == "42P05":
		p.unprepared()
		v.retry, v.once = true, true
	case pgErr.Code == "23505" && idempotent(t.group):
		v.retry, v.once = true, true // two racing inserts of a query that is no true upsert
	case isFatal(pgErr):
		return p.lost(t, v.err)
	}
	return v
}

// replan describes the statements again after the schema changed under them. The old names stay
// prepared on their connections, and are not used any more.
func (p *Pool) replan(ctx context.Context, conn *pgconn.PgConn, plans []*query.Plan) bool {
	if conn == nil || conn.IsClosed() {
		return false
	}
	for _, plan := range plans {
		statement := plan.Statement()
		if statement.Plan() != plan {
			continue // somebody else was faster
		}
		problems, err := statement.Describe(ctx, describer{pool: p, conn: conn})
		if err != nil || problems.Err() != nil {
			p.options.Logger.Error("the schema changed and the query does not fit it any more",
				"operation", statement.Operation.Key, "problems", problems.Error())
			return false
		}
	}
	return true
}

// unprepared gives up prepared statements, because a pooler mixes up the clients' statements.
func (p *Pool) unprepared() {
	if p.options.Mode == Prepared {
		return
	}
	if p.mode.Swap(int32(Unprepared)) != int32(Unprepared) {
		p.options.Logger.Warn("prepared statements do not work here (a pooler in transaction mode?): statements are sent unprepared from now on")
	}
}

func idempotent(group query.Group) bool {
	for _, call := range group {
		if call.Statement.Operation.Spec.GetRetry() != annotation.Retry_IDEMPOTENT {
			return false
		}
	}
	return true
}

func isConnectError(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

func contextFault(ctx context.Context, t *transit) *fault.Error {
	text := ""
	if t.sent {
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

func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func setError(groups []query.Group, err *fault.Error) {
	for _, group := range groups {
		group.Fail(err)
	}
}

func (p *Pool) countRoundTrip(t *transit) {
	if p.options.Observer == nil || !t.sent {
		return
	}
	for _, call := range t.group {
		p.options.Observer.RoundTrip(call.Statement.Operation)
	}
}

func (p *Pool) report(flight *query.Flight, start time.Time) {
	if p.options.Observer == nil {
		return
	}
	seconds := time.Since(start).Seconds()
	for _, group := range flight.Groups {
		for _, call := range group {
			p.options.Observer.Done(call, seconds)
		}
	}
}
