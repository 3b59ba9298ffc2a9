package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// A Transaction runs flights on one connection, inside a transaction that is never committed: what a
// command tries out on an operator's own tables leaves nothing behind, whatever happens to the command,
// because the server rolls back when the connection ends.
//
// Each group runs in a savepoint, so a group that fails takes back its own effects and no others.
// Flights of several callers wait for each other. It implements query.Runner and query.Describer.
type Transaction struct {
	pool *Pool
	conn *pgx.Conn
	turn chan struct{} // holds one token: whose turn it is
	seen func(*query.Call)
	id   string
}

// TransactionOptions say how a transaction that is never committed begins.
type TransactionOptions struct {
	// Isolation is the isolation level; empty is the server's default.
	Isolation string
	// Settings are set for this transaction only, for example lock_timeout.
	Settings map[string]string
}

// Dial opens a connection outside of the pool, set up as those in it are. A context that ends cancels the
// statement that is under way and leaves the connection usable: what was tried on it is not lost. notice,
// unless nil, is called with what the server says beside its answers.
func (p *Pool) Dial(ctx context.Context, notice func(*pgconn.Notice)) (*pgx.Conn, error) {
	config := p.requests.Config().ConnConfig.Copy()
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 10 * time.Second}
	}
	if notice != nil {
		config.OnNotice = func(_ *pgconn.PgConn, said *pgconn.Notice) { notice(said) }
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("no connection to %s: %w", p.Target(), plainConnectError(err))
	}
	return conn, nil
}

// Begin opens a connection of its own, and the transaction.
func (p *Pool) Begin(ctx context.Context, options TransactionOptions) (*Transaction, error) {
	conn, err := p.Dial(ctx, nil)
	if err != nil {
		return nil, err
	}
	t := &Transaction{pool: p, conn: conn, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	if err := t.begin(ctx, options); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Transaction) begin(ctx context.Context, options TransactionOptions) error {
	begin := "BEGIN"
	if options.Isolation != "" {
		begin += " ISOLATION LEVEL " + options.Isolation
	}
	if _, err := t.conn.Exec(ctx, begin); err != nil {
		return err
	}
	for name, value := range options.Settings {
		if _, err := t.conn.Exec(ctx, "SELECT set_config($1, $2, true)", name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, plainConnectError(err))
		}
	}
	return nil
}

// Close rolls everything back and closes the connection. It may be called more than once.
func (t *Transaction) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if t.conn.PgConn().TxStatus() != 'I' && !t.conn.IsClosed() {
		_, _ = t.conn.Exec(ctx, "ROLLBACK")
	}
	_ = t.conn.Close(ctx)
}

// Observe has every call reported after it ran, from now on.
func (t *Transaction) Observe(seen func(*query.Call)) { t.seen = seen }

// Identity returns the transaction's number, for pg_xact_status; it is given one if it has none yet.
// It is empty on servers that do not tell.
func (t *Transaction) Identity(ctx context.Context) (string, error) {
	if t.id != "" {
		return t.id, nil
	}
	err := t.Use(ctx, func(conn *pgx.Conn) error {
		return t.inSavepoint(ctx, func() error {
			return conn.QueryRow(ctx, "SELECT pg_current_xact_id()::text").Scan(&t.id)
		})
	})
	if isCode(err, "42883") || isCode(err, "0A000") {
		return "", nil
	}
	return t.id, err
}

