package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// Options are what the operator decides about a run. The zero value is usable.
type Options struct {
	// Contract is the operations; nil is the built-in contract.
	Contract *operation.Contract
	Logger   *slog.Logger
	// Only limits the run to cases whose name, or one of whose operations, matches; nil is all.
	Only *regexp.Regexp
	// StatementTimeout is how long one statement may take; 30 seconds if 0.
	StatementTimeout time.Duration
	// Scratch uses a schema of its own instead of a transaction. Schema is the script that fills it; if
	// it is empty, the tables that the queries name are cloned.
	Scratch bool
	Schema  string
	// Progress is told of each step; nil for nobody.
	Progress func(Step)
}

// A Step is one that ended, of a number that is known from the first step on.
type Step struct {
	// Name is the case, or the ability that was looked for.
	Name string
	// Done is how many steps ended, this one included; Total is how many there are. It may grow.
	Done, Total int
}

// Application is the name of the run's sessions in pg_stat_activity.
const Application = "mortise verify"

const defaultStatementTimeout = 30 * time.Second

// Run verifies the queries of an operator's file, whose connection must not be storage.Embedded. The
// error is a problem.List if the queries do not fit the database; otherwise it says that the database
// cannot be used. When ctx ends, the report tells what was found until then.
func Run(ctx context.Context, config storage.Config, options Options) (*Report, error) {
	begin := time.Now()
	r := &run{options: options, report: &Report{Notes: problem.List{}, Problems: problem.List{}}}
	if err := r.defaults(); err != nil {
		return nil, err
	}
	var err error
	if config.Connection, err = with(config.Connection, map[string]string{"application_name": Application}); err != nil {
		return nil, err
	}
	config.Sources.Settings = config.Settings // as storage.Open does
	r.config = config
	if err := r.work(ctx); err != nil {
		return nil, err
	}
	r.report.Elapsed = time.Since(begin)
	return r.report, nil
}

// A run is one on its way.
type run struct {
	config  storage.Config
	options Options
	report  *Report
	// watcher is a connection beside that of the cases.
	watcher     *pgx.Conn
	stage       stage
	done, total int
}

func (r *run) defaults() error {
	if r.options.StatementTimeout == 0 {
		r.options.StatementTimeout = defaultStatementTimeout
	}
	if r.options.Contract == nil {
		contract, err := storage.Contract()
		if err != nil {
			return err
		}
		r.options.Contract = contract
	}
	return nil
}

func (r *run) work(ctx context.Context) error {
	if err := r.meet(ctx); err != nil {
		return err
	}
	defer func() { _ = r.watcher.Close(context.WithoutCancel(ctx)) }()
	if r.options.Scratch {
		return r.inScratch(ctx)
	}
	return r.inTransaction(ctx)
}

// meet connects, and finds out what the server is.
func (r *run) meet(ctx context.Context) error {
	pool, err := database.Open(database.Options{ConnString: r.config.Connection, Logger: r.options.Logger})
	if err != nil {
		return err
	}
	defer pool.Close()
	r.report.Target = pool.Target()
	conn, err := pool.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	server, err := conn.Server(ctx)
	if err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	r.report.Server = server.String()
	if server.ReadOnly {
		return fmt.Errorf("the server is read-only (a standby?), and verify has to write; connect it to the primary")
	}
	if r.watcher, err = dial(ctx, r.config.Connection); err != nil {
		return fmt.Errorf("no connection to %s", r.report.Target)
	}
	return nil
}

func (r *run) inTransaction(ctx context.Context) error {
	stage, err := openRollback(ctx, r.config, r.options)
	if err != nil {
		return err
	}
	r.stage = stage
	defer stage.close()
	notes, err := beware(ctx, r.watcher, stage.set())
	if err != nil && ctx.Err() == nil {
		// Nothing is judged by it. CockroachDB has other catalogues.
		notes = problem.List{{Severity: problem.Info, Rule: "trigger", Message: "it is not known which triggers the queries fire: the server's catalogue cannot be read"}}
	}
	r.report.Notes = append(r.report.Notes, notes...)
	if err := r.domains(ctx); err != nil {
		return err
	}
	stage.close()
	r.prove(ctx, stage.ids)
	return nil
}

// prove asks the server what became of the transactions.
func (r *run) prove(ctx context.Context, ids []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leave)
	defer cancel()
	for _, id := range ids {
		t := Transaction{ID: id}
		if id != "" {
			t.Status = statusOf(ctx, r.watcher, id)
		}
		r.report.Transactions = append(r.report.Transactions, t)
	}
}

// statusOf waits until a transaction is over, for the server may be a moment behind its client. It
// returns "" if the server cannot be asked.
func statusOf(ctx context.Context, conn *pgx.Conn, id string) string {
	for {
		var status *string
		if err := conn.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", id).Scan(&status); err != nil || status == nil {
			return ""
		}
		if *status != "in progress" {
			return *status
		}
		select {
		case <-ctx.Done():
			return *status
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// domains verifies each section that the file serves.
func (r *run) domains(ctx context.Context) error {
	r.report.Problems = append(r.report.Problems, r.stage.problems()...)
	for _, domain := range conformance.Domains() {
		if !r.stage.set().Serves(domain.Section) {
			continue
		}
		suite, err := domain.Bind(r.stage, r.config.Settings[domain.Section], r.stage.clock())
		if err != nil {
			return err
		}
		d := newDomainRun(r, domain, suite)
		r.report.Domains = append(r.report.Domains, d.found)
		if err := d.verify(ctx); err != nil {
			return err
		}
	}
	if len(r.report.Domains) == 0 {
		return errors.New("the file serves no section that a suite is known for")
	}
	if sum := r.report.Total(); sum.Passed+sum.Failed+sum.NotApplicable+sum.NotRun == 0 {
		return fmt.Errorf("no case and no operation matches %q", r.options.Only)
	}
	if err := ctx.Err(); err != nil {
		r.report.Interrupted = context.Cause(ctx).Error()
	}
	return nil
}

func (r *run) step(name string) {
	r.done++
	if r.options.Progress != nil {
		r.options.Progress(Step{Name: name, Done: r.done, Total: r.total})
	}
}
