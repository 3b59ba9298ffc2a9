package catalogue

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/problem"
)

// A lookup is columns of a table that no index serves, with the operations that want it.
type lookup struct {
	reading *reading
	table   *table
	at      int
	rule    string
	columns []string
	message string
	fix     string
	also    []string
}

// checkScans reports tables that a request has to read as a whole, although it looks for a key: in the
// plan with sequential scans ruled out, those that are left have no index to go by. A small table makes
// no difference to that plan, so the rule holds before there are rows.
//
// A query that leaves out a parameter of the row's identity is not looked at: that is reported already, and
// an index for what is left would serve the mistake.
func (c *checker) checkScans(r *reading) {
	incomplete := slices.ContainsFunc(r.op.Parameters, func(p *parameter) bool { return p.Identity() && !r.statement.Uses(p.Name) })
	if !ofRequests(r.op) || incomplete {
		return
	}
	r.plan.Walk(func(n *explain.Node) {
		if n.Relation == "" || !strings.HasSuffix(n.Type, "Scan") {
			return
		}
		t := c.schema.planned(n.Schema, n.Relation)
		if t == nil || !t.stored() || c.fixed(t) {
			return // hidden in a view or function, or not worth an index
		}
		identifying, others := r.wanted(t, n.Alias)
		if identifying == nil {
			return
		}
		wanted := slices.Concat(identifying, others)
		switch condition, indexes := conditions(n); {
		case n.Type == "Tid Scan":
		case condition == "", t.readsAll(n):
			c.lacks(r, t, wanted)
		case !slices.ContainsFunc(identifying, func(w *compare) bool { return names(condition, w.column.name) }):
			c.lacksIn(r, t, wanted, indexes)
		}
	})
}

// readsAll says that a node goes through all of a btree, because its condition is not on the first
// column; for a bitmap, that all indexes in it are read so.
func (t *table) readsAll(n *explain.Node) bool {
	if n.Index == "" {
		return len(n.Children) > 0 && strings.HasPrefix(n.Type, "Bitmap") && !slices.ContainsFunc(n.Children, func(child *explain.Node) bool { return !t.readsAll(child) })
	}
	at := slices.IndexFunc(t.indexes, func(i *index) bool { return i.name == n.Index && i.method == "btree" })
	if at < 0 {
		return false
	}
	first := t.numbered(t.indexes[at].keys[0])
	return first != nil && !names(n.IndexCond, first.name)
}

// conditions returns by what a node finds its rows: its own condition on an index, and those of the
// bitmaps below it.
func conditions(n *explain.Node) (condition, indexes string) {
	condition, indexes = n.IndexCond+n.TidCond, n.Index
	if n.Type != "Bitmap Heap Scan" {
		return condition, indexes
	}
	for _, child := range n.Children {
		more, index := conditions(child)
		for _, below := range child.Children { // BitmapAnd, BitmapOr
			further, other := conditions(below)
			more, index = more+further, index+other
		}
		condition, indexes = condition+more, indexes+index
	}
	return condition, indexes
}

// names says whether an expression of a plan names a column.
func names(expression, column string) bool {
	return regexp.MustCompile(`(^|[^A-Za-z0-9_])` + regexp.QuoteMeta(column) + `([^A-Za-z0-9_]|$)`).MatchString(expression)
}

// wanted returns the conditions by which rows of the table could be found: equality with parameters
// that choose rows, or with columns of what was found by those. The others are further equalities, which an
// index may have as well.
func (r *reading) wanted(t *table, alias string) (identifying, others []*compare) {
	chosen := slices.ContainsFunc(r.op.Parameters, func(p *parameter) bool { return p.Identity() && r.statement.Uses(p.Name) })
	for _, w := range r.compares {
		if w.use.table != t || w.operator != "=" || !w.holds || w.element || alias != w.use.alias && !strings.HasPrefix(alias, w.use.alias+"_") {
			continue
		}
		switch {
		case identity(w.parameters) || w.joined && chosen:
			identifying = append(identifying, w)
		case w.bare:
			others = append(others, w)
		}
	}
	return identifying, others
}

// fixed says that a table is small and written by none of the queries.
func (c *checker) fixed(t *table) bool {
	const pages, rows = 8, 500
	if t.rows <= 0 || t.rows > rows || t.pages > pages {
		return false
	}
	for _, r := range c.readings {
		for _, w := range r.writes {
			if w.use.table == t {
				return false
			}
		}
	}
	return true
}

func (c *checker) lacks(r *reading, t *table, wanted []*compare) {
	columns, wrapped := columnsOf(wanted)
	l := &lookup{reading: r, table: t, at: wanted[0].at, rule: ruleMissingIndex, columns: columns}
	if columns == nil {
		l.columns = []string{wrapped}
		l.message = fmt.Sprintf("reads all of %s, because %s is compared within an expression, which an index on the column does not serve", t, quote(wrapped))
		l.fix = "compare the column itself with a parameter, or create an index on the expression"
	} else {
		l.message = fmt.Sprintf("reads all of %s, because no index finds rows by %s", t, quote(columns[0]))
		l.fix = fmt.Sprintf("CREATE INDEX ON %s (%s);", t, quoteAll(columns))
	}
	c.want(l)
}

func (c *checker) lacksIn(r *reading, t *table, wanted []*compare, index string) {
	columns, wrapped := columnsOf(wanted)
	if columns == nil {
		columns = []string{wrapped}
	}
	c.want(&lookup{reading: r, table: t, at: wanted[0].at, rule: ruleIndexWithoutIdentity, columns: columns,
		message: fmt.Sprintf("the index %s is searched, but not by %s, so rows of others are read and thrown away", index, quote(columns[0])),
		fix:     fmt.Sprintf("CREATE INDEX ON %s (%s);", t, quoteAll(columns))})
}

// columnsOf returns the columns that an index could have, and the first that is within an expression.
func columnsOf(wanted []*compare) (columns []string, wrapped string) {
	for _, w := range wanted {
		switch {
		case !w.bare && wrapped == "":
			wrapped = w.column.name
		case w.bare && !slices.Contains(columns, w.column.name):
			columns = append(columns, w.column.name)
		}
	}
	return columns, wrapped
}

// want keeps a lookup. What several operations lack is reported once, with all of them; an index that
// begins with the same column serves them all.
func (c *checker) want(l *lookup) {
	key := fmt.Sprintln(l.rule, l.table.oid, l.columns[0])
	known := c.lookups[key]
	if known == nil {
		c.lookups[key] = l
		c.order = append(c.order, l)
		return
	}
	if hot(l.reading.op) && !hot(known.reading.op) {
		known.reading, l.reading, known.at = l.reading, known.reading, l.at
		known.columns, known.message, known.fix = l.columns, l.message, l.fix
	}
	if other := l.reading.op.Key; other != known.reading.op.Key && !slices.Contains(known.also, other) {
		known.also = append(known.also, other)
	}
}

func (c *checker) reportLookups() {
	for _, l := range c.order {
		how := "a call"
		if hot(l.reading.op) {
			how = "every request"
		}
		message := l.message
		if l.rule == ruleMissingIndex {
			message = how + " " + message
		}
		if l.also != nil {
			message += "; so do " + list(l.also)
		}
		c.report(problem.Warning, l.rule, l.reading, l.at, message, l.fix)
	}
}
