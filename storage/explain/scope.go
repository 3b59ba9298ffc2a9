package explain

import (
	"slices"

	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// A scope is the names that are visible at a place of a query.
type scope struct {
	outer *scope
	items []*item
	ctes  map[string][]output
}

// An item is something with columns: a table, or outputs of a part of the query.
type item struct {
	name     string
	relation *relation
	columns  []string
	outputs  []output
}

func columnOf(rel *relation, column string) source {
	return source{relation: rel, column: column, expression: quote(rel.alias) + "." + quote(column)}
}

// column returns where a column of the item comes from.
func (it *item) column(name string) (source, bool) {
	if it.relation != nil {
		return columnOf(it.relation, name), slices.Contains(it.columns, name)
	}
	for _, o := range it.outputs {
		if o.name == name {
			return o.from, true
		}
	}
	return source{}, false
}

// with opens a scope for a statement, with its common table expressions.
func (r *reader) with(n *syntax.Node, outer *scope) *scope {
	sc := &scope{outer: outer, ctes: map[string][]output{}}
	for _, cte := range n.Child("withClause").List("ctes") {
		outputs := r.statement(cte.Child("ctequery"), sc)
		sc.ctes[cte.Text("ctename")] = renamed(outputs, cte.List("aliascolnames"))
	}
	return sc
}

func renamed(outputs []output, names []*syntax.Node) []output {
	outputs = slices.Clone(outputs)
	for i, name := range names {
		if i < len(outputs) {
			outputs[i].name = name.Text("sval")
		}
	}
	return outputs
}

func (sc *scope) cte(name string) ([]output, bool) {
	for ; sc != nil; sc = sc.outer {
		if outputs, ok := sc.ctes[name]; ok {
			return outputs, true
		}
	}
	return nil, false
}

// written adds the table that a statement writes.
func (r *reader) written(n *syntax.Node, sc *scope) *relation {
	rel := relationOf(n)
	r.uses.relations = append(r.uses.relations, rel)
	sc.items = append(sc.items, &item{name: rel.alias, relation: rel, columns: r.columns(rel.schema, rel.name)})
	return rel
}

func relationOf(n *syntax.Node) *relation {
	rel := &relation{schema: n.Text("schemaname"), name: n.Text("relname")}
	rel.alias = n.Child("alias").Text("aliasname")
	if rel.alias == "" {
		rel.alias = rel.name
	}
	rel.offset = -1
	if offset, known := n.Location(); known {
		rel.offset = offset
	}
	return rel
}

// from adds an entry of a FROM list.
func (r *reader) from(n *syntax.Node, sc *scope) {
	if n == nil {
		return
	}
	alias := n.Child("alias")
	switch n.Kind {
	case "RangeVar":
		if outputs, ok := sc.cte(n.Text("relname")); ok && !n.Has("schemaname") {
			name := alias.Text("aliasname")
			if name == "" {
				name = n.Text("relname")
			}
			sc.items = append(sc.items, &item{name: name, outputs: renamed(outputs, alias.List("colnames"))})
			return
		}
		r.written(n, sc)
	case "JoinExpr":
		r.from(n.Child("larg"), sc)
		r.from(n.Child("rarg"), sc)
		r.expression(n.Child("quals"), sc)
		r.using(n.List("usingClause"), sc)
	case "RangeSubselect":
		outputs := r.statement(n.Child("subquery"), sc)
		sc.items = append(sc.items, &item{name: alias.Text("aliasname"), outputs: renamed(outputs, alias.List("colnames"))})
	case "RangeFunction":
		r.function(n, alias, sc)
	case "RangeTableSample":
		r.from(n.Child("relation"), sc)
	}
}

// using links the columns of JOIN .. USING (a, b) of the last two items.
func (r *reader) using(columns []*syntax.Node, sc *scope) {
	if len(columns) == 0 || len(sc.items) < 2 {
		return
	}
	right := sc.items[len(sc.items)-1]
	for _, column := range columns {
		name := column.Text("sval")
		for _, left := range sc.items[:len(sc.items)-1] {
			a, ok := left.column(name)
			b, also := right.column(name)
			if ok && also {
				r.meet(a, b, equal)
			}
		}
	}
}

// function adds a function in FROM. unnest(@list) has the elements of a parameter as its column.
func (r *reader) function(n, alias *syntax.Node, sc *scope) {
	it := &item{name: alias.Text("aliasname")}
	names := alias.List("colnames")
	for _, one := range n.List("functions") {
		for _, call := range one.List("items") {
			r.expression(call, sc)
			if call.Kind != "FuncCall" {
				continue
			}
			if functionName(call) != "unnest" {
				continue
			}
			for _, argument := range call.List("args") {
				o := output{name: it.name, from: r.operand(argument, sc)}
				if len(it.outputs) < len(names) {
					o.name = names[len(it.outputs)].Text("sval")
				}
				it.outputs = append(it.outputs, o)
			}
		}
	}
	sc.items = append(sc.items, it)
}

func functionName(call *syntax.Node) string {
	names := call.List("funcname")
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1].Text("sval")
}

// resolve finds what a column reference stands for.
func (sc *scope) resolve(n *syntax.Node) source {
	fields := n.List("fields")
	if len(fields) == 0 || fields[len(fields)-1].Kind != "String" {
		return source{} // t.*
	}
	name := fields[len(fields)-1].Text("sval")
	for ; sc != nil; sc = sc.outer {
		for _, it := range sc.items {
			if len(fields) > 1 && it.name != fields[len(fields)-2].Text("sval") {
				continue
			}
			if from, ok := it.column(name); ok {
				return from
			}
			if len(fields) > 1 {
				return source{}
			}
		}
		if len(fields) == 1 && len(sc.items) == 1 && sc.items[0].name == name && len(sc.items[0].outputs) == 1 {
			return sc.items[0].outputs[0].from // the only column of a function, by the function's alias
		}
	}
	return source{}
}
