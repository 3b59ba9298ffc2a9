package explain

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A Report is what was found out about one statement.
type Report struct {
	Statement *query.Statement
	// Generic is the plan that does not depend on the arguments, and Indexed the same with
	// enable_seqscan=off. Both are estimates; nil if the server refused the statement.
	Generic, Indexed *Plan
	// Cases are the plans for arguments.
	Cases []*Case
	// Refused is why there are no plans: the server's answer, or what is wrong with the arguments.
	Refused error
	// Problems are the advice, after Advise.
	Problems problem.List

	uses *uses
}

// A Case is the plans for one sample.
type Case struct {
	Sample *Sample
	// Custom is the plan that is made for the arguments. Generic is the plan that does not depend on
	// them, as it went with them; nil if it was not executed.
	Custom, Generic *Plan
	// NotRun is why the statement was not executed, or not to its end, although that was asked for.
	NotRun string

	taken bool // the row that the arguments are from is in the way
}

// Examine asks for all plans of a statement. An error is returned only if the database cannot be asked;
// what it says against the statement is in the report.
func (s *Session) Examine(ctx context.Context, m *Sampler, st *query.Statement, o Options) (*Report, error) {
	r := &Report{Statement: st, uses: m.uses[st]}
	if r.uses == nil {
		r.uses = &uses{}
	}
	err := s.examine(ctx, m, r, o)
	var refused *pgconn.PgError
	var fits *fault.Error
	switch {
	case errors.As(err, &refused) && !isGrave(refused), problem.From(err) != nil, errors.As(err, &fits):
		r.Refused = err
		return r, nil
	}
	return r, err
}

func (s *Session) examine(ctx context.Context, m *Sampler, r *Report, o Options) error {
	var err error
	still := o
	still.Analyze = false
	if r.Generic, err = s.Generic(ctx, r.Statement, still); err != nil {
		return err
	}
	if r.Generic.Root == nil {
		return nil
	}
	still.NoSeqScan = true
	if r.Indexed, err = s.Generic(ctx, r.Statement, still); err != nil {
		return err
	}
	samples, err := m.Samples(ctx, r.Statement)
	if err != nil {
		return err
	}
	for _, sample := range samples {
		c, err := s.examineCase(ctx, r.Statement, sample, o)
		if err != nil {
			return err
		}
		if fresh := m.fresh(r.Statement, sample); c.taken && fresh != nil {
			if c, err = s.examineCase(ctx, r.Statement, fresh, o); err != nil {
				return err
			}
		}
		r.Cases = append(r.Cases, c)
	}
	return nil
}

func (s *Session) examineCase(ctx context.Context, st *query.Statement, sample *Sample, o Options) (*Case, error) {
	c := &Case{Sample: sample}
	var err error
	if o.Analyze {
		c.Custom, err = s.Custom(ctx, st, sample.Arguments, o)
		if err == nil {
			c.Generic, err = s.GenericFor(ctx, st, sample.Arguments, o)
		}
		var refused *pgconn.PgError
		if err == nil {
			return c, nil
		}
		if !errors.As(err, &refused) || isGrave(refused) {
			return nil, err
		}
		c.NotRun, c.taken = whyNot(refused, o), refused.Code == "23505"
		if c.Custom != nil {
			return c, nil
		}
	}
	o.Analyze = false
	c.Custom, err = s.Custom(ctx, st, sample.Arguments, o)
	return c, err
}

// whyNot says why an execution failed, without the server's message, which can quote a value.
func whyNot(err *pgconn.PgError, o Options) string {
	switch {
	case err.Code == "57014":
		return fmt.Sprintf("it took longer than %s", o.Timeout)
	case err.Code == "23505":
		return "the sampled row is there already" + constraint(err)
	case err.Code == "25006":
		return "the server is read-only"
	case len(err.Code) == 5 && err.Code[:2] == "23":
		return "the sampled arguments break a constraint" + constraint(err)
	}
	return fmt.Sprintf("the server refused the execution (SQLSTATE %s)", err.Code)
}

func constraint(err *pgconn.PgError) string {
	if err.ConstraintName == "" {
		return ""
	}
	return " (constraint " + err.ConstraintName + ")"
}

// plans returns all plans of the report.
func (r *Report) plans() []*Plan {
	plans := []*Plan{r.Generic}
	for _, c := range r.Cases {
		plans = append(plans, c.Custom, c.Generic)
	}
	return plans
}

// place is where the query names a relation, or where it begins.
func (r *Report) place(n *Node) problem.Position {
	if n != nil {
		for _, rel := range r.uses.relations {
			if rel.offset >= 0 && rel.name == n.Relation && (rel.alias == n.Alias || n.Alias == "") {
				return r.Statement.At(rel.offset)
			}
		}
		for _, rel := range r.uses.relations {
			if rel.offset >= 0 && rel.name == n.Relation {
				return r.Statement.At(rel.offset)
			}
		}
	}
	return r.Statement.At(0)
}
