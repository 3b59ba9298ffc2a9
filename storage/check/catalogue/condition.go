package catalogue

import (
	"slices"

	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// expression reads what is compared, called and selected within an expression. holds says that the
// expression must be true for a row to be found.
func (r *reader) expression(n *syntax.Node, s *scope, holds bool) {
	if n == nil {
		return
	}
	switch n.Kind {
	case "BoolExpr":
		for _, arg := range n.List("args") {
			r.expression(arg, s, holds && n.Text("boolop") == "AND_EXPR")
		}
		return
	case "A_Expr":
		r.comparison(n, s, holds)
	case "NullTest":
		if u, c := s.resolve(n.Child("arg")); c != nil && n.Text("nulltesttype") == "IS_NOT_NULL" {
			at, _ := n.Child("arg").Location()
			r.compares = append(r.compares, &compare{use: u, column: c, operator: "IS NOT NULL", bare: true, holds: holds, at: at})
		}
	case "SubLink":
		if n.Text("subLinkType") == "ANY_SUBLINK" {
			r.sides(n.Child("testexpr"), n.Child("subselect"), s, &compare{operator: "=", holds: holds})
		}
		r.statementIn(n.Child("subselect"), s)
		r.expression(n.Child("testexpr"), s, false)
		return
	case "FuncCall":
		r.call(n)
	case "SelectStmt":
		r.selection(n, s)
		return
	}
	n.Walk(func(below *syntax.Node) bool {
		if below == n {
			return true
		}
		switch below.Kind {
		case "A_Expr", "BoolExpr", "NullTest", "SubLink", "FuncCall", "SelectStmt":
			r.expression(below, s, false)
			return false
		}
		return true
	})
}

func (r *reader) call(n *syntax.Node) {
	var words []string
	for _, word := range n.List("funcname") {
		words = append(words, word.Text("sval"))
	}
	if len(words) == 0 {
		return
	}
	f := function{name: words[len(words)-1]}
	if len(words) > 1 {
		f.schema = words[len(words)-2]
	}
	if !slices.Contains(r.functions, f) {
		r.functions = append(r.functions, f)
	}
}

// comparison reads left operator right.
func (r *reader) comparison(n *syntax.Node, s *scope, holds bool) {
	names := n.List("name")
	if len(names) == 0 {
		return
	}
	template := &compare{operator: names[len(names)-1].Text("sval"), holds: holds}
	left, right := n.Child("lexpr"), n.Child("rexpr")
	switch n.Text("kind") {
	case "AEXPR_OP":
		if kind(left) == "RowExpr" && kind(right) == "RowExpr" {
			r.rows(left.List("args"), right.List("args"), s, template)
			return
		}
		r.sides(left, right, s, template)
		r.sides(right, left, s, template)
	case "AEXPR_IN", "AEXPR_BETWEEN":
		r.sides(left, right, s, template)
	case "AEXPR_OP_ANY":
		r.sides(left, right, s, template)
		element := *template
		element.element = true
		r.sides(right, left, s, &element)
	}
}

// rows pairs the members of two rows. For an inequality only the first members are bounds.
func (r *reader) rows(left, right []*syntax.Node, s *scope, template *compare) {
	for i := range min(len(left), len(right)) {
		one := *template
		one.holds = one.holds && (one.operator == "=" || i == 0)
		r.sides(left[i], right[i], s, &one)
		r.sides(right[i], left[i], s, &one)
	}
}

// sides notes a compare for each column in side; what stands in the other side says to what.
func (r *reader) sides(side, other *syntax.Node, s *scope, template *compare) {
	if side == nil {
		return
	}
	if side.Kind == "RowExpr" {
		for _, member := range side.List("args") {
			r.sides(member, other, s, template)
		}
		return
	}
	direct, parameters := r.parameters(other)
	joined := contains(other, "ColumnRef") || contains(other, "SelectStmt") || contains(other, "SubLink")
	side.Walk(func(n *syntax.Node) bool {
		if n.Kind == "SubLink" {
			return false
		}
		u, c := s.resolve(n)
		if c == nil {
			return true
		}
		one := *template
		one.use, one.column, one.parameters, one.direct = u, c, parameters, direct != nil
		one.joined, one.bare = joined, n == side
		one.at, _ = n.Location()
		r.compares = append(r.compares, &one)
		return true
	})
}

func contains(n *syntax.Node, kind string) bool {
	found := false
	n.Walk(func(below *syntax.Node) bool {
		found = found || below.Kind == kind
		return !found
	})
	return found
}

func kind(n *syntax.Node) string {
	if n == nil {
		return ""
	}
	return n.Kind
}
