package catalogue

import (
	"fmt"
	"slices"

	"github.com/mortise-storage/mortise/storage/problem"
)

// checkArrays reports a search in an array that its index cannot serve: GIN knows containment and not
// = ANY.
func (c *checker) checkArrays(r *reading) {
	for _, one := range r.compares {
		if !one.element || !one.bare || !one.column.array || one.operator != "=" {
			continue
		}
		t := one.use.table
		at := slices.IndexFunc(t.indexes, func(i *index) bool { return i.method == "gin" && slices.Contains(i.keys, one.column.number) })
		if at < 0 {
			continue
		}
		name := "value"
		if len(one.parameters) > 0 {
			name = "@" + one.parameters[0].Name
		}
		c.report(problem.Warning, ruleGinAny, r, one.at,
			fmt.Sprintf("%s = ANY (%s) does not use the index %s, which serves containment", name, quote(one.column.name), t.indexes[at].name),
			fmt.Sprintf("write %s @> ARRAY[%s]", quote(one.column.name), name))
	}
}

// checkLocking reports a queue whose order no index yields: then more rows are locked than are
// returned, and other workers skip those.
func (c *checker) checkLocking(r *reading) {
	for _, o := range r.orders {
		if at := slices.IndexFunc(o.uses, func(u *use) bool { return u.table.foreign() }); at >= 0 {
			c.report(problem.Warning, ruleForeign, r, o.at,
				fmt.Sprintf("%s is a foreign table: FOR UPDATE SKIP LOCKED locks all its matching rows there, and waits for them", o.uses[at].table),
				"let a worker on the other server take the rows")
			continue
		}
		if len(o.keys) == 0 || o.covered(r) {
			continue
		}
		t := o.keys[0].use.table
		if !t.stored() {
			continue
		}
		fix := "order by columns of one table, and create an index over them"
		if !o.other && o.ofOneTable() {
			fix = fmt.Sprintf("CREATE INDEX ON %s (%s);", t, o.definition(r))
		}
		c.report(problem.Warning, ruleSkipLocked, r, o.at, fmt.Sprintf("no index of %s yields this order, so more rows are locked than are returned and other workers pass them over", t), fix)
	}
}

func (o *order) ofOneTable() bool {
	return !slices.ContainsFunc(o.keys, func(k orderKey) bool { return k.use != o.keys[0].use })
}

// equalities are the columns of a table that the query fixes to one value.
func (r *reading) equalities(u *use) []string {
	var names []string
	for _, one := range r.compares {
		if one.use == u && one.operator == "=" && one.bare && one.holds && !one.joined && !slices.Contains(names, one.column.name) {
			names = append(names, one.column.name)
		}
	}
	return names
}

// covered says whether an index has the order, behind columns that are fixed.
func (o *order) covered(r *reading) bool {
	if o.other || !o.ofOneTable() {
		return false
	}
	u := o.keys[0].use
	fixed := r.equalities(u)
	return slices.ContainsFunc(u.table.indexes, func(i *index) bool { return i.method == "btree" && i.yields(u.table, o.keys, fixed) })
}

func (i *index) yields(t *table, keys []orderKey, fixed []string) bool {
	next, backwards := 0, false
	for at, number := range i.keys {
		if next == len(keys) {
			return true
		}
		c := t.numbered(number)
		if c == nil {
			return false
		}
		if c == keys[next].column {
			reversed := i.descending[at] != keys[next].descending
			if next > 0 && reversed != backwards {
				return false
			}
			backwards = reversed
			next++
			continue
		}
		if !slices.Contains(fixed, c.name) {
			return false
		}
	}
	return next == len(keys)
}

