package run

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// trial runs the call in a transaction, and ends that as the flags say.
func (r runner) trial(ctx context.Context, session *statements.Session, o *outcome) error {
	plan := o.statement.Plan()
	arguments, err := o.call.Encode(plan)
	if err != nil {
		return err
	}
	conn, err := session.Dial(ctx, o.notice)
	if err != nil {
		return err
	}
	defer closeNow(conn)
	if _, err := conn.PgConn().Exec(ctx, "BEGIN").ReadAll(); err != nil {
		return serverFault(ctx, plan, err)
	}
	o.sent = true
	params, results := plan.Formats()
	start := time.Now()
	reader := conn.PgConn().ExecParams(ctx, plan.SQL, arguments, plan.ParamOIDs, params, results)
	err = o.call.Read(plan, reader)
	o.elapsed = time.Since(start)
	if err == nil {
		err = overBound(o.call)
	}
	if err != nil {
		rollBack(ctx, conn)
		return serverFault(ctx, plan, err)
	}
	if !r.commit {
		err := settleConstraints(ctx, conn)
		rollBack(ctx, conn)
		return serverFault(ctx, plan, err)
	}
	return o.commit(ctx, conn, plan)
}

// overBound checks the bound on affected rows where the statement's own text does not.
func overBound(call *query.Call) error {
	if outside := call.OutOfBounds(); outside != nil {
		return outside
	}
	return nil
}

// commit does not let itself be interrupted: then nobody would know what became of it.
func (o *outcome) commit(ctx context.Context, conn *pgx.Conn, plan *query.Plan) error {
	if ctx.Err() != nil {
		rollBack(ctx, conn)
		return ended(ctx, o.operation.Key)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, err := conn.PgConn().Exec(ctx, "COMMIT").ReadAll()
	var refused *pgconn.PgError
	switch {
	case err == nil:
		o.committed = true
		return nil
	case errors.As(err, &refused):
		return serverFault(ctx, plan, err)
	}
	return fault.New(fault.UnknownOutcome, o.operation.Key, "the connection was lost during the commit: it may or may not have taken effect")
}

// settleConstraints lets the server check what it would check at the commit, so that a trial that is rolled
// back finds the same faults. A server that does not know the command has nothing to check.
func settleConstraints(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.PgConn().Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE").ReadAll()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == "0A000" || refused.Code == "42601") {
		return nil
	}
	return err
}

// rollBack works although the caller's time may be over. If it fails, closing the connection does it.
func rollBack(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
}

func closeNow(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// serverFault turns what went wrong into the error that a host would see.
func serverFault(ctx context.Context, plan *query.Plan, err error) error {
	var known *fault.Error
	var refused *pgconn.PgError
	key := plan.Statement().Operation.Key
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return ended(ctx, key)
	case errors.As(err, &refused):
		return plan.Fault(refused)
	}
	return fault.New(fault.Unavailable, key, "the connection to the database was lost; the transaction was rolled back")
}

// ended is the error for a run whose time was over, or that was interrupted.
func ended(ctx context.Context, key string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, key, "it took longer than --timeout allows, and was cancelled; nothing was changed")
	}
	return fault.New(fault.Canceled, key, "it was interrupted, and cancelled; nothing was changed")
}
