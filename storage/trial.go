package storage

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/wake"
)

// A Trial serves an operator's file like a Storage, but every call runs on one connection, inside one
// transaction that is never committed: commands try queries on the operator's own tables with it, and
// leave nothing behind, not even when they are killed.
//
// What differs from a Storage: callers wait for each other, now() stands still for the whole trial,
// nothing is sent again for reasons that pass by themselves, and there is no background work. Values
// drawn from sequences stay drawn (PostgreSQL's manual, nextval), and what a trigger does outside of the
// database is done.
type Trial struct {
	contract    *operation.Contract
	config      Config
	original    *query.Set
	problems    problem.List
	pool        *database.Pool
	transaction *database.Transaction
	executor    *query.Executor
	domains     domains
	hub         *wake.Hub // it never listens: nothing that a trial does is ever committed
	conn        grpc.ClientConnInterface
}

// TrialOptions are what a command decides about a trial. The zero value is usable.
type TrialOptions struct {
	// Contract is the operations; nil is the built-in contract.
	Contract *operation.Contract
	Logger   *slog.Logger
	// Transaction says how the transaction begins.
	Transaction database.TransactionOptions
	// Clock replaces the system's clock; nil is that.
	Clock func() time.Time
	// Schema is a script that is run inside the transaction first.
	Schema string
}

// OpenTrial connects to config.Connection, which must not be Embedded, and describes the queries there.
// Problems of the queries are returned as a problem.List, if one of them is an Error; otherwise they
// are told by Problems. Close must be called in the end.
func OpenTrial(ctx context.Context, config Config, options TrialOptions) (*Trial, error) {
	t := &Trial{contract: options.Contract, config: config, hub: wake.New(wake.Options{})}
	if t.contract == nil {
		contract, err := Contract()
		if err != nil {
			return nil, err
		}
		t.contract = contract
	}
	t.config.Sources.Settings = config.Settings
	set, problems := query.CompileSet(t.contract, t.config.Sources)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	t.original, t.problems = set, problems
	if err := t.open(ctx, options); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Trial) open(ctx context.Context, options TrialOptions) error {
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	var err error
	t.pool, err = database.Open(database.Options{ConnString: t.config.Connection, Logger: logger,
		Mode: t.config.Mode, CallTimeout: t.config.CallTimeout})
	if err != nil {
		return err
	}
	if t.transaction, err = t.pool.Begin(ctx, options.Transaction); err != nil {
		return err
	}
	if options.Schema != "" {
		if err := t.transaction.Exec(ctx, options.Schema); err != nil {
			return err
		}
	}
	found, err := describeSet(ctx, t.transaction, t.original)
	if err != nil {
		return err
	}
	if t.problems = append(t.problems, found...); t.problems.Err() != nil {
		return t.problems
	}
	t.executor = query.NewExecutor(t.contract, t.original, t.transaction, nil, options.Clock)
	return t.serve(logger)
}

func (t *Trial) serve(logger *slog.Logger) error {
	made, err := makeDomains(t.contract, t.original, t.config.Settings,
		surrounding{executor: t.executor, logger: logger, registerer: prometheus.NewRegistry(), hub: t.hub})
	if err != nil {
		return err
	}
	t.domains = made
	serving := func() (State, string) { return Serving, "" }
	built, err := buildServices(t.contract, t.original, t.executor, t.domains.composed(), logger, serving)
	if err != nil {
		return err
	}
	t.conn = built.local()
	return nil
}

// Conn returns a connection to the services, for the generated clients.
func (t *Trial) Conn() grpc.ClientConnInterface { return t.conn }

// Problems returns what was found when the queries were compiled and described; none is an Error.
func (t *Trial) Problems() problem.List { return t.problems }

// Set returns the statements in use.
func (t *Trial) Set() *query.Set { return t.executor.Set() }

// Executor returns what runs operations, for commands that call them one by one.
func (t *Trial) Executor() *query.Executor { return t.executor }

// Replace uses another query for one operation, or none if source is nil, until Restore. Clauses that
// extend it are joined to the new one. The problems tell why the changed set is not usable; it is then
// not in use.
func (t *Trial) Replace(ctx context.Context, key string, source *query.Source) (problem.List, error) {
	changed := t.config.Sources
	changed.ByKey = maps.Clone(changed.ByKey)
	if source == nil {
		delete(changed.ByKey, key)
	} else {
		changed.ByKey[key] = *source
	}
	set, problems := query.CompileSet(t.contract, changed)
	if problems.Err() != nil {
		return problems, nil
	}
	found, err := describeSet(ctx, t.transaction, set)
	if err != nil {
		return nil, err
	}
	if problems = append(problems, found...); problems.Err() == nil {
		t.executor.Use(set)
	}
	return problems, nil
}

// Restore uses the operator's own queries again.
func (t *Trial) Restore() { t.executor.Use(t.original) }

// Observe has every call reported after it ran.
func (t *Trial) Observe(seen func(*query.Call)) { t.transaction.Observe(seen) }

// Mark sets a mark; Return undoes everything since the last mark, gives up the row locks taken since,
// and takes the mark away.
func (t *Trial) Mark(ctx context.Context) error { return t.transaction.Mark(ctx) }

// Return undoes everything since the last mark.
func (t *Trial) Return(ctx context.Context) error { return t.transaction.Return(ctx) }

// Identity returns the transaction's number, to be asked about with pg_xact_status; empty on servers
// that have none.
func (t *Trial) Identity(ctx context.Context) (string, error) { return t.transaction.Identity(ctx) }

// Use lends the connection between calls, for questions about what the trial sees.
func (t *Trial) Use(ctx context.Context, use func(*pgx.Conn) error) error {
	return t.transaction.Use(ctx, use)
}

// Close rolls everything back and ends the connection. It may be called more than once.
func (t *Trial) Close() {
	t.hub.Close()
	t.domains.close()
	if t.transaction != nil {
		t.transaction.Close()
	}
	if t.pool != nil {
		t.pool.Close()
	}
}