// definition is the column list of an index that would yield the order.
func (o *order) definition(r *reading) string {
	var columns []string
	for _, name := range r.equalities(o.keys[0].use) {
		columns = append(columns, quote(name))
	}
	for _, k := range o.keys {
		column := quote(k.column.name)
		if k.descending {
			column += " DESC"
		}
		if !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	return list(columns)
}

// checkRefresh reports REFRESH MATERIALIZED VIEW CONCURRENTLY that is bound to fail.
func (c *checker) checkRefresh(r *reading) {
	if r.refreshes == nil {
		return
	}
	t := r.refreshes.table
	if !slices.ContainsFunc(t.indexes, func(i *index) bool { return i.unique && i.plain() }) {
		c.report(problem.Warning, ruleRefresh, r, r.refreshes.at, fmt.Sprintf("%s has no unique index over its columns, without which it cannot be refreshed concurrently", t),
			fmt.Sprintf("CREATE UNIQUE INDEX ON %s (...);", t))
	}
}

// checkRelations tells what is special about the tables that a query uses: each thing once a table.
func (c *checker) checkRelations(r *reading) {
	for _, u := range r.uses {
		t := u.table
		if t.persistence == "u" && c.first(ruleUnlogged, t.oid) {
			if len(c.unlogged) == 0 {
				c.where = r.position(u.at)
			}
			c.unlogged = append(c.unlogged, u)
		}
		if t.foreign() && c.first(ruleForeign, t.oid) {
			c.report(problem.Info, ruleForeign, r, u.at, fmt.Sprintf("%s is a foreign table: each call asks another server, and a commit over both is not atomic", t), "")
		}
		if t.secured && c.first(ruleRowSecurity, t.oid) {
			c.secured(r, u)
		}
		c.checkPartitions(r, u)
	}
	if hot(r.op) {
		c.checkTriggers(r)
	}
}

func (c *checker) checkTriggers(r *reading) {
	for _, w := range r.writes {
		var all []string
		for _, one := range w.use.table.triggers {
			if one.fires(w) && c.first(ruleTriggers, w.use.table.oid, one.name) {
				all = append(all, fmt.Sprintf("%s (%s)", one.name, one.function))
			}
		}
		if all != nil && w.use.table.stored() {
			c.report(problem.Info, ruleTriggers, r, w.at, fmt.Sprintf("triggers of %s run as part of requests: %s", w.use.table, list(all)), "")
		}
	}
}

func (c *checker) secured(r *reading, u *use) {
	policies := "no policy, so every row is hidden"
	if u.table.policies != nil {
		policies = "the policies " + list(u.table.policies)
	}
	if u.table.filtered {
		c.report(problem.Warning, ruleRowSecurity, r, u.at, fmt.Sprintf("row level security hides rows of %s from the role %s, or refuses them: %s", u.table, c.server.role, policies),
			fmt.Sprintf("make sure that they let every row of this service pass, or ALTER ROLE %s BYPASSRLS;", quote(c.server.role)))
		return
	}
	c.report(problem.Info, ruleRowSecurity, r, u.at, fmt.Sprintf("row level security is on for %s, and does not apply to the role %s", u.table, c.server.role), "")
}

// checkPartitions reports a request that has to look into every partition.
func (c *checker) checkPartitions(r *reading, u *use) {
	t := u.table
	inserted := slices.ContainsFunc(r.writes, func(w *write) bool { return w.use == u && w.command == "INSERT" })
	if t.kind != "p" || inserted || !ofRequests(r.op) || len(t.partitionKey) == 0 {
		return
	}
	c0 := t.numbered(t.partitionKey[0])
	if c0 == nil {
		return // an expression
	}
	if slices.ContainsFunc(r.compares, func(one *compare) bool { return one.use == u && one.column == c0 && one.bare && one.holds }) {
		return
	}
	if c.first(rulePartitionKey, t.oid, r.op.Key) {
		c.report(problem.Info, rulePartitionKey, r, u.at, fmt.Sprintf("%s is partitioned by %s, which the query does not compare, so all partitions are searched", t, quote(c0.name)),
			"compare "+quote(c0.name)+" with a parameter")
	}
}

// reportUnlogged says once that tables have no write-ahead log.
func (c *checker) reportUnlogged() {
	if c.unlogged == nil {
		return
	}
	var names []string
	for _, u := range c.unlogged {
		names = append(names, u.table.String())
	}
	c.problems = append(c.problems, problem.Problem{Severity: problem.Info, Rule: ruleUnlogged, Position: c.where,
		Message: "unlogged: " + list(names) + "; faster to write, but empty after a crash of the server, and not there on standbys",
		Fix:     "if that must not happen: ALTER TABLE ... SET LOGGED;"})
}
