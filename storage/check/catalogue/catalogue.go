// Package catalogue finds what is wrong with a query set that only the live database can tell, without
// running a query: what its catalogue says of the tables, and what its planner makes of the statements.
//
// Everything happens in transactions that are rolled back, and nothing waits for a lock for long. The
// rules follow from the contract and the parse trees, so they hold for every domain; what is true of
// one domain only stands in a file named after it. The package must not know files, YAML or terminals.
package catalogue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// Input is what is known beside the statements. The zero value is usable.
type Input struct {
	// Contract is the operations.
	Contract *operation.Contract
	// Target is what the operator's file is written for; nil if it does not say.
	Target *check.Target
	// Place returns the place of a YAML key; nil means unknown.
	Place func(key string) problem.Position
	// Unprepared says that prepared statements were found not to work on the way to the server.
	Unprepared bool
	// Connections is how many connections the program may open with this file; 0 is unknown.
	Connections int
	// CallTimeout is the limit for a call whose operation has none of its own; 0 is unknown.
	CallTimeout time.Duration
}

// The limits within which the database is asked.
const (
	lockTimeout      = 2 * time.Second
	statementTimeout = 10 * time.Second
)

// Check asks the database behind conn about the statements, which must have been described: one without
// a plan is left out, as that was reported already. It returns the problems in the order of the file.
// An error means that the database could not be asked. The connection must not be in a transaction.
func Check(ctx context.Context, conn *pgx.Conn, set *query.Set, in Input) (problem.List, error) {
	c := &checker{in: in, said: map[string]bool{}, lookups: map[string]*lookup{}}
	if in.Place == nil {
		c.in.Place = func(string) problem.Position { return problem.Position{} }
	}
	for _, look := range []func(context.Context, *pgx.Conn, *query.Set) error{c.readCatalogue, c.plan} {
		err := look(ctx, conn, set)
		refused := serverError(err)
		if err != nil && (refused == nil || conn.IsClosed()) {
			return nil, fmt.Errorf("reading the database's catalogue: %w", err)
		}
		if refused != nil { // another server that plays PostgreSQL, or one whose catalogue is closed to this role
			c.unread(refused)
			return c.problems, nil
		}
	}
	c.checkServer()
	for _, r := range c.readings {
		for _, rule := range statementRules {
			rule(c, r)
		}
	}
	c.reportLookups()
	c.reportUnlogged()
	c.reportCounters()
	c.problems.Sort()
	return c.problems, nil
}

// statementRules are the rules that look at one statement.
var statementRules = []func(*checker, *reading){
	(*checker).checkPlan,
	(*checker).checkScans,
	(*checker).checkUnique,
	(*checker).checkParameters,
	(*checker).checkResult,
	(*checker).checkUpdates,
	(*checker).checkCounters,
	(*checker).checkArrays,
	(*checker).checkLocking,
	(*checker).checkRefresh,
	(*checker).checkRelations,
}

// A checker collects the problems of one query set.
type checker struct {
	in       Input
	server   server
	schema   *schema
	readings []*reading
	// denied are the functions that this role may not call, as GRANT writes them.
	denied   []denied
	problems problem.List
	said     map[string]bool
	lookups  map[string]*lookup
	order    []*lookup
	counters []*counter
	unlogged []*use
	where    problem.Position
}

func (c *checker) readCatalogue(ctx context.Context, conn *pgx.Conn, set *query.Set) error {
	trees, names := parse(set) // before the transaction: the parser takes its time when it is first used
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if c.server, err = readServer(ctx, tx); err != nil { // before the limits are changed
		return err
	}
	if _, err := tx.Exec(ctx, limits()); err != nil {
		return err
	}
	if c.schema, err = readSchema(ctx, tx, names); err != nil {
		return err
	}
	var functions []string
	for _, statement := range set.Statements() {
		tree := trees[statement]
		if tree == nil {
			continue
		}
		r := read(statement, tree, c.schema)
		for _, f := range r.functions {
			functions = append(functions, f.name)
		}
		c.readings = append(c.readings, r)
	}
	c.denied, err = readDenied(ctx, tx, functions)
	return err
}

func (c *checker) unread(refused *pgconn.PgError) {
	c.problems = append(c.problems, problem.Problem{Severity: problem.Info, Rule: ruleUnread, Position: c.in.Place("connection_string"), Key: "connection_string",
		Message: fmt.Sprintf("the server's catalogue could not be read: %s (SQLSTATE %s)", refused.Message, refused.Code),
		Fix:     "what it would tell of indexes, keys and types is left out"})
}

// parse reads the statements that the database has described. One that PostgreSQL's grammar does not
// know is left out; it may be for another server.
func parse(set *query.Set) (trees map[*query.Statement]*syntax.Node, names []string) {
	trees = map[*query.Statement]*syntax.Node{}
	known := map[string]bool{}
	for _, statement := range set.Statements() {
		if statement.Plan() == nil {
			continue
		}
		tree, err := syntax.Parse(statement.Positional())
		if err != nil {
			continue
		}
		trees[statement] = tree
		for _, name := range relations(tree) {
			if !known[name] {
				known[name] = true
				names = append(names, name)
			}
		}
	}
	return trees, names
}

func limits() string {
	return fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d", lockTimeout.Milliseconds(), statementTimeout.Milliseconds())
}

// plan asks for each statement's plan as it would be if no table could be read as a whole.
func (c *checker) plan(ctx context.Context, conn *pgx.Conn, _ *query.Set) error {
	session, err := explain.Open(ctx, conn)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "SET TRANSACTION READ ONLY; "+limits()); err != nil {
		return err
	}
	for _, r := range c.readings {
		plan, err := session.Generic(ctx, r.statement, explain.Options{NoSeqScan: true, Timeout: statementTimeout})
		if errors.Is(err, explain.ErrUnsupported) {
			return nil // what the catalogue says is all there is
		}
		if r.plan = plan; err != nil {
			if r.refused = serverError(err); r.refused == nil {
				return err
			}
		}
	}
	return nil
}

// report adds a problem of a statement. at is an offset in its positional text.
func (c *checker) report(severity problem.Severity, rule string, r *reading, at int, message, fix string) {
	c.problems = append(c.problems, problem.Problem{Severity: severity, Rule: rule, Position: r.position(at), Key: r.op.Key, Message: message, Fix: fix})
}

// first says whether something is said for the first time.
func (c *checker) first(parts ...any) bool {
	key := fmt.Sprintln(parts...)
	if c.said[key] {
		return false
	}
	c.said[key] = true
	return true
}

func hot(op *operation.Operation) bool { return op.Spec.GetHeat() == annotation.Heat_HOT }

// ofRequests says that the operation runs for requests, and not periodically or by hand.
func ofRequests(op *operation.Operation) bool {
	return hot(op) || op.Spec.GetHeat() == annotation.Heat_WARM
}

func list(names []string) string { return strings.Join(names, ", ") }
