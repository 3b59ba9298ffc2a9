package benchmark

import (
	"context"
	"time"

	"github.com/mortise-storage/mortise/storage/workload"
)

const (
	// mostTurns is how many turns of a bounded case are prepared for one round at most, and
	// mostPrepared how many requests that may take.
	mostTurns    = 50_000
	mostPrepared = 10_000
	// mostTold is how many differences of a case are told.
	mostTold = 5
	// checkBudget is how long the checks of one case may take. A query that is that slow is told well
	// enough by few answers.
	checkBudget = 10 * time.Second
	// slowest is how long a case may take beyond ten times what it should, before it is cut short: each
	// round has at least one call of each caller, however long that takes.
	slowest = 20 * time.Second
	// checksAlone is how many calls of periodic work are compared: each may read whole tables.
	checksAlone = 3
)

// measure does all cases: first the checks of all that do not take rows away, on fresh data, then the
// plans, then the measuring, and at last the cases that take rows away.
func (b *bench) measure(ctx context.Context) error {
	meter := b.meter("measuring", int64(len(b.cases)*(b.options.Rounds+1)))
	defer meter.End()
	for _, c := range b.cases {
		if !c.Consumes {
			if err := b.check(ctx, c); err != nil {
				return err
			}
		}
	}
	if err := b.grow(ctx); err != nil {
		return err
	}
	if err := b.comparePlans(ctx); err != nil {
		return err
	}
	for _, c := range b.cases {
		if c.Consumes {
			if err := b.check(ctx, c); err != nil {
				return err
			}
		}
		if err := b.rounds(ctx, c, meter); err != nil {
			return err
		}
		b.report.Results = append(b.report.Results, c.result)
	}
	return nil
}

// grow makes a part of the stored data old, and brings the tables in order again.
func (b *bench) grow(ctx context.Context) error {
	if b.options.Size == 0 {
		return nil
	}
	for _, s := range b.sides {
		for _, data := range b.data {
			if err := s.age(ctx, data); err != nil {
				return err
			}
		}
		if err := s.vacuum(ctx, b.options.Place); err != nil {
			return err
		}
	}
	return nil
}

// check has all sides answer the same calls, and compares the answers.
func (b *bench) check(ctx context.Context, c *selected) error {
	n := b.options.Checks
	if c.Alone {
		n = min(n, checksAlone)
	}
	if len(b.sides) == 1 && c.Wrong == nil {
		return nil
	}
	begin := time.Now()
	for i := range int64(n) {
		if time.Since(begin) > checkBudget {
			break
		}
		turn := c.Turn(i)
		var answers []*workload.Answer
		for _, s := range b.sides {
			if err := s.prepare(ctx, turn.Before); err != nil {
				return err
			}
			reply := s.perform(ctx, c.Direct, turn.Call)
			if ctx.Err() != nil {
				return errCanceled
			}
			answer := reply.answer()
			answers = append(answers, answer)
			if err := s.prepare(ctx, turn.After); err != nil {
				return err
			}
			if c.Wrong != nil && reply.err == nil {
				c.tell(&c.result.Wrong, s.set.Name, turn, c.Wrong(turn, answer))
			}
		}
		c.result.Checked++
		if len(answers) == 2 {
			c.tell(&c.result.Differences, "", turn, c.Difference(turn, answers[0], answers[1]))
		}
	}
	return nil
}

func (c *selected) tell(list *[]Difference, set string, turn workload.Turn, what string) {
	if what != "" && len(*list) < mostTold {
		*list = append(*list, Difference{Set: set, Call: workload.Describe(turn.Call.Message), What: what})
	}
}

// rounds measures a case: a round of each side to warm up, then pairs of rounds, the order turned
// around each time.
func (b *bench) rounds(ctx context.Context, c *selected, meter Meter) error {
	all := make([][]*round, len(b.sides))
	most := make([]int64, len(b.sides))
	for i := range most {
		most[i] = bound(c, int64(20*c.result.Callers))
	}
	begin, budget := time.Now(), 10*time.Duration(len(b.sides))*b.options.Duration+slowest
	for k := range b.options.Rounds + 1 {
		if time.Since(begin) > budget && k > 1 {
			b.note("%s is so slow that it was measured in %d rounds only", c.result.Name(), k-1)
			meter.Add(int64(b.options.Rounds+1-k), c.result.Name())
			break
		}
		l := load{callers: c.result.Callers, duration: b.options.Duration / time.Duration(b.options.Rounds), rate: b.options.Rate}
		if k == 0 {
			l.duration = b.options.Warmup
		}
		if k == 0 || c.Alone { // nobody calls periodic work at a rate
			l.rate = 0
		}
		for _, i := range order(len(b.sides), k) {
			r, err := b.sides[i].run(ctx, c.Case, l, firstTurn(c, k), most[i])
			if err != nil {
				return err
			}
			if k > 0 {
				all[i] = append(all[i], r)
			}
			next := b.options.Duration.Seconds() / float64(b.options.Rounds) * max(r.perSecond, b.options.Rate) * 1.2
			most[i] = bound(c, max(int64(next), int64(c.result.Callers)))
		}
		meter.Add(1, c.result.Name())
	}
	for i := range b.sides {
		c.result.Sides = append(c.result.Sides, measured(all[i]))
	}
	if len(b.sides) == 2 {
		c.result.Ratio = compare(c.result.Sides[0].Rounds, c.result.Sides[1].Rounds, b.options.Confidence, b.options.Margin)
	}
	return nil
}

// order is A B, then B A, and so on.
func order(sides, k int) []int {
	switch {
	case sides == 1:
		return []int{0}
	case k%2 == 0:
		return []int{1, 0}
	}
	return []int{0, 1}
}

// firstTurn leaves the turns of the checks aside, and gives every round turns of its own.
func firstTurn(c *selected, k int) int64 {
	if c.Bounded {
		return int64(k+1) * 2 * mostTurns
	}
	return int64(k+1) * 10_000_000
}

// bound keeps the number of turns that are prepared within limits.
func bound(c *selected, n int64) int64 {
	if !c.Bounded {
		return 0
	}
	turn := c.Turn(0)
	each := int64(max(1, len(turn.Before)+len(turn.After)))
	return max(1, min(n, mostTurns, mostPrepared/each))
}
