package mutation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/query"
)

// Options say what is mutated, and how.
type Options struct {
	// Config is the operator's file; its Connection must not be storage.Embedded. Everything happens in
	// transactions that are rolled back, but mutants may touch every row of the tables.
	Config storage.Config
	// Trial is how connections are opened.
	Trial storage.TrialOptions
	// Domains have the suites; nil is all of them. Sections that the file does not serve are left out.
	Domains []conformance.Domain
	// Operations are the keys of the queries that are mutated; nil is all.
	Operations []string
	// Equivalents are the mutants that are known to be no different.
	Equivalents []Equivalent
	// Workers is how many connections try mutants at once; 0 is 1. Where the tables hold rows already,
	// mutants that touch them all wait for each other's locks, so that more than one is for empty tables.
	Workers int
	// CaseLimit and MutantLimit are how long a case, and all cases of a mutant, may take before that is
	// taken for a failure; 0 is 10 seconds, and 2 minutes. They should be many times what the unchanged
	// query set needs.
	CaseLimit, MutantLimit time.Duration
	// Progress is told of every mutant, one after the other; total is how many there are. It may be nil.
	Progress func(done, total int, r Result)
}

func (o Options) defaults() Options {
	if o.Domains == nil {
		o.Domains = conformance.Domains()
	}
	if o.Workers <= 0 {
		o.Workers = 1
	}
	if o.CaseLimit <= 0 {
		o.CaseLimit = 10 * time.Second
	}
	if o.MutantLimit <= 0 {
		o.MutantLimit = 2 * time.Minute
	}
	return o
}

// Run tries all mutants. The error is about the run itself: a query set that is wrong, a database that
// cannot be used, the context's end.
func Run(ctx context.Context, options Options) (Report, error) {
	begin := time.Now()
	options = options.defaults()
	contract := options.Trial.Contract
	if contract == nil {
		var err error
		if contract, err = storage.Contract(); err != nil {
			return Report{}, err
		}
		options.Trial.Contract = contract
	}
	set, problems := query.CompileSet(contract, options.Config.Sources)
	if problems.Err() != nil {
		return Report{}, problems
	}
	var report Report
	var jobs []job
	for _, domain := range options.Domains {
		if !set.Serves(domain.Section) {
			continue
		}
		passes, err := survey(ctx, domain, set, options)
		if err != nil {
			return report, err
		}
		report.Cases += len(passes[0].cases)
		report.Unfit = append(report.Unfit, passes[0].unfit...)
		jobs = append(jobs, jobsOf(domain, set, passes, options.Operations)...)
	}
	results, err := try(ctx, jobs, options)
	report.take(results, options.Equivalents, options.Operations)
	report.Elapsed = time.Since(begin)
	return report, err
}

// A job is a mutant and the passes in which some case sends its query.
type job struct {
	mutant Mutant
	source query.Source
	passes []*pass
}

func jobsOf(domain conformance.Domain, set *query.Set, passes []*pass, only []string) []job {
	var jobs []job
	for _, statement := range set.Statements() {
		op := statement.Operation
		if op.Section != domain.Section || (only != nil && !slices.Contains(only, op.Key)) {
			continue
		}
		var reaching []*pass
		for _, p := range passes {
			if len(p.sending(set, op.Key)) > 0 {
				reaching = append(reaching, p)
			}
		}
		for _, m := range MutantsOf(set, statement) {
			source, ok := passes[0].config.Sources.ByKey[op.Key]
			if !ok { // the contract's default
				source = statement.Source()
			}
			source.SQL = m.SQL
			jobs = append(jobs, job{mutant: m, source: source, passes: reaching})
		}
	}
	return jobs
}

// try runs all jobs, several at once, and returns the results in the jobs' order.
func try(ctx context.Context, jobs []job, options Options) ([]Result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	results := make([]Result, len(jobs))
	next := make(chan int)
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range min(options.Workers, len(jobs)) {
		all.Go(func() {
			w := &worker{options: options, benches: map[*pass]*bench{}}
			defer w.close()
			for i := range next {
				result, err := w.try(ctx, jobs[i])
				if err != nil {
					stop(err)
					continue
				}
				mu.Lock()
				results[i] = result
				done++
				if options.Progress != nil {
					options.Progress(done, len(jobs), result)
				}
				mu.Unlock()
			}
		})
	}
	for i := range jobs {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	if ctx.Err() != nil {
		return slices.DeleteFunc(results, func(r Result) bool { return r.Operation == "" }), context.Cause(ctx)
	}
	return results, nil
}

// A worker tries one mutant after the other, on connections of its own.
type worker struct {
	options Options
	benches map[*pass]*bench
}

func (w *worker) close() {
	for _, b := range w.benches {
		b.close()
	}
}

// try tries a mutant in every pass, until one notices it.
func (w *worker) try(ctx context.Context, j job) (Result, error) {
	begin := time.Now()
	result := Result{Mutant: j.mutant, Outcome: Survived}
	if len(j.passes) == 0 {
		result.Failure = "no case sends this query"
	}
	for _, p := range j.passes {
		one, err := w.tryIn(ctx, p, j)
		var broken *brokenError
		if errors.As(err, &broken) { // a connection may be lost for reasons of its own: once more
			one, err = w.tryIn(ctx, p, j)
		}
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		if err != nil && !errors.As(err, &broken) {
			return result, fmt.Errorf("trying a mutant of %s: %w", j.mutant.Operation, err)
		}
		if err != nil && one.Outcome == Survived {
			one.Outcome, one.Failure = Killed, "it costs the connection each time"
		}
		result.Tried += one.Tried
		result.Outcome, result.KilledBy, result.Failure, result.TimedOut = one.Outcome, one.KilledBy, one.Failure, one.TimedOut
		if result.Outcome != Survived {
			break
		}
	}
	result.Elapsed = time.Since(begin)
	return result, nil
}

func (w *worker) tryIn(ctx context.Context, p *pass, j job) (Result, error) {
	b := w.benches[p]
	if b == nil {
		var err error
		if b, err = openBench(ctx, p.domain, p.config, w.options); err != nil {
			return Result{}, err
		}
		w.benches[p] = b
	}
	result, usable := b.try(ctx, p, j)
	if usable {
		return result, nil
	}
	b.close()
	delete(w.benches, p)
	if result.TimedOut {
		return result, nil // a call that is interrupted costs its connection
	}
	return result, &brokenError{}
}

// A brokenError says that a connection was lost.
type brokenError struct{}

func (*brokenError) Error() string { return "the connection was lost" }
