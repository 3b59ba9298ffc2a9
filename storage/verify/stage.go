package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A stage is where cases play: it serves the operator's queries, records their calls, and keeps the
// cases apart from each other. The suite is bound to it.
type stage interface {
	grpc.ClientConnInterface
	// apart runs work so that nothing of it is seen later. Where other sessions get in the way it runs
	// work again; disturbed is the SQLSTATE if they did so to the end.
	apart(ctx context.Context, work func()) (disturbed string, err error)
	// use serves other sources from now on; ok is false, and nothing changes, if they are not usable.
	use(ctx context.Context, sources query.Sources) (ok bool, err error)
	set() *query.Set
	problems() problem.List
	tape() *tape
	clock() *conformance.Clock
	close()
}

// A witness is a stage that does not record what happens on it, but can repeat it so that it is.
type witness interface {
	observed(ctx context.Context, work func()) error
}

// Limits of a transaction that is never committed, beside other people's work on the same tables.
const (
	// A row that another session keeps longer than this is not waited for.
	lockTimeout = time.Second
	// A server gives up a transaction whose client was lost without a word after this time.
	idleTimeout = time.Minute
	// How often a case is tried that other sessions get in the way of: by changing rows, or by keeping
	// them, which a further try is less likely to help against.
	attempts     = 5
	lockAttempts = 2
	// How long it may take to leave things in order when the run's own time is over.
	leave = 15 * time.Second
)

// A rollback is the stage of the normal mode: a trial, replaced by a new one where other sessions changed
// rows that it has to change, too.
type rollback struct {
	config   storage.Config
	options  storage.TrialOptions
	trial    *storage.Trial
	recorded *tape
	stops    *conformance.Clock
	// ids are the transactions so far.
	ids []string
}

func openRollback(ctx context.Context, config storage.Config, options Options) (*rollback, error) {
	stops := &conformance.Clock{}
	r := &rollback{config: config, recorded: newTape(), stops: stops, options: storage.TrialOptions{Contract: options.Contract, Logger: options.Logger, Clock: stops.Now,
		Transaction: database.TransactionOptions{Isolation: "REPEATABLE READ", Settings: TransactionSettings(options.StatementTimeout)}}}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// TransactionSettings are what keeps a transaction on an operator's own tables from holding up others.
func TransactionSettings(statementTimeout time.Duration) map[string]string {
	return map[string]string{
		"lock_timeout":                        milliseconds(lockTimeout),
		"statement_timeout":                   milliseconds(statementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleTimeout),
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

func (r *rollback) open(ctx context.Context) error {
	trial, err := storage.OpenTrial(ctx, r.config, r.options)
	if err != nil {
		return err
	}
	id, err := trial.Identity(ctx)
	if err != nil {
		trial.Close()
		return err
	}
	trial.Observe(r.recorded.call)
	r.trial, r.ids = trial, append(r.ids, id)
	return nil
}

// Invoke implements grpc.ClientConnInterface.
func (r *rollback) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return r.trial.Conn().Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (r *rollback) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return r.trial.Conn().NewStream(ctx, desc, method, opts...)
}

func (r *rollback) set() *query.Set           { return r.trial.Set() }
func (r *rollback) problems() problem.List    { return r.trial.Problems() }
func (r *rollback) tape() *tape               { return r.recorded }
func (r *rollback) clock() *conformance.Clock { return r.stops }
func (r *rollback) close()                    { r.trial.Close() }

func (r *rollback) apart(ctx context.Context, work func()) (disturbed string, err error) {
	for try := 1; ; try++ {
		r.recorded.rewind()
		if err := r.trial.Mark(ctx); err != nil {
			if ctx.Err() == nil {
				return "", err
			}
			work() // which finds that its time is over, and touches nothing
			return "", nil
		}
		work()
		if err := r.back(ctx); err != nil {
			return "", err
		}
		if disturbed = r.recorded.disturbance(); disturbed == "" || ctx.Err() != nil {
			return "", nil
		}
		// Another session changed a row after this transaction's snapshot was taken, or keeps one.
		if err := r.renew(ctx); err != nil {
			if ctx.Err() != nil {
				return disturbed, nil
			}
			return "", err
		}
		if try >= attempts || (disturbed == lockNotAvailable && try >= lockAttempts) {
			return disturbed, nil
		}
	}
}

// lockNotAvailable is the SQLSTATE of a lock that was waited for too long.
const lockNotAvailable = "55P03"

// back returns to the mark, also when the run's time is over.
func (r *rollback) back(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leave)
	defer cancel()
	return r.trial.Return(ctx)
}

// renew begins a new transaction.
func (r *rollback) renew(ctx context.Context) error {
	old := r.trial
	if err := r.open(ctx); err != nil {
		return err
	}
	old.Close()
	return nil
}

func (r *rollback) use(ctx context.Context, sources query.Sources) (ok bool, err error) {
	original := r.config.Sources
	r.config.Sources = sources
	err = r.renew(ctx)
	if err == nil {
		return true, nil
	}
	r.config.Sources = original
	var misfit problem.List
	if errors.As(err, &misfit) {
		return false, nil
	}
	return false, err
}

// configure serves a section with other settings from now on.
func (r *rollback) configure(ctx context.Context, section string, settings proto.Message) error {
	r.config.Settings = maps.Clone(r.config.Settings)
	r.config.Settings[section] = settings
	r.config.Sources.Settings = r.config.Settings
	return r.renew(ctx)
}

// leaveOut returns the sources without one.
func leaveOut(sources query.Sources, key string) query.Sources {
	rest := sources
	rest.ByKey = maps.Clone(sources.ByKey)
	delete(rest.ByKey, key)
	return rest
}