// Use lends the connection, between flights.
func (t *Transaction) Use(ctx context.Context, use func(*pgx.Conn) error) error {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
		return use(t.conn)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Mark sets a mark to which Return can lead back. Marks may be nested.
func (t *Transaction) Mark(ctx context.Context) error {
	return t.Use(ctx, func(*pgx.Conn) error { return t.command(ctx, "SAVEPOINT mortise_mark") })
}

// Return undoes everything since the last mark, gives up the locks taken since, and takes the mark away.
func (t *Transaction) Return(ctx context.Context) error {
	return t.Use(ctx, func(*pgx.Conn) error {
		return t.command(ctx, "ROLLBACK TO SAVEPOINT mortise_mark; RELEASE SAVEPOINT mortise_mark")
	})
}

// Run implements query.Runner.
func (t *Transaction) Run(ctx context.Context, flight *query.Flight) {
	start := time.Now()
	defer t.pool.report(flight, start)
	ctx, cancel := t.pool.limit(ctx, flight)
	defer cancel()
	err := t.Use(ctx, func(*pgx.Conn) error {
		for _, group := range flight.Groups {
			t.group(ctx, group)
			for _, call := range group {
				if t.seen != nil {
					t.seen(call)
				}
			}
		}
		return nil
	})
	if err != nil {
		setError(flight.Groups, contextFault(ctx, &transit{undone: true}))
	}
}

// group runs a group, and once more where the pool would.
func (t *Transaction) group(ctx context.Context, group query.Group) {
	if len(group) == 0 {
		return
	}
	used := map[remedy]bool{}
	for {
		loaded, err := load(group)
		if err != nil {
			group.Fail(err)
			return
		}
		v, failed := t.attempt(ctx, loaded)
		if !failed {
			return
		}
		if loaded.failed >= 0 && v.err.Operation == "" {
			v.err.Operation = group[loaded.failed].Statement.Operation.Key
		}
		group.FailAt(loaded.failed, v.err)
		// Without a remedy the reason would have to pass by itself, which it cannot while this
		// transaction's own snapshot and locks last.
		if !v.retry || v.remedy == anyTime || used[v.remedy] || ctx.Err() != nil {
			return
		}
		used[v.remedy] = true
	}
}

// attempt sends a group once, in a savepoint.
func (t *Transaction) attempt(ctx context.Context, loaded *transit) (v verdict, failed bool) {
	conn := t.conn.PgConn()
	lost := func() (verdict, bool) {
		return verdict{err: fault.New(fault.Unavailable, "", "the connection of the trial was lost")}, true
	}
	if err := t.command(ctx, "SAVEPOINT mortise_group"); err != nil {
		if ctx.Err() != nil && !conn.IsClosed() {
			return verdict{err: contextFault(ctx, &transit{undone: true})}, true
		}
		return lost()
	}
	t.pool.pipeline(ctx, conn, []*transit{loaded})
	if loaded.err == nil {
		loaded.failed, loaded.err = overBound(loaded)
	}
	if loaded.err == nil && loaded.done {
		if err := t.command(ctx, "RELEASE SAVEPOINT mortise_group"); err == nil || !conn.IsClosed() {
			return verdict{}, false
		}
		return lost()
	}
	// The caller's time may be over; the savepoint has to be left all the same.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := t.command(back, "ROLLBACK TO SAVEPOINT mortise_group; RELEASE SAVEPOINT mortise_group"); err != nil || conn.IsClosed() {
		return lost()
	}
	if loaded.err == nil {
		return lost()
	}
	loaded.undone = true
	return t.pool.judge(ctx, conn, loaded), true
}

// overBound finds the first call that touched more rows than it may, or fewer. Statements that are bound
// by their own text never do.
func overBound(t *transit) (call int, err error) {
	for i, call := range t.group {
		if outside := call.OutOfBounds(); outside != nil && t.plans[i].TwoSteps {
			return i, outside
		}
	}
	return -1, nil
}

// Describe asks about a statement; a refusal leaves the transaction as it was.
func (t *Transaction) Describe(ctx context.Context, sql string) (described *pgconn.StatementDescription, err error) {
	err = t.Use(ctx, func(*pgx.Conn) error {
		return t.inSavepoint(ctx, func() error {
			described, err = describe(ctx, t.conn.PgConn(), sql)
			return err
		})
	})
	return described, err
}

// Types learns those of the given types that are not built in.
func (t *Transaction) Types(ctx context.Context, oids []uint32) (types *query.Types, err error) {
	err = t.Use(ctx, func(*pgx.Conn) error {
		types, err = learn(ctx, t.conn.PgConn(), t.pool.types, oids)
		return err
	})
	return types, err
}

// Exec runs a script inside the transaction; if it fails, the transaction is as it was.
func (t *Transaction) Exec(ctx context.Context, script string) error {
	return t.Use(ctx, func(*pgx.Conn) error {
		return t.inSavepoint(ctx, func() error { return t.command(ctx, script) })
	})
}

// inSavepoint undoes what work did if it fails. The caller has the connection.
func (t *Transaction) inSavepoint(ctx context.Context, work func() error) error {
	if err := t.command(ctx, "SAVEPOINT mortise_step"); err != nil {
		return err
	}
	end := "RELEASE SAVEPOINT mortise_step"
	err := work()
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT mortise_step; " + end
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, t.command(back, end))
}

// command runs statements without parameters.
func (t *Transaction) command(ctx context.Context, sql string) error {
	_, err := t.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}
