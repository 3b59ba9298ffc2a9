package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The thresholds of the advice.
const (
	// SmallTable is up to how many rows reading a whole table costs no more than an index: a few dozen
	// pages, some tenths of a millisecond.
	SmallTable = 5000
	// RemovedAtLeast and RemovedShare are from when on a filter is worth an index: it throws away this
	// many rows in one execution, and this many for each that it keeps. 1000 rows take a few tenths of
	// a millisecond, which is what a whole lookup should take.
	RemovedAtLeast = 1000
	RemovedShare   = 10
	// SlowerBy and SlowerByMS are from when on a difference of two plans matters: below a factor of two,
	// and below a millisecond, times of single executions say nothing.
	SlowerBy   = 2.0
	SlowerByMS = 1.0
	// CostlierBy is the same for estimates, which are off by more than times.
	CostlierBy = 3.0
	// MisestimatedBy is how wrong an estimate must be to be told, if it is about at least
	// MisestimatedAtLeast rows: that is when joins are chosen wrongly.
	MisestimatedBy      = 100.0
	MisestimatedAtLeast = 1000.0
	// ManyLoops is how often the inner side of a nested loop runs before another join would pay.
	ManyLoops = 1000
	// LargeShare is the part of an execution's time that makes a step of it worth telling.
	LargeShare = 0.5
	// BoundShare and BoundAtLeastMS are from when on the cost of the row bound is told.
	BoundShare     = 0.2
	BoundAtLeastMS = 0.1
)

// Advise adds to each report what a database administrator would say of its plans, and returns what
// concerns tables. complete says that the reports are of all queries of the file: only then it is
// known which indexes none of them uses.
func (s *Session) Advise(ctx context.Context, reports []*Report, complete bool) (problem.List, error) {
	touched, err := s.touched(ctx, reports)
	if err != nil {
		return nil, err
	}
	for _, r := range reports {
		a := &advice{Report: r, tables: touched.tables, told: map[string]bool{}}
		a.refused()
		a.scans()
		a.flips()
		a.eachRun()
		r.Problems = a.list
	}
	list := touched.statistics()
	if complete {
		list = append(list, touched.indexes()...)
	}
	return list, nil
}

// An advice is the making of one report's problems.
type advice struct {
	*Report
	tables map[string]*Table
	told   map[string]bool
	list   problem.List
}

// tell adds a problem, once for each rule and thing.
func (a *advice) tell(severity problem.Severity, rule, thing string, n *Node, message, fix string) {
	key := rule + "\x00" + thing
	if a.told[key] {
		return
	}
	a.told[key] = true
	a.list = append(a.list, problem.Problem{Severity: severity, Rule: rule, Position: a.place(n), Key: a.Statement.Operation.Key, Message: message, Fix: fix})
}

// grade is how bad it is that an operation is slow: on the path of requests it matters, in the
// background it is only worth knowing.
func (a *advice) grade() (severity problem.Severity, matters bool) {
	switch a.Statement.Operation.Spec.GetHeat() {
	case annotation.Heat_HOT:
		return problem.Warning, true
	case annotation.Heat_WARM:
		return problem.Info, true
	}
	return problem.Info, false
}

// refused tells why there is no plan. Errors of class 42 are about the query and never about values.
func (a *advice) refused() {
	if a.Refused == nil {
		return
	}
	var refused *pgconn.PgError
	if !errors.As(a.Refused, &refused) {
		if list := problem.From(a.Refused); list != nil {
			a.list = append(a.list, list...)
			return
		}
		a.tell(problem.Error, "plan-refused", "", nil, a.Refused.Error(), "")
		return
	}
	message, fix := "", ""
	if strings.HasPrefix(refused.Code, "42") {
		message = ": " + refused.Message
	}
	switch refused.Code {
	case "42501":
		fix = "GRANT the right to the role that Mortise connects as, or connect as the role that it works as"
	case "42P10":
		fix = "make a unique index of exactly these columns"
	}
	a.tell(problem.Error, "plan-refused", "", nil, fmt.Sprintf("the server cannot plan the query%s (SQLSTATE %s)", message, refused.Code), fix)
}

// scans tells of tables that are read as a whole.
func (a *advice) scans() {
	severity, matters := a.grade()
	if !matters {
		return
	}
	for _, p := range a.plans() {
		p.Walk(func(n *Node) {
			if n.Type != "Seq Scan" || n.Relation == "" {
				return
			}
			a.scan(severity, p, n)
		})
	}
}

