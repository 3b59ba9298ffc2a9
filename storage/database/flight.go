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

	// sent says that the server may have seen it, done that its outcome is known, undone that its
	// transaction was never committed.
	sent, done, undone bool
	// err is why the group failed: *pgconn.PgError, *fault.Error, errColumnsChanged or a connection's
	// error.
	err error
	// failed is the call that the error belongs to, or -1.
	failed int
}

// mayHaveEffect says whether a group that failed may have changed something.
func (t *transit) mayHaveEffect() bool { return t.sent && !t.undone }

// load encodes the group's arguments. Values that the database's types cannot hold are found here:
// the driver would close the connection over them.
func load(group query.Group) (*transit, error) {
	t := &transit{group: group, plans: make([]*query.Plan, len(group)), args: make([][][]byte, len(group)), failed: -1}
	for i, call := range group {
		plan := call.Plan()
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
// it take further round trips; all others share one.
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

// pipeline is one round trip: everything is sent before the first answer is read. Each group is
// closed by a Sync that makes it a transaction. In front of them stand the statements that the
// connection has not seen yet, each with a Sync of its own: a statement that cannot be prepared then
// keeps no other from it, and a failed group cannot skip what a later one needs.
func (p *Pool) pipeline(ctx context.Context, conn *pgconn.PgConn, transits []*transit) {
	s := sessionOf(conn)
	prepared := p.Mode() != Unprepared
	if prepared {
		transits = s.withoutChanged(transits)
	}
	if len(transits) == 0 || conn.IsClosed() {
		return
	}
	pl := conn.StartPipeline(ctx)
	defer func() { _ = pl.Close() }() // it reads what is left, even after a panic
	var preparing []*query.Plan
	swept := 0
	if prepared {
		swept = p.sweep(s, pl, transits)
		preparing = s.missing(transits)
	}
	for _, plan := range preparing {
		pl.SendPrepare(plan.Name, plan.SQL, plan.ParamOIDs)
		pl.SendPipelineSync()
	}
	for i, t := range transits {
		switch {
		case !prepared:
			sendText(pl, t)
		case len(t.group) == 1 || i == len(transits)-1:
			sendStatements(pl, t)
		default:
			sendNames(pl, t)
		}
		pl.SendPipelineSync()
	}
	if err := pl.Flush(); err != nil {
		sent := !pgconn.SafeToRetry(err)
		for _, t := range transits {
			t.sent, t.err = sent, err
		}
		return
	}
	for _, t := range transits {
		t.sent = true
	}
	in := &inbox{pool: p, pipeline: pl, session: s, prepared: prepared, refused: map[string]error{}}
	lost := in.receiveSwept(swept)
	if lost == nil {
		lost = in.receivePrepared(preparing)
	}
	for _, t := range transits {
		if lost != nil {
			t.err = lost
			continue
		}
		lost = in.receive(t)
	}
}

// sendText sends the group's statements unprepared.
func sendText(pl *pgconn.Pipeline, t *transit) {
	for i, plan := range t.plans {
		params, results := plan.Formats()
		pl.SendQueryParams(plan.SQL, t.args[i], plan.ParamOIDs, params, results)
	}
}

// sendStatements sends the group's statements without asking for their columns again.
func sendStatements(pl *pgconn.Pipeline, t *transit) {
	for i, plan := range t.plans {
		params, results := plan.Formats()
		pl.SendQueryStatement(plan.Description(), t.args[i], params, results)
	}
}

// sendNames sends the group's statements and asks for their columns. When a call fails, the driver
// (pgx 5.12) skips the rest of its group, but keeps what sendStatements told it about those calls and
// takes it for that of the next group, which breaks the connection.
func sendNames(pl *pgconn.Pipeline, t *transit) {
	for i, plan := range t.plans {
		params, results := plan.Formats()
		pl.SendQueryPrepared(plan.Name, t.args[i], params, results)
	}
}

// An inbox reads the answers of a pipeline. Its methods return an error if the connection is lost,
// so that nothing more can be read.
type inbox struct {
	pool     *Pool
	pipeline *pgconn.Pipeline
	session  *session
	prepared bool
	// refused are the statements that could not be prepared, by name; first is the first reason.
	refused map[string]error
	first   error
}

func (in *inbox) receivePrepared(plans []*query.Plan) (lost error) {
	for _, plan := range plans {
		result, err := in.pipeline.GetResults()
		if err != nil {
			if isLost(err) {
				return err
			}
			in.refused[plan.Name] = err
			if in.first == nil {
				in.first = err
			}
			if isCode(err, "42P05") { // it is there all the same: another client of a pooler made it
				in.pool.giveUpPrepared(nil)
			}
		} else if description, ok := result.(*pgconn.StatementDescription); ok {
			in.session.prepared[plan.Name] = sameColumns(description.Fields, plan)
		}
		if _, lost := in.awaitSync(); lost != nil {
			return lost
		}
	}
	return nil
}

// receive reads the answers of one group up to its Sync.
func (in *inbox) receive(t *transit) (lost error) {
	changed := -1
	for i, call := range t.group {
		result, err := in.pipeline.GetResults()
		if err != nil {
			return in.fail(t, i, in.reason(t.plans[i], err))
		}
		reader, ok := result.(*pgconn.ResultReader)
		if !ok {
			return in.fail(t, i, fmt.Errorf("protocol: expected a result, got %T", result))
		}
		if readsColumns(t.plans[i]) && !in.asPlanned(t.plans[i], reader) {
			changed = i
			_, err = reader.Close()
		} else {
			err = call.Read(t.plans[i], reader)
		}
		var bad *fault.Error
		if errors.As(err, &bad) { // a result that breaks the contract; the transaction goes on
			call.Err = bad
		} else if err != nil {
			return in.fail(t, i, err)
		}
	}
	refusal, lost := in.awaitSync()
	switch {
	case refusal != nil:
		t.err, t.failed = refusal, len(t.group)-1
	case lost != nil:
		t.err = lost
	case changed >= 0:
		t.err, t.failed = errColumnsChanged, changed
	}
	t.done = lost == nil
	return lost
}

// reason returns why a call failed, if the error itself only says that something went wrong before it.
func (in *inbox) reason(plan *query.Plan, err error) error {
	switch {
	case in.first != nil && isCode(err, "25P02"): // inside of a transaction, nothing goes on after that
		return in.first
	case in.refused[plan.Name] != nil && isCode(err, "26000"): // the statement is not there
		return in.refused[plan.Name]
	}
	return err
}

// asPlanned says whether the result has the columns that the plan knows. Where the connection had the
// statement before, the server itself sees to it.
func (in *inbox) asPlanned(plan *query.Plan, reader *pgconn.ResultReader) bool {
	if in.prepared {
		same, known := in.session.prepared[plan.Name]
		return same || !known
	}
	return sameColumns(reader.FieldDescriptions(), plan)
}

// fail notes the group's error and reads on to its Sync, if there is still a connection.
func (in *inbox) fail(t *transit, i int, err error) (lost error) {
	t.err, t.failed = err, i
	if isLost(err) {
		return err
	}
	_, lost = in.awaitSync()
	t.done = lost == nil
	return lost
}

// isLost says whether an error ends the connection: all do that are not a server's ordinary error.
func isLost(err error) bool {
	var pgErr *pgconn.PgError
	return !errors.As(err, &pgErr) || isFatal(pgErr)
}

// awaitSync reads the end of a transaction. Only then is it committed: earlier answers report rows
// that a refusal at commit takes back.
func (in *inbox) awaitSync() (refusal, lost error) {
	for {
		result, err := in.pipeline.GetResults()
		switch {
		case err != nil && isLost(err):
			return refusal, err
		case err != nil:
			refusal = err
		case result == nil:
			return refusal, errors.New("protocol: no end of the transaction")
		default:
			if _, ok := result.(*pgconn.PipelineSync); ok {
				return refusal, nil
			}
		}
	}
}

// twoSteps runs a group in a transaction of its own and commits it only after the numbers of
// affected rows were seen to be within their bounds.
func (p *Pool) twoSteps(ctx context.Context, conn *pgconn.PgConn, t *transit) {
	if conn.IsClosed() {
		return
	}
	t.undone = true // until a COMMIT is sent
	if _, err := conn.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		t.err = err
		return
	}
	p.pipeline(ctx, conn, []*transit{t})
	if conn.IsClosed() {
		return
	}
	if t.err == nil {
		for i, call := range t.group {
			if outside := call.OutOfBounds(); outside != nil {
				t.err, t.failed = outside, i
			}
		}
	}
	if t.err != nil {
		// If it fails, the connection is destroyed, and the transaction with it.
		_, _ = conn.Exec(ctx, "ROLLBACK").ReadAll()
		return
	}
	t.undone, t.done = false, false
	_, err := conn.Exec(ctx, "COMMIT").ReadAll()
	if err != nil {
		t.err, t.failed = err, len(t.group)-1
	}
	t.done = err == nil || !isLost(err)
}
