package catalogue

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// A reading is what one query does with which tables, as far as its text and the catalogue tell.
type reading struct {
	statement *query.Statement
	op        *operation.Operation
	uses      []*use
	compares  []*compare
	writes    []*write
	orders    []*order
	functions []function
	// refreshes is the materialised view of REFRESH MATERIALIZED VIEW CONCURRENTLY.
	refreshes *use
	// results are the places of the result's columns, in order; nil where * hides them.
	results []int
	// plan is what the planner makes of it with sequential scans ruled out, refused its refusal.
	plan    *explain.Plan
	refused *pgconn.PgError
}

// A use is one mention of a relation in FROM, or as the target of a write.
type use struct {
	table *table
	alias string
	// optional says that an outer join can leave out its row, so that its columns are NULL.
	optional bool
	written  bool
	at       int
}

// A compare is a condition on a column.
type compare struct {
	use    *use
	column *column
	// operator is the operator's name; "= ANY" and "IN" are "=".
	operator string
	// parameters are those in the other side.
	parameters []*operation.Parameter
	// direct says that the other side is a parameter itself, with a cast at most.
	direct bool
	// joined says that the other side has columns, or comes out of a sub-select.
	joined bool
	// bare says that it is the column itself and not an expression over it.
	bare bool
	// holds says that every row that is found fulfils the condition: it is joined by AND alone.
	holds bool
	// element says that the column is the array of = ANY (array).
	element bool
	at      int
}

// A write is an INSERT, UPDATE, DELETE or a part of a MERGE.
type write struct {
	command string
	use     *use
	inserts []assignment
	sets    []assignment
	// conflict is ON CONFLICT; nil without.
	conflict *conflict
	at       int
}

// An assignment is a column and the value that it gets.
type assignment struct {
	column *column
	value  *syntax.Node
	// parameter is set if the value is a parameter and nothing else but a cast.
	parameter *operation.Parameter
	// parameters are all in the value.
	parameters []*operation.Parameter
	at         int
}

type conflict struct {
	update bool
	// columns is the target; expression says that it is, or has, something else.
	columns    []string
	expression bool
	constraint string
	at         int
}

// An order is a SELECT with ORDER BY columns and FOR UPDATE SKIP LOCKED.
type order struct {
	uses []*use
	keys []orderKey
	// other says that it is also ordered by something that is no column of a table.
	other      bool
	skipLocked bool
	at         int
}

type orderKey struct {
	use        *use
	column     *column
	descending bool
}

type function struct{ schema, name string }

// position leads from an offset in the positional text to the operator's file.
func (r *reading) position(at int) problem.Position { return r.statement.At(at) }

// identity says whether any of the parameters chooses the rows that are meant.
func identity(parameters []*operation.Parameter) bool {
	return slices.ContainsFunc(parameters, (*operation.Parameter).Identity)
}

// relations lists the relations that a query names, in the form that to_regclass wants.
func relations(tree *syntax.Node) []string {
	var names []string
	tree.Walk(func(n *syntax.Node) bool {
		if n.Text("relname") != "" {
			names = append(names, reference(n.Text("schemaname"), n.Text("relname")))
		}
		return true
	})
	return names
}

// A reader walks a parse tree.
type reader struct {
	*reading
	schema *schema
}

// read takes a query's parse tree apart.
func read(statement *query.Statement, tree *syntax.Node, s *schema) *reading {
	r := &reader{reading: &reading{statement: statement, op: statement.Operation}, schema: s}
	r.statementIn(tree, nil)
	r.results = results(tree)
	return r.reading
}

// statementIn reads a statement, on its own or within another.
func (r *reader) statementIn(n *syntax.Node, outer *scope) {
	switch {
	case n == nil:
	case n.Kind == "InsertStmt":
		r.insert(n, r.with(n, outer))
	case n.Kind == "UpdateStmt":
		r.update(n, r.with(n, outer))
	case n.Kind == "DeleteStmt":
		r.delete(n, r.with(n, outer))
	case n.Kind == "MergeStmt":
		r.merge(n, r.with(n, outer))
	case n.Kind == "RefreshMatViewStmt":
		if n.Is("concurrent") {
			r.refreshes = r.target(n, r.with(n, outer))
		}
	case n.Kind == "SelectStmt", n.Has("targetList"), n.Has("valuesLists"), n.Has("larg"):
		r.selection(n, outer)
	default: // CALL, DO and the like name functions at most
		r.expression(n, &scope{outer: outer}, false)
	}
}