func (a *advice) scan(severity problem.Severity, p *Plan, n *Node) {
	t := a.tables[n.QualifiedRelation()]
	if t == nil {
		return
	}
	unserved := !a.served(n)
	large := t.Rows > SmallTable
	by := strings.Join(Columns(n.Filter), ", ")
	switch {
	case unserved && n.Filter == "" && !large:
		return // all of a small table is wanted
	case unserved && n.Filter == "":
		a.tell(severity, "plan-seq-scan", n.Relation, n, fmt.Sprintf("reads all of %s, about %s rows, since the query names no condition that chooses among them", n.Relation, count(t.Rows)),
			"add a condition, or a LIMIT")
	case unserved:
		message := fmt.Sprintf("reads all of %s, about %s rows: no index serves its condition", n.Relation, count(t.Rows))
		if !large {
			message = fmt.Sprintf("reads all of %s, and no index serves its condition: that will be slow as soon as the table grows", n.Relation)
		}
		a.tell(severity, "plan-seq-scan", n.Relation, n, message, "an index that begins with a column compared for equality: "+suggestion(n.Relation, by))
	case large:
		when := "for " + a.caseOf(p) + " arguments"
		if p.Generic {
			when = "in the plan that does not depend on the arguments"
		}
		a.tell(severity, "plan-seq-scan", n.Relation, n, fmt.Sprintf("reads all of %s, about %s rows, %s, although an index could serve its condition", n.Relation, count(t.Rows), when),
			"the planner expects to need most of its pages; if that is right, an index over all columns that the query reads ("+by+" and those of the result), or a counter, would cost less")
	}
}

func suggestion(relation, columns string) string {
	if columns == "" {
		return "see which columns the condition compares"
	}
	return fmt.Sprintf("CREATE INDEX ON %s (%s), leaving out what is hardly selective or changes often", relation, columns)
}

// caseOf is the name of the sample that a plan is for.
func (r *Report) caseOf(p *Plan) string {
	for _, c := range r.Cases {
		if c.Custom == p || c.Generic == p {
			return c.Sample.Name
		}
	}
	return "these"
}

// served says whether an index finds the rows of the node's table when sequential scans are out of the
// question. An index that is read from one end to the other finds nothing.
func (r *Report) served(scan *Node) bool {
	found := false
	r.Indexed.Walk(func(n *Node) {
		if n.Relation != scan.Relation || n.Schema != scan.Schema || n.Alias != scan.Alias || n.Type == "ModifyTable" {
			return
		}
		switch {
		case n.Type == "Seq Scan":
		case n.IndexCond != "" || n.TidCond != "" || n.RecheckCond != "" || n.Filter == "":
			found = true
		}
	})
	return found
}

// flips tells of statements whose plan for the arguments and the one without are different, if that
// matters. The server makes a plan for the arguments five times; then it takes the other for good if
// its estimated cost is not higher than the average of those five, planning included (PostgreSQL's
// manual, PREPARE).
func (a *advice) flips() {
	severity, matters := a.grade()
	if !matters || a.Generic == nil || a.Generic.Root == nil {
		return
	}
	switches := a.switches()
	for _, c := range a.Cases {
		if c.Custom == nil || c.Custom.Root == nil || c.Custom.Shape() == a.Generic.Shape() {
			continue
		}
		if c.Custom.Analyzed && c.Generic != nil && c.Generic.Analyzed {
			a.flip(severity, c, switches)
			continue
		}
		custom, generic := c.Custom.Root.TotalCost, a.Generic.Root.TotalCost
		if generic > custom*CostlierBy || custom > generic*CostlierBy {
			a.tell(problem.Info, "plan-flip", "cost", nil, fmt.Sprintf("the plan for %s arguments (estimated cost %s) and the one that does not depend on them (%s) are different", c.Sample.Name, cost(custom), cost(generic)),
				"run it to see whether that matters")
		}
	}
}

func (a *advice) flip(severity problem.Severity, c *Case, switches bool) {
	custom, generic := c.Custom.ExecutionMS, c.Generic.ExecutionMS
	switch {
	case generic > custom*SlowerBy && generic-custom > SlowerByMS && switches:
		a.tell(severity, "plan-flip", "slower", nil, fmt.Sprintf("for %s arguments the plan that does not depend on them takes %s instead of %s, and the server will choose it after five calls", c.Sample.Name, milliseconds(generic), milliseconds(custom)),
			"set plan_cache_mode = force_custom_plan for the role, or write the query so that one plan is right for all arguments")
	case generic > custom*SlowerBy && generic-custom > SlowerByMS:
		a.tell(problem.Info, "plan-flip", "slower", nil, fmt.Sprintf("for %s arguments the plan that does not depend on them takes %s instead of %s; by its costs the server will not choose it, and will plan each call anew", c.Sample.Name, milliseconds(generic), milliseconds(custom)), "")
	case custom > generic*SlowerBy && custom-generic > SlowerByMS:
		a.tell(severity, "plan-flip", "faster", nil, fmt.Sprintf("for %s arguments the plan made for them takes %s, and the one that does not depend on them only %s", c.Sample.Name, milliseconds(custom), milliseconds(generic)),
			"set plan_cache_mode = force_generic_plan for the role, or help the planner's estimates: ANALYZE, CREATE STATISTICS")
	}
}

