package explain

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/mortise-storage/mortise/storage/query"
)

// statementName is how the statement is prepared while it is asked about. It is prepared in SQL and not
// by the protocol, because a pooler may give the latter another name than EXECUTE knows.
const statementName = "mortise_explain"

// Generic returns the plan that does not depend on the arguments; nothing is executed, whatever the
// options say. An error of the server is a *pgconn.PgError: 42P10 for an ON CONFLICT without a unique
// index behind it and 42501 for a right that is missing are found here, and not by preparing.
func (s *Session) Generic(ctx context.Context, st *query.Statement, o Options) (*Plan, error) {
	o.Analyze = false
	return s.generic(ctx, st, nil, o)
}

// GenericFor is Generic for arguments, of which only o.Analyze makes use: it executes the plan that
// does not depend on them.
func (s *Session) GenericFor(ctx context.Context, st *query.Statement, args Arguments, o Options) (*Plan, error) {
	return s.generic(ctx, st, args, o)
}

func (s *Session) generic(ctx context.Context, st *query.Statement, args Arguments, o Options) (*Plan, error) {
	sent, err := s.ready(ctx, st)
	if err != nil {
		return nil, err
	}
	if sent == nil {
		return &Plan{Generic: true}, nil
	}
	list := nulls(len(sent.ParamOIDs))
	set := func() error { return nil }
	if o.Analyze {
		if list, set, err = s.settings(ctx, sent, args); err != nil {
			return nil, err
		}
	}
	if err := s.guarded(ctx, func() error { return s.exec(ctx, "PREPARE "+statementName+" AS "+sent.SQL) }); err != nil {
		return nil, err
	}
	defer s.deallocate(ctx)
	o.Values = true // its constants are the query's own
	p, err := s.measured(o, func(explain string) (*Plan, error) {
		var p *Plan
		err := s.guarded(ctx, func() error {
			if err := s.exec(ctx, o.local("force_generic_plan")); err != nil {
				return err
			}
			if err := set(); err != nil {
				return err
			}
			var err error
			p, err = s.read(ctx, explain+"EXECUTE "+statementName+list, nil, nil, nil)
			return err
		})
		return p, err
	})
	if p != nil {
		p.Generic = true
	}
	return p, err
}

func (s *Session) deallocate(ctx context.Context) {
	if s.conn.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = s.exec(ctx, "DEALLOCATE "+statementName)
}

// Custom returns the plan for the arguments. With o.Analyze the statement is executed, inside a
// savepoint that is rolled back.
func (s *Session) Custom(ctx context.Context, st *query.Statement, args Arguments, o Options) (*Plan, error) {
	sent, err := s.ready(ctx, st)
	if err != nil {
		return nil, err
	}
	if sent == nil {
		return &Plan{}, nil
	}
	wire, err := args.encode(sent)
	if err != nil {
		return nil, err
	}
	formats, _ := sent.Formats()
	p, err := s.measured(o, func(explain string) (*Plan, error) {
		var p *Plan
		err := s.guarded(ctx, func() error {
			if err := s.exec(ctx, o.local("force_custom_plan")); err != nil {
				return err
			}
			var err error
			p, err = s.read(ctx, explain+sent.SQL, wire, sent.ParamOIDs, formats)
			return err
		})
		return p, err
	})
	if p != nil && !o.Values {
		p.hideConstants()
	}
	return p, err
}

// ready returns what is sent, or nil for a command that has no plan.
func (s *Session) ready(ctx context.Context, st *query.Statement) (*query.Plan, error) {
	if err := s.supported(); err != nil {
		return nil, err
	}
	sent, err := s.sent(ctx, st)
	if err != nil {
		return nil, err
	}
	switch st.Compiled().Command {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "":
		return sent, nil
	}
	if sent.SQL != st.Text() { // inside a row bound, whatever it is
		return sent, nil
	}
	return nil, nil
}

// local sets what holds for one question.
func (o Options) local(cacheMode string) string {
	script := "SET LOCAL plan_cache_mode = " + cacheMode
	if o.NoSeqScan {
		script += "; SET LOCAL enable_seqscan = off"
	}
	if o.Timeout > 0 && o.Analyze {
		script += fmt.Sprintf("; SET LOCAL statement_timeout = %d", max(o.Timeout.Milliseconds(), 1))
	}
	return script
}

// measured asks once, or as often as it is to be executed, and returns the plan of the median run.
func (s *Session) measured(o Options, ask func(explain string) (*Plan, error)) (*Plan, error) {
	if !o.Analyze {
		return ask("EXPLAIN (FORMAT JSON, VERBOSE) ")
	}
	var plans []*Plan
	var times []float64
	begin := time.Now()
	for range max(o.Runs, 1) {
		p, err := ask("EXPLAIN (FORMAT JSON, VERBOSE, ANALYZE, BUFFERS) ")
		if err != nil {
			return nil, err
		}
		plans, times = append(plans, p), append(times, p.ExecutionMS)
		if o.Budget > 0 && time.Since(begin) > o.Budget {
			break
		}
	}
	sort.SliceStable(plans, func(i, j int) bool { return plans[i].ExecutionMS < plans[j].ExecutionMS })
	median := plans[len(plans)/2]
	median.Analyzed, median.Runs = true, times
	return median, nil
}

func (s *Session) read(ctx context.Context, sql string, wire [][]byte, oids []uint32, formats []int16) (*Plan, error) {
	reader := s.conn.PgConn().ExecParams(ctx, sql, wire, oids, formats, nil)
	var text []byte
	for reader.NextRow() {
		text = append(text, reader.Values()[0]...)
	}
	if _, err := reader.Close(); err != nil {
		return nil, err
	}
	return decode(text)
}

// nulls is a list of so many arguments for EXECUTE.
func nulls(n int) string {
	if n == 0 {
		return ""
	}
	return "(" + strings.Repeat("NULL, ", n-1) + "NULL)"
}

// settings brings arguments to EXECUTE, which takes no parameters of the protocol. Each is stored as a
// setting of the transaction, so that no value is ever in a statement's text, and so in no log. It
// returns the list for EXECUTE, and what stores them.
func (s *Session) settings(ctx context.Context, sent *query.Plan, args Arguments) (list string, set func() error, err error) {
	wire, err := args.encode(sent)
	if err != nil {
		return "", nil, err
	}
	names, err := s.typeNames(ctx, sent.ParamOIDs)
	if err != nil {
		return "", nil, err
	}
	formats, _ := sent.Formats()
	parts := make([]string, len(wire))
	for i := range wire {
		parts[i] = "NULL"
		if wire[i] != nil {
			parts[i] = fmt.Sprintf("pg_catalog.current_setting('mortise.argument_%d')::%s", i+1, names[i])
		}
	}
	if len(parts) > 0 {
		list = "(" + strings.Join(parts, ", ") + ")"
	}
	return list, func() error {
		for i := range wire {
			if wire[i] == nil {
				continue
			}
			sql := "SELECT pg_catalog.set_config('mortise.argument_" + strconv.Itoa(i+1) + "', $1::" + names[i] + "::text, true)"
			reader := s.conn.PgConn().ExecParams(ctx, sql, wire[i:i+1], sent.ParamOIDs[i:i+1], formats[i:i+1], nil)
			if _, err := reader.Close(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
