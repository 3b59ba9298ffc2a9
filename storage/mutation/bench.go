package mutation

import (
	"context"
	"errors"
	"sync"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/query"
)

// A bench is a suite on a connection of its own, in a transaction that is never committed.
type bench struct {
	options Options
	trial   *storage.Trial
	suite   *conformance.Suite

	mu   sync.Mutex
	sent map[string]bool // keys of the operations that were sent since it was cleared
}

func openBench(ctx context.Context, domain conformance.Domain, config storage.Config, options Options) (*bench, error) {
	clock := &conformance.Clock{}
	options.Trial.Clock = clock.Now
	trial, err := storage.OpenTrial(ctx, config, options.Trial)
	if err != nil {
		return nil, err
	}
	suite, err := domain.Bind(trial.Conn(), config.Settings[domain.Section], clock)
	if err != nil {
		trial.Close()
		return nil, err
	}
	b := &bench{options: options, trial: trial, suite: suite}
	trial.Observe(func(call *query.Call) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.sent != nil {
			b.sent[call.Statement.Operation.Key] = true
		}
	})
	return b, nil
}

func (b *bench) close() { b.trial.Close() }

// probe finds out what the query set can do, and leaves no trace.
func (b *bench) probe(ctx context.Context) (conformance.Capabilities, error) {
	if err := b.trial.Mark(ctx); err != nil {
		return nil, err
	}
	if err := b.suite.Answers(ctx); err != nil {
		return nil, err
	}
	known := conformance.Capabilities{}
	for _, a := range b.suite.Abilities {
		known[a.Capability] = false
		if len(known.Missing(a.BuildsOn)) == 0 {
			known[a.Capability], _ = a.Look(ctx)
		}
	}
	return known, b.trial.Return(ctx)
}

// record notes what is sent until the function that it returns is called, which returns the keys.
func (b *bench) record() func() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = map[string]bool{}
	return func() map[string]bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		sent := b.sent
		b.sent = nil
		return sent
	}
}

// run runs one case in the time that a case has, and leaves no trace of it. usable is false if the
// connection can no longer be used.
func (b *bench) run(ctx context.Context, c conformance.Case[conformance.None], known conformance.Capabilities) (result conformance.Result, timedOut, usable bool) {
	if b.trial.Mark(ctx) != nil {
		return result, false, false
	}
	limited, cancel := context.WithTimeout(ctx, b.options.CaseLimit)
	defer cancel()
	result = conformance.RunCase(limited, c, conformance.None{}, known, nil)
	timedOut = errors.Is(limited.Err(), context.DeadlineExceeded)
	back, cancelBack := context.WithTimeout(context.WithoutCancel(ctx), b.options.CaseLimit)
	defer cancelBack()
	return result, timedOut, b.trial.Return(back) == nil
}

// try uses a mutant and runs the cases of a pass that send it, until one fails. usable is false if the
// connection can no longer be used.
func (b *bench) try(ctx context.Context, p *pass, j job) (result Result, usable bool) {
	result = Result{Mutant: j.mutant, Outcome: Survived}
	problems, err := b.trial.Replace(ctx, j.mutant.Operation, &j.source)
	if err != nil {
		return result, false
	}
	defer b.trial.Restore()
	if problems.Err() != nil {
		result.Outcome, result.Failure = Invalid, problems.Error()
		return result, true
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.MutantLimit)
	defer cancel()
	for _, i := range p.order[j.mutant.Operation] {
		got, timedOut, usable := b.run(ctx, b.suite.Cases[i], p.known)
		result.Tried++
		if got.Outcome == conformance.Failed || timedOut {
			result.Outcome, result.KilledBy, result.TimedOut = Killed, b.suite.Cases[i].Name, timedOut
			if len(got.Failures) > 0 {
				result.Failure = got.Failures[0]
			}
			return result, usable
		}
		if !usable {
			return result, false
		}
	}
	return result, true
}
