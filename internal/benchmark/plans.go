package benchmark

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/query"
)

// comparePlans tells for each operation that was compared how B's plan differs from A's: the generic
// one, which does not depend on arguments, so that the queries are compared and not two samples.
func (b *bench) comparePlans(ctx context.Context) error {
	if len(b.sides) != 2 {
		return nil
	}
	var all [2]map[string]*explain.Plan
	for i, s := range b.sides {
		plans, err := b.plansOf(ctx, s)
		if err != nil {
			return err
		}
		all[i] = plans
	}
	for _, c := range b.cases {
		if c.op == nil || all[0][c.op.Key] == nil || all[1][c.op.Key] == nil {
			continue
		}
		for _, line := range explain.Diff(all[0][c.op.Key], all[1][c.op.Key]) {
			c.result.Plan = append(c.result.Plan, inSets.Replace(line))
		}
	}
	return nil
}

var inSets = strings.NewReplacer("only in the first: ", "only A: ", "only in the second: ", "only B: ")

// plansOf asks for the plans of the operations that were compared. A plan that the server does not
// give is noted, and no failure of the run.
func (b *bench) plansOf(ctx context.Context, s *side) (map[string]*explain.Plan, error) {
	plans := map[string]*explain.Plan{}
	err := s.ask(ctx, func(conn *pgx.Conn) error {
		session, err := explain.Open(ctx, conn)
		if err != nil {
			return err
		}
		defer func() { _ = session.Close(context.WithoutCancel(ctx)) }()
		for _, c := range b.cases {
			if c.op == nil || plans[c.op.Key] != nil {
				continue
			}
			plan, err := b.planOf(ctx, session, s.queries.Statement(c.op))
			switch {
			case ctx.Err() != nil:
				return errCanceled
			case errors.Is(err, explain.ErrUnsupported):
				b.note("plans are not compared: %s", err)
				return nil
			case err != nil:
				b.note("no plan of %s in %s: %s", c.op.Key, s.set.Name, told(err))
			default:
				plans[c.op.Key] = plan
			}
		}
		return nil
	})
	return plans, err
}

func (b *bench) planOf(ctx context.Context, session *explain.Session, statement *query.Statement) (*explain.Plan, error) {
	if statement == nil {
		return nil, fmt.Errorf("there is no query")
	}
	return session.Generic(ctx, statement, explain.Options{})
}
