package catalogue

import (
	"fmt"
	"slices"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// checkUpdates looks at columns that change with every call: an index over one of them has to be
// written each time, and with it all other indexes of the table, because the new version of the row
// cannot stay in its page unseen by indexes (a heap-only update, HOT).
func (c *checker) checkUpdates(r *reading) {
	if !ofRequests(r.op) {
		return
	}
	for _, w := range r.writes {
		t := w.use.table
		if t.kind != "r" && t.kind != "p" {
			continue
		}
		for _, set := range w.sets {
			if !set.churns(w.use) {
				continue
			}
			at := slices.IndexFunc(t.indexes, func(i *index) bool {
				return slices.Contains(i.depends, set.column.number) && !(i.method == "brin" && c.server.product == check.PostgreSQL && c.server.version >= 16)
			})
			switch {
			case at >= 0:
				c.churning(r, set, t.indexes[at])
			case hot(r.op) && t.kind == "r" && t.fillfactor == 100 && c.server.product == check.PostgreSQL && !churned(t, w) && c.first(ruleFillfactor, t.oid):
				c.report(problem.Info, ruleFillfactor, r, w.at, fmt.Sprintf("%s is updated at every request, and its pages keep no room for new versions of their rows", t),
					fmt.Sprintf("ALTER TABLE %s SET (fillfactor = 85); pages written from then on keep it", t))
			}
		}
	}
}

// churned says whether another column that the write changes each time is in an index: then room in the
// page is of no use.
func churned(t *table, w *write) bool {
	return slices.ContainsFunc(w.sets, func(set assignment) bool {
		return set.churns(w.use) && slices.ContainsFunc(t.indexes, func(i *index) bool { return slices.Contains(i.depends, set.column.number) })
	})
}

// churns says that the new value is another one at each call: a time, or the old one and something.
func (a assignment) churns(u *use) bool {
	if slices.ContainsFunc(a.parameters, func(p *parameter) bool { return p.Kind == operation.Time }) || a.increments(u) {
		return true
	}
	clock := false
	a.value.Walk(func(n *syntax.Node) bool {
		if n.Kind == "SQLValueFunction" {
			clock = true
		}
		if names := n.List("funcname"); len(names) > 0 {
			clock = clock || slices.Contains([]string{"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"}, names[len(names)-1].Text("sval"))
		}
		return !clock
	})
	return clock
}

func (c *checker) churning(r *reading, set assignment, i *index) {
	if !c.first(ruleChurningIndex, set.column.table.oid, i.name) {
		return
	}
	c.report(problem.Info, c.named(r, ruleChurningIndex), r, set.at,
		fmt.Sprintf("every refresh rewrites all indexes: %s has %s, which changes each time", i.name, quote(set.column.name)),
		fmt.Sprintf("if its readers can do without: DROP INDEX %s; and ALTER TABLE %s SET (fillfactor = 85);", quote(i.name), set.column.table))
}

// A counter is a column that calls add to.
type counter struct {
	reading *reading
	set     assignment
	write   *write
}

// checkCounters keeps the columns that calls add to.
func (c *checker) checkCounters(r *reading) {
	if r.op.Spec.GetHeat() == annotation.Heat_BACKGROUND {
		return
	}
	for _, w := range r.writes {
		for _, set := range w.sets {
			if set.increments(w.use) && c.first(ruleCounterWidth, set.column) {
				c.counters = append(c.counters, &counter{reading: r, set: set, write: w})
			}
		}
	}
}

// reportCounters reports counters that end too early.
func (c *checker) reportCounters() {
	for _, k := range c.counters {
		limit := integerLimit(k.set.column.oid)
		if c.trackerCounter(k, limit) || limit == 0 {
			continue
		}
		c.report(problem.Info, ruleCounterWidth, k.reading, k.set.at,
			fmt.Sprintf("%s is %s: at %d the next call fails", k.set.column, k.set.column.typeName, limit),
			fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE bigint;", k.set.column.table, quote(k.set.column.name)))
	}
}

// removed says whether any of the queries deletes rows of the table.
func (c *checker) removed(t *table) bool {
	return slices.ContainsFunc(c.readings, func(r *reading) bool {
		return slices.ContainsFunc(r.writes, func(w *write) bool { return w.command == "DELETE" && w.use.table == t })
	})
}
