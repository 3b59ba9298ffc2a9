package catalogue

import (
	"slices"

	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// A scope is the relations whose columns can be named at a place of a query.
type scope struct {
	outer *scope
	items []item
	// names are those of WITH queries.
	names []string
}

// An item is a relation, sub-select, function or WITH query in FROM; use is nil unless it is a
// relation of the database.
type item struct {
	alias string
	use   *use
}

func (s *scope) tables() []*use {
	var uses []*use
	for _, i := range s.items {
		if i.use != nil {
			uses = append(uses, i.use)
		}
	}
	return uses
}

// named says whether a WITH query with this name hides a table.
func (s *scope) named(name string) bool {
	for ; s != nil; s = s.outer {
		if slices.Contains(s.names, name) {
			return true
		}
	}
	return false
}

// resolve finds the relation and column that a ColumnRef means; nil if it is something else, or not to
// be told.
func (s *scope) resolve(n *syntax.Node) (*use, *column) {
	if n == nil || n.Kind != "ColumnRef" {
		return nil, nil
	}
	var words []string
	for _, field := range n.List("fields") {
		if field.Kind != "String" {
			return nil, nil
		}
		words = append(words, field.Text("sval"))
	}
	switch len(words) {
	case 1:
		return s.unqualified(words[0])
	case 2:
		return s.qualified(words[0], words[1])
	}
	return nil, nil
}

func (s *scope) qualified(alias, name string) (*use, *column) {
	for ; s != nil; s = s.outer {
		for _, i := range s.items {
			if i.alias != alias {
				continue
			}
			if i.use == nil {
				return nil, nil
			}
			return i.use, i.use.table.column(name)
		}
	}
	return nil, nil
}

// unqualified looks for the innermost relation with such a column. The server refuses a name that
// several have, so the first is the only one, unless it is the column of something unknown.
func (s *scope) unqualified(name string) (*use, *column) {
	for ; s != nil; s = s.outer {
		unknown := false
		for _, i := range s.items {
			if i.use == nil {
				unknown = true
			} else if c := i.use.table.column(name); c != nil {
				return i.use, c
			}
		}
		if unknown {
			return nil, nil
		}
	}
	return nil, nil
}

// from reads a FROM list into a scope.
func (r *reader) from(list []*syntax.Node, s *scope) {
	for _, n := range list {
		r.fromItem(n, s)
	}
}

func (r *reader) fromItem(n *syntax.Node, s *scope) {
	switch n.Kind {
	case "RangeVar":
		name := n.Text("relname")
		if n.Text("schemaname") == "" && s.named(name) {
			r.add(n, nil, s)
			return
		}
		r.add(n, r.schema.lookup(n.Text("schemaname"), name), s)
	case "JoinExpr":
		r.join(n, s)
	case "RangeSubselect":
		outer := s.outer
		if n.Is("lateral") {
			outer = s
		}
		r.statementIn(n.Child("subquery"), &scope{outer: outer, names: s.names})
		s.items = append(s.items, item{alias: n.Child("alias").Text("aliasname")})
	default: // functions
		r.expression(n, s, false)
		s.items = append(s.items, item{alias: n.Child("alias").Text("aliasname")})
	}
}

func (r *reader) join(n *syntax.Node, s *scope) {
	before := len(r.uses)
	r.fromItem(n.Child("larg"), s)
	between := len(r.uses)
	r.fromItem(n.Child("rarg"), s)
	left, right := r.uses[before:between], r.uses[between:]
	switch n.Text("jointype") {
	case "JOIN_LEFT":
		left = nil
	case "JOIN_RIGHT":
		right = nil
	case "JOIN_INNER":
		left, right = nil, nil
	}
	for _, u := range slices.Concat(left, right) {
		u.optional = true
	}
	for _, name := range n.List("usingClause") {
		r.joinedBy(name.Text("sval"), r.uses[before:])
	}
	r.expression(n.Child("quals"), s, true)
}

// joinedBy notes USING (name).
func (r *reader) joinedBy(name string, uses []*use) {
	for _, u := range uses {
		if c := u.table.column(name); c != nil {
			r.compares = append(r.compares, &compare{use: u, column: c, operator: "=", joined: true, bare: true, holds: true, at: u.at})
		}
	}
}
