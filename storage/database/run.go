package database

import (
	"context"
	"math/rand/v2"
	"time"

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
	of := p.halfFor(flight.Groups)
	if refused := p.admit(of); refused != nil {
		setError(flight.Groups, refused)
		return
	}
	defer of.underway.Add(-1)
	ctx, cancel := p.limit(ctx, flight)
	defer cancel()

	r := &run{pool: p, half: of, used: map[use]bool{}}
	pending := flight.Groups
	var until time.Time
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		again := r.attempt(ctx, pending)
		if len(again) == 0 {
			return
		}
		if until.IsZero() {
			until = time.Now().Add(p.options.RetryFor)
		}
		pause := time.Duration(float64(backoff) * (0.5 + rand.Float64())) // jitter, or rivals meet again
		if !fits(ctx, pause, until) || !wait(ctx, pause) {
			return // the calls keep the error of the last attempt
		}
		pending = p.resend(again)
	}
}

// halfFor returns the connections that a flight uses.
func (p *Pool) halfFor(groups []query.Group) *half {
	for _, group := range groups {
		for _, call := range group {
			if !call.Statement.Operation.Background() {
				return &p.requests
			}
		}
	}
	return &p.periodic
}

func (p *Pool) admit(of *half) *fault.Error {
	if p.closed.Load() {
		return closedFault()
	}
	if of.underway.Add(1) > int64(p.options.MaxWaiting) {
		of.underway.Add(-1)
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

// A run is a flight on its way through its attempts.
type run struct {
	pool *Pool
	half *half
	// used are the remedies that were tried already.
	used map[use]bool
}

// A use is a remedy for a group, which is known by its first call.
type use struct {
	first  *query.Call
	remedy remedy
}

// A retry is a group that is worth another attempt; its calls hold the error of the last one.
type retry struct {
	group   query.Group
	verdict verdict
}

// attempt sends the groups once and returns those that are worth another attempt.
func (r *run) attempt(ctx context.Context, groups []query.Group) (again []retry) {
	var transits []*transit
	for _, group := range groups {
		if len(group) == 0 {
			continue
		}
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
	conn, err := r.half.Acquire(ctx)
	if err != nil {
		for _, t := range transits {
			t.err = err
			again = r.settle(ctx, nil, t, again)
		}
		return again
	}
	defer conn.Release() // a panic must not keep it
	pgConn := conn.Conn().PgConn()
	r.pool.fly(ctx, pgConn, transits)
	for _, t := range transits {
		r.pool.countRoundTrip(t)
		again = r.settle(ctx, pgConn, t, again)
	}
	return again
}

// resend prepares groups for their next attempt.
func (p *Pool) resend(again []retry) []query.Group {
	groups := make([]query.Group, len(again))
	for i, one := range again {
		groups[i] = one.group
		for _, call := range one.group {
			call.Resent = call.Resent || one.verdict.ambiguous
			if p.options.Observer != nil {
				p.options.Observer.Retried(call.Statement.Operation, one.verdict.cause)
			}
		}
	}
	return groups
}

// fits says whether another attempt after the pause can begin in time.
func fits(ctx context.Context, pause time.Duration, until time.Time) bool {
	next := time.Now().Add(pause)
	deadline, limited := ctx.Deadline()
	return !next.After(until) && !(limited && next.After(deadline))
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