// switches says whether the server would come to use the generic plan, as far as the samples tell.
func (r *Report) switches() bool {
	sum, n := 0.0, 0.0
	for _, c := range r.Cases {
		if c.Custom != nil && c.Custom.Root != nil {
			sum, n = sum+c.Custom.Root.TotalCost, n+1
		}
	}
	// What planning costs in the server's eyes: 1000 times cpu_operator_cost for each table, and one
	// more (cached_plan_cost in plancache.c).
	planning := 1000 * 0.0025 * float64(len(r.uses.relations)+1)
	return n > 0 && r.Generic.Root.TotalCost < sum/n+planning
}

func count(rows float64) string {
	switch {
	case rows >= 1e6:
		return fmt.Sprintf("%.1f million", rows/1e6)
	case rows >= 10000:
		return fmt.Sprintf("%.0f 000", rows/1000)
	}
	return fmt.Sprintf("%.0f", rows)
}

func cost(c float64) string { return fmt.Sprintf("%.2f", c) }

func milliseconds(ms float64) string {
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 1:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.3f ms", ms)
}

// A touch is the tables that the plans read or write, and by which indexes.
type touch struct {
	tables map[string]*Table
	order  []string
	first  map[string]*Report // the first report that touches the table
	used   map[string]bool    // indexes by schema.name
}

func (s *Session) touched(ctx context.Context, reports []*Report) (*touch, error) {
	t := &touch{tables: map[string]*Table{}, first: map[string]*Report{}, used: map[string]bool{}}
	for _, r := range reports {
		for _, p := range r.plans() {
			if err := s.touch(ctx, t, r, p); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (s *Session) touch(ctx context.Context, t *touch, r *Report, p *Plan) error {
	var failed error
	p.Walk(func(n *Node) {
		if n.Index != "" {
			t.used[n.Index] = true
		}
		for _, index := range n.ConflictIndexes {
			t.used[index] = true
		}
		name := n.QualifiedRelation()
		if n.Relation == "" || t.tables[name] != nil || failed != nil {
			return
		}
		table, err := s.Table(ctx, n.Schema, n.Relation)
		if err != nil {
			failed = err
		}
		if err != nil || table == nil || strings.HasPrefix(table.Schema, "pg_") || table.Schema == "information_schema" {
			return
		}
		t.tables[name], t.first[name] = table, r
		t.order = append(t.order, name)
	})
	return failed
}

// statistics tells of tables that the planner knows nothing about.
func (t *touch) statistics() problem.List {
	var list problem.List
	for _, name := range t.order {
		table, r := t.tables[name], t.first[name]
		if !table.Unknown {
			continue
		}
		list = append(list, problem.Problem{Severity: problem.Warning, Rule: "table-statistics", Position: r.place(&Node{Relation: table.Name}), Key: r.Statement.Operation.Key,
			Message: fmt.Sprintf("table %s has rows and no statistics, so the planner guesses", table.QualifiedName()), Fix: "ANALYZE " + table.QualifiedName()})
	}
	return list
}

// indexes tells of those that no query uses. An index that keeps rows unique is of use in any case.
func (t *touch) indexes() problem.List {
	var list problem.List
	for _, name := range t.order {
		table, r := t.tables[name], t.first[name]
		for _, index := range table.Indexes {
			if index.Unique || t.used[index.Name] {
				continue
			}
			message := fmt.Sprintf("no query of this file uses the index %s of %s (%s)", index.Name, table.QualifiedName(), size(index.Bytes))
			fix := "each write of a row pays for it: drop it, if nothing else needs it"
			if index.Scans > 0 {
				fix = fmt.Sprintf("the server counts %d scans of it: other programs, functions or foreign keys may need it", index.Scans)
			}
			list = append(list, problem.Problem{Severity: problem.Info, Rule: "index-unused", Position: r.place(&Node{Relation: table.Name}), Key: r.Statement.Operation.Key, Message: message, Fix: fix})
		}
	}
	return slices.Clip(list)
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d kB", bytes>>10)
}