// with reads WITH queries and returns a scope in which their names are known.
func (r *reader) with(n *syntax.Node, outer *scope) *scope {
	s := &scope{outer: outer}
	for _, cte := range n.Child("withClause").List("ctes") {
		s.names = append(s.names, cte.Text("ctename"))
	}
	for _, cte := range n.Child("withClause").List("ctes") {
		r.statementIn(cte.Child("ctequery"), s)
	}
	return s
}

func (r *reader) selection(n *syntax.Node, outer *scope) {
	s := r.with(n, outer)
	if n.Has("larg") {
		r.statementIn(n.Child("larg"), s)
		r.statementIn(n.Child("rarg"), s)
		return
	}
	r.from(n.List("fromClause"), s)
	for _, target := range n.List("targetList") {
		r.expression(target.Child("val"), s, false)
	}
	for _, row := range n.List("valuesLists") {
		for _, value := range row.List("items") {
			r.expression(value, s, false)
		}
	}
	r.expression(n.Child("whereClause"), s, true)
	r.expression(n.Child("havingClause"), s, false)
	r.expression(n.Child("limitCount"), s, false)
	r.order(n, s)
}

func (r *reader) order(n *syntax.Node, s *scope) {
	o := &order{uses: s.tables()}
	for _, locking := range n.List("lockingClause") {
		o.skipLocked = o.skipLocked || locking.Text("waitPolicy") == "LockWaitSkip"
	}
	for i, by := range n.List("sortClause") {
		node := by.Child("node")
		if at, ok := node.Location(); ok && i == 0 {
			o.at = at
		}
		if u, c := s.resolve(node); c != nil {
			o.keys = append(o.keys, orderKey{use: u, column: c, descending: by.Text("sortby_dir") == "SORTBY_DESC"})
			continue
		}
		o.other = true
		r.expression(node, s, false)
	}
	if o.at == 0 && len(o.uses) > 0 {
		o.at = o.uses[0].at
	}
	if o.skipLocked {
		r.orders = append(r.orders, o)
	}
}

// target adds the relation that a statement changes to its scope; nil if it is not known.
func (r *reader) target(n *syntax.Node, s *scope) *use {
	relation := n.Child("relation")
	found := r.schema.lookup(relation.Text("schemaname"), relation.Text("relname"))
	u := r.add(relation, found, s)
	if u != nil {
		u.written = true
	}
	return u
}

func (r *reader) add(relation *syntax.Node, t *table, s *scope) *use {
	alias := relation.Child("alias").Text("aliasname")
	if alias == "" {
		alias = relation.Text("relname")
	}
	if t == nil {
		s.items = append(s.items, item{alias: alias})
		return nil
	}
	at, _ := relation.Location()
	u := &use{table: t, alias: alias, at: at}
	r.uses = append(r.uses, u)
	s.items = append(s.items, item{alias: alias, use: u})
	return u
}

// parameters returns the parameters below a node, and the only one if the node is one with a cast at
// most.
func (r *reader) parameters(n *syntax.Node) (direct *operation.Parameter, all []*operation.Parameter) {
	bare := n
	for bare != nil && bare.Kind == "TypeCast" {
		bare = bare.Child("arg")
	}
	if bare != nil && bare.Kind == "ParamRef" {
		direct = r.parameter(bare)
	}
	n.Walk(func(n *syntax.Node) bool {
		if n.Kind == "ParamRef" {
			if p := r.parameter(n); p != nil && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
		return true
	})
	return direct, all
}

func (r *reader) parameter(n *syntax.Node) *operation.Parameter {
	names := r.statement.Arguments()
	if number := n.Number("number"); number >= 1 && number <= len(names) {
		return r.op.Parameter(names[number-1])
	}
	return nil
}

// place is where a node begins in the text; a cast's own place is its colons.
func place(n *syntax.Node, otherwise int) int {
	least, found := 0, false
	n.Walk(func(n *syntax.Node) bool {
		if at, ok := n.Location(); ok && (!found || at < least) {
			least, found = at, true
		}
		return true
	})
	if !found {
		return otherwise
	}
	return least
}

// results are the places of what a statement selects or returns.
func results(tree *syntax.Node) []int {
	targets := tree.List("targetList")
	if tree.Kind != "SelectStmt" {
		targets = tree.List("returningList")
	}
	var places []int
	for _, target := range targets {
		if contains(target, "A_Star") {
			return nil
		}
		at, _ := target.Location()
		places = append(places, at)
	}
	return places
}
