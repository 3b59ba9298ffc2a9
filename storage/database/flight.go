package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// transit is a group on its way: what is expected back, and how it ended.
type transit struct {
	group query.Group
	plans []*query.Plan
	args  [][][]byte
	// preparing says for each call that its statement is prepared in front of it.
	preparing []bool

	// sent says that the server may have seen it, done that its outcome is known.
	sent, done bool
	// err is why the group failed: *pgconn.PgError, *fault.Error or a connection's error.
	err error
	// failed is the call that the error belongs to, or -1.
	failed int
}

// load encodes the group's arguments. Values that the database's types cannot hold are found here:
// the driver would close the connection over them.
func load(group query.Group) (*transit, error) {
	t := &transit{group: group, plans: make([]*query.Plan, len(group)), args: make([][][]byte, len(group)),
		preparing: make([]bool, len(group)), failed: -1}
	for i, call := range group {
		plan := call.Statement.Plan()
		if plan == nil {
			return nil, fault.New(fault.Unavailable, call.Statement.Operation.Key, "the database has not described the query yet")
		}
		args, err := call.Encode(plan)
		if err != nil {
			return nil, err
		}
		t.plans[i], t.args[i] = plan, args
	}
	return t, nil
}

// fly sends the transits over one connection and reads their answers. Transits whose row bound needs
// it take two round trips; all others share one.
func (p *Pool) fly(ctx context.Context, conn *pgconn.PgConn, transits []*transit) {
	start := 0
	for i, t := range transits {
		if !t.twoSteps() {
			continue
		}
		p.pipeline(ctx, conn, transits[start:i])
		p.twoSteps(ctx, conn, t)
		start = i + 1
	}
	p.pipeline(ctx, conn, transits[start:])
}

func (t *transit) twoSteps() bool {
	for _, plan := range t.plans {
		if plan.TwoSteps {
			return true
		}
	}
	return false
}

// pipeline is one round trip: everything is sent, each group closed by a Sync that makes it a
// transaction, before the first answer is read.
func (p *Pool) pipeline(ctx context.Context, conn *pgconn.PgConn, transits []*transit) {
	if len(transits) == 0 || conn.IsClosed() {
		return
	}
	pl := conn.StartPipeline(ctx)
	for _, t := range transits {
		p.send(pl, sessionOf(conn), t)
		pl.SendPipelineSync()
	}
	if err := pl.Flush(); err != nil {
		sent := !pgconn.SafeToRetry(err)
		for _, t := range transits {
			t.sent, t.err = sent, err
		}
		_ = pl.Close()
		return
	}
	for _, t := range transits {
		t.sent = true
	}
	for _, t := range transits {
		if !receive(pl, sessionOf(conn), t) {
			break
		}
	}
	if err := pl.Close(); err != nil {
		for _, t := range transits {
			if !t.done && t.err == nil {
				t.err = err
			}
		}
	}
}

func (p *Pool) send(pl *pgconn.Pipeline, s *session, t *transit) {
	prepared := p.Mode() != Unprepared
	announced := map[string]bool{}
	for i, plan := range t.plans {
		params, results := plan.Formats()
		if !prepared {
			pl.SendQueryParams(plan.SQL, t.args[i], plan.ParamOIDs, params, results)
			continue
		}
		description := s.prepared[plan.Name]
		t.preparing[i] = description == nil && !announced[plan.Name]
		if t.preparing[i] {
			pl.SendPrepare(plan.Name, plan.SQL, plan.ParamOIDs)
			announced[plan.Name] = true
		}
		pl.SendQueryStatement(plan.Description(), t.args[i], params, results)
	}
}

// receive reads the answers of one group up to its Sync. It returns false if the connection is lost,
// so that nothing more can be read.
func receive(pl *pgconn.Pipeline, s *session, t *transit) bool {
	for i, call := range t.group {
		if t.preparing[i] {
			result, err := pl.GetResults()
			if err != nil {
				return fail(pl, t, i, err)
			}
			if description, ok := result.(*pgconn.StatementDescription); ok {
				s.prepared[t.plans[i].Name] = description
			}
		}
		result, err := pl.GetResults()
		if err != nil {
			return fail(pl, t, i, err)
		}
		reader, ok := result.(*pgconn.ResultReader)
		if !ok {
			return fail(pl, t, i, fmt.Errorf("protocol: expected a result, got %T", result))
		}
		if err := call.Read(t.plans[i], reader); err != nil {
			var bad *fault.Error
			if errors.As(err, &bad) { // a result that breaks the contract; the transaction goes on
				call.Err = bad
				continue
			}
			return fail(pl, t, i, err)
		}
	}
	return awaitSync(pl, t)
}

// fail notes the group's error and reads on to its Sync, if there is still a connection.
func fail(pl *pgconn.Pipeline, t *transit, i int, err error) bool {
	t.err, t.failed = err, i
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || isFatal(pgErr) {
		return false
	}
	return awaitSync(pl, t)
}

func isFatal(err *pgconn.PgError) bool {
	severity := err.SeverityUnlocalized
	if severity == "" {
		severity = err.Severity
	}
	return severity == "FATAL" || severity == "PANIC"
}

// awaitSync reads the end of a transaction. Only then is it committed: earlier answers report rows
// that an error at commit takes back.
func awaitSync(pl *pgconn.Pipeline, t *transit) bool {
	for {
		result, err := pl.GetResults()
		if err != nil {
			if t.err == nil {
				t.err, t.failed = err, len(t.group)-1
			}
			var pgErr *pgconn.PgError
			if !errors.As(err, &pgErr) || isFatal(pgErr) {
				return false
			}
			continue
		}
		if _, ok := result.(*pgconn.PipelineSync); ok {
			t.done = true
			return true
		}
		if result == nil {
			if t.err == nil {
				t.err = errors.New("protocol: no end of the transaction")
			}
			return false
		}
	}
}

// twoSteps runs a group in a transaction of its own and commits it only after the numbers of
// affected rows were seen to be within their bounds.
func (p *Pool) twoSteps(ctx context.Context, conn *pgconn.PgConn, t *transit) {
	if conn.IsClosed() {
		return
	}
	if _, err := conn.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		t.err, t.sent = err, false
		return
	}
	p.pipeline(ctx, conn, []*transit{t})
	if conn.IsClosed() {
		return
	}
	if t.err == nil {
		for i, call := range t.group {
			if most := call.Statement.MaxRows; most > 0 && call.Counted && call.Affected > most {
				t.err, t.failed = call.TooManyRows(), i
			}
		}
	}
	end := "COMMIT"
	if t.err != nil {
		end = "ROLLBACK"
	}
	t.done = false
	if _, err := conn.Exec(ctx, end).ReadAll(); err != nil {
		if t.err == nil {
			t.err, t.failed = err, len(t.group)-1
		}
		var pgErr *pgconn.PgError
		t.done = errors.As(err, &pgErr) && !isFatal(pgErr)
		return
	}
	t.done = true
}
