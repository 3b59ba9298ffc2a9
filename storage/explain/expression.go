package explain

import (
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// expression finds the comparisons in an expression, and the queries inside of it.
func (r *reader) expression(n *syntax.Node, sc *scope) {
	n.Walk(func(n *syntax.Node) bool {
		switch n.Kind {
		case "SelectStmt":
			r.statement(n, sc)
			return false
		case "SubLink":
			r.subLink(n, sc)
		case "A_Expr":
			r.comparison(n, sc)
		}
		return true
	})
}

// subLink reads x IN (SELECT ..) and x = ANY (SELECT ..).
func (r *reader) subLink(n *syntax.Node, sc *scope) {
	if n.Text("subLinkType") != "ANY_SUBLINK" || !n.Has("testexpr") {
		return
	}
	inner := &reader{text: r.text, columns: r.columns, uses: &uses{limits: map[int]bool{}}} // it is walked once more
	if outputs := inner.statement(n.Child("subselect"), sc); len(outputs) == 1 {
		r.meet(r.operand(n.Child("testexpr"), sc), outputs[0].from, equal)
	}
}

func (r *reader) comparison(n *syntax.Node, sc *scope) {
	left, right := n.Child("lexpr"), n.Child("rexpr")
	how, ok := r.how(n)
	if !ok || left == nil || right == nil {
		return
	}
	switch n.Text("kind") {
	case "AEXPR_OP", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_LIKE", "AEXPR_ILIKE":
		if left.Kind == "RowExpr" && right.Kind == "RowExpr" {
			r.rows(left.List("args"), right.List("args"), how, sc)
			return
		}
		a, b := r.operand(left, sc), r.operand(right, sc)
		if a == (source{}) && b.parameter > 0 {
			a = r.computed(n, left, sc)
		}
		if overlaps(n) {
			a.whole, b.whole = a.relation != nil, b.relation != nil
		}
		r.meet(a, b, how)
	case "AEXPR_OP_ANY", "AEXPR_OP_ALL":
		a, b := r.operand(left, sc), r.operand(right, sc)
		if a.parameter > 0 {
			b.array = true
		}
		r.meet(a, b, how)
	case "AEXPR_IN":
		for _, one := range items(right) {
			r.meet(r.operand(left, sc), r.operand(one, sc), how)
		}
	case "AEXPR_BETWEEN", "AEXPR_BETWEEN_SYM":
		for _, one := range items(right) {
			r.meet(r.operand(left, sc), r.operand(one, sc), ranged)
		}
	}
}

// overlaps says that an operator compares arrays (or JSON) as a whole.
func overlaps(n *syntax.Node) bool {
	names := n.List("name")
	switch names[len(names)-1].Text("sval") {
	case "&&", "@>", "<@":
		return true
	}
	return false
}

func (r *reader) rows(left, right []*syntax.Node, how use, sc *scope) {
	for i := range min(len(left), len(right)) {
		r.meet(r.operand(left[i], sc), r.operand(right[i], sc), how)
	}
}

func items(n *syntax.Node) []*syntax.Node {
	if n == nil {
		return nil
	}
	return n.List("items")
}

// how says what an operator compares for, and whether it does at all.
func (r *reader) how(n *syntax.Node) (use, bool) {
	names := n.List("name")
	if len(names) == 0 {
		return equal, true
	}
	switch names[len(names)-1].Text("sval") {
	case "=", "&&", "@>", "<@", "~~", "~~*", "?", "?|", "?&":
		return equal, true
	case "BETWEEN", "BETWEEN SYMMETRIC", "<", ">", "<=", ">=":
		return ranged, true
	}
	return 0, false
}

// meet notes that two operands are compared.
func (r *reader) meet(a, b source, how use) {
	switch {
	case a.parameter > 0 && b.relation != nil:
		r.uses.bindings = append(r.uses.bindings, binding{parameter: a.parameter, from: b, use: how})
	case b.parameter > 0 && a.relation != nil:
		r.uses.bindings = append(r.uses.bindings, binding{parameter: b.parameter, from: a, use: how})
	case how == equal && a.relation != nil && b.relation != nil && a.relation != b.relation && a.column != "" && b.column != "":
		r.uses.links = append(r.uses.links, link{a, b})
	}
}

// operand returns where an operand's value comes from, looking through casts and the like.
func (r *reader) operand(n *syntax.Node, sc *scope) source {
	if n == nil {
		return source{}
	}
	switch n.Kind {
	case "ParamRef":
		return source{parameter: n.Number("number")}
	case "ColumnRef":
		return sc.resolve(n)
	case "TypeCast", "CollateClause":
		return r.operand(n.Child("arg"), sc)
	case "CoalesceExpr":
		return r.first(n.List("args"), sc)
	case "FuncCall":
		// lower(@x): what the parameter is compared with fits it, whatever the function makes of both.
		if arguments := n.List("args"); len(arguments) == 1 || functionName(n) == "nullif" {
			if from := r.operand(arguments[0], sc); from.parameter > 0 {
				return from
			}
		}
	case "SubLink":
		if kind := n.Text("subLinkType"); kind == "EXPR_SUBLINK" || kind == "ARRAY_SUBLINK" {
			inner := &reader{text: r.text, columns: r.columns, uses: &uses{limits: map[int]bool{}}}
			if outputs := inner.statement(n.Child("subselect"), sc); len(outputs) == 1 {
				return outputs[0].from
			}
		}
	}
	return source{}
}

// first returns the parameter among the arguments of COALESCE, or else the first column.
func (r *reader) first(arguments []*syntax.Node, sc *scope) source {
	var found source
	for _, one := range arguments {
		from := r.operand(one, sc)
		if from.parameter > 0 {
			return from
		}
		if found == (source{}) {
			found = from
		}
	}
	return found
}

// computed makes a source of an expression on the left of an operator, if all its columns belong to one
// table: family(p.ip) = 6 in (family(p.ip) = 6) = @is_v6.
func (r *reader) computed(operator, left *syntax.Node, sc *scope) source {
	at, known := operator.Location()
	if !known || at > len(r.text) {
		return source{}
	}
	var rel *relation
	start, usable := at, true
	left.Walk(func(n *syntax.Node) bool {
		switch n.Kind {
		case "SubLink", "ParamRef":
			usable = false
		case "ColumnRef":
			from := sc.resolve(n)
			usable = usable && from.relation != nil && (rel == nil || rel == from.relation)
			rel = from.relation
		case "FuncCall":
			usable = usable && !n.Is("agg_star") && !n.Has("over") && !n.Has("agg_filter")
		}
		if offset, known := n.Location(); known {
			start = min(start, offset)
		}
		return true
	})
	if !usable || rel == nil {
		return source{}
	}
	text, ok := balanced(r.text[start:at])
	if !ok {
		return source{}
	}
	return source{relation: rel, expression: text}
}

// balanced adds the parentheses that were opened before the text.
func balanced(text string) (string, bool) {
	tokens, err := sqltext.Tokenize(text)
	if err != nil {
		return "", false
	}
	depth, missing := 0, 0
	for _, t := range tokens {
		switch t.Text(text) {
		case "(":
			depth++
		case ")":
			if depth--; depth < 0 {
				missing, depth = missing+1, 0
			}
		}
	}
	return strings.Repeat("(", missing) + strings.TrimSpace(text), depth == 0
}
