package explain

import (
	"fmt"
	"math"
	"strings"

	"github.com/mortise-storage/mortise/storage/problem"
)

// eachRun tells what the executions showed.
func (a *advice) eachRun() {
	for _, c := range a.Cases {
		for _, p := range []*Plan{c.Custom, c.Generic} {
			if p == nil || p.Root == nil {
				continue
			}
			a.jit(p)
			if !p.Analyzed {
				continue
			}
			limited := false
			p.Walk(func(n *Node) {
				limited = limited || n.Type == "Limit" || n.JoinType == "Semi" || n.JoinType == "Anti"
			})
			p.Walk(func(n *Node) {
				a.spill(n)
				a.filter(n)
				a.loops(p, n)
				if !p.Generic {
					a.estimate(n, limited)
				}
			})
			a.triggers(p)
			a.bound(p)
		}
	}
}

// spill tells of steps that did not fit into memory.
func (a *advice) spill(n *Node) {
	const fix = "raise work_mem for the role, or let an index give the order or fewer rows"
	switch {
	case n.SortSpaceType == "Disk":
		a.tell(problem.Warning, "plan-spill", "sort", nil, fmt.Sprintf("a sort by %s did not fit into memory and wrote %s to disk", strings.Join(columnsOf(n.SortKey), ", "), size(int64(n.SortSpaceKB)<<10)), fix)
	case n.HashBatches > 1:
		a.tell(problem.Warning, "plan-spill", "hash", nil, fmt.Sprintf("a hash join did not fit into memory and was split into %.0f batches on disk", n.HashBatches), fix)
	case n.AggBatches > 1 || n.DiskKB > 0:
		a.tell(problem.Warning, "plan-spill", "aggregate", nil, fmt.Sprintf("a grouping by %s did not fit into memory and wrote %s to disk", strings.Join(columnsOf(n.GroupKey), ", "), size(int64(n.DiskKB)<<10)), fix)
	case n.TempWritten > 0 && len(n.Children) == 0:
		a.tell(problem.Warning, "plan-spill", "temp", n, fmt.Sprintf("%s wrote %s of temporary files", n.Label(), size(int64(n.TempWritten)*8192)), fix)
	}
}

func columnsOf(keys []string) []string {
	var all []string
	for _, key := range keys {
		columns := Columns(key)
		if len(columns) == 0 {
			columns = []string{"an expression"}
		}
		all = append(all, columns...)
	}
	return all
}

// filter tells of indexes that find far more rows than are wanted. Sequential scans have a rule of
// their own.
func (a *advice) filter(n *Node) {
	severity, matters := a.grade()
	removed, kept := n.RowsRemoved*n.Loops, n.ActualRows*n.Loops
	if !matters || n.Relation == "" || n.Type == "Seq Scan" || removed < RemovedAtLeast || removed < kept*RemovedShare {
		return
	}
	by := strings.Join(Columns(n.Filter), ", ")
	a.tell(severity, "plan-filter", n.Relation, n, fmt.Sprintf("%s finds %s rows, of which the filter (%s) removes %s", n.Label(), count(removed+kept), by, count(removed)),
		"an index that holds these columns, too, or a partial one for the condition")
}

// loops tells of nested loops whose inner side runs very often.
func (a *advice) loops(p *Plan, n *Node) {
	severity, matters := a.grade()
	if !matters || n.Type != "Nested Loop" || len(n.Children) < 2 {
		return
	}
	inner := n.Children[1]
	if inner.Loops < ManyLoops || inner.Loops*inner.ActualMS < p.ExecutionMS*LargeShare {
		return
	}
	a.tell(severity, "plan-loops", inner.Label(), inner, fmt.Sprintf("a nested loop runs %s %s times, %s of %s", inner.Label(), count(inner.Loops), milliseconds(inner.Loops*inner.ActualMS), milliseconds(p.ExecutionMS)),
		"fewer rows on the outer side, by an index or an earlier LIMIT, or a join by equality that can be hashed")
}

// wrapper is the name under which the row bound's text reads what the operator's statement wrote; what
// the planner expects of that is no affair of the operator's.
const wrapper = "mortise_write"

// estimate tells of rows that the planner did not expect. Where a LIMIT or a semi-join stops early,
// fewer rows than expected mean nothing.
func (a *advice) estimate(n *Node, limited bool) {
	if n.Loops == 0 || n.PlanRows == 0 && n.ActualRows == 0 || n.Type == "ModifyTable" || n.Alias == wrapper {
		return
	}
	planned, actual := math.Max(n.PlanRows, 1), math.Max(n.ActualRows, 1)
	if math.Max(planned, actual) < MisestimatedAtLeast {
		return
	}
	if actual < planned*MisestimatedBy && (limited || planned < actual*MisestimatedBy) {
		return
	}
	a.tell(problem.Warning, "plan-estimate", n.Label(), n, fmt.Sprintf("%s gives %s rows, and the planner expects %s", n.Label(), count(actual), count(planned)),
		"ANALYZE the table; where columns depend on each other CREATE STATISTICS helps, and a function can be given ROWS")
}

// jit tells of just-in-time compilation that costs more than it brings.
func (a *advice) jit(p *Plan) {
	_, matters := a.grade()
	if p.JIT == nil || p.JIT.Functions == 0 {
		return
	}
	const fix = "set jit = off for the role, or raise jit_above_cost"
	switch {
	case p.Analyzed && p.JIT.MS > p.ExecutionMS*LargeShare:
		a.tell(problem.Warning, "plan-jit", "", nil, fmt.Sprintf("just-in-time compilation takes %s of %s", milliseconds(p.JIT.MS), milliseconds(p.ExecutionMS)), fix)
	case !p.Analyzed && matters:
		a.tell(problem.Info, "plan-jit", "", nil, fmt.Sprintf("the server compiles %d functions just in time, which takes some milliseconds in each call", p.JIT.Functions), fix)
	}
}

// triggers tells of triggers that take most of the time.
func (a *advice) triggers(p *Plan) {
	for _, t := range p.Triggers {
		if t.MS > p.ExecutionMS*LargeShare && t.MS > SlowerByMS {
			a.tell(problem.Info, "plan-trigger", t.Name, nil, fmt.Sprintf("the trigger %s takes %s of %s", t.Name, milliseconds(t.MS), milliseconds(p.ExecutionMS)), "")
		}
	}
}

// bound tells what it costs that the statement is sent inside another one, which counts its rows: all
// that does not happen in the statement itself.
func (a *advice) bound(p *Plan) {
	sent := a.Statement.Plan()
	if sent == nil || sent.SQL == a.Statement.Text() || len(p.Root.Children) == 0 {
		return
	}
	inner := 0.0
	for _, child := range p.Root.Children {
		child.walk(func(n *Node) {
			if n.Subplan == "CTE "+wrapper {
				inner = n.ActualMS
			}
		})
	}
	own := p.Root.ActualMS - inner
	if inner == 0 || own < BoundAtLeastMS || own < p.Root.ActualMS*BoundShare {
		return
	}
	a.tell(problem.Info, "row-bound-cost", "", nil, fmt.Sprintf("the bound on affected rows costs %s of %s", milliseconds(own), milliseconds(p.Root.ActualMS)),
		"where the query cannot hit more rows by its nature, "+a.Statement.Operation.SiblingKey("max_rows")+": 0 lifts the bound")
}
