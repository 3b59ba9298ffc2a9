package explain

import (
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// A use says what a query does with a parameter and a column.
type use int

// The uses, from the one that tells most about fitting values to the one that tells least.
const (
	equal    use = iota // compared for being the same
	assigned            // written into the column
	ranged              // compared for being less or greater
)

// A relation is a table as one part of a query names it.
type relation struct {
	schema, name, alias string
	offset              int // in the positional text; -1 if it is not known
}

// A source is where an operand's value comes from: a parameter, or a column or expression of one
// relation. The zero value is none of both.
type source struct {
	parameter  int // $n
	relation   *relation
	column     string // "" for an expression
	expression string // SQL with the relation's alias
	array      bool   // the column is an array whose elements are meant
	whole      bool   // it is compared with an array as a whole
}

// A binding says that a parameter meets a column.
type binding struct {
	parameter int // $n
	from      source
	use       use
}

// A link says that columns of two relations are equal.
type link struct{ a, b source }

// uses is what a query does with its parameters, as far as its grammar tells.
type uses struct {
	bindings []binding
	links    []link
	// limits are the parameters that say how many rows are wanted.
	limits map[int]bool
	// relations are the tables in their order in the text.
	relations []*relation
}

// readUses reads positional SQL. columns returns the columns of a table in their order, nil if there
// is no such table.
func readUses(text string, columns func(schema, name string) []string) (*uses, error) {
	tree, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	r := &reader{text: text, columns: columns, uses: &uses{limits: map[int]bool{}}}
	r.statement(tree, nil)
	return r.uses, nil
}

// A reader goes through a parse tree with the names that are visible at each place.
type reader struct {
	text    string
	columns func(schema, name string) []string
	uses    *uses
}

// An output is a column of a result.
type output struct {
	name string
	from source
}

func (r *reader) statement(n *syntax.Node, outer *scope) []output {
	switch {
	case n == nil:
	case n.Kind == "InsertStmt":
		return r.insert(n, outer)
	case n.Kind == "UpdateStmt", n.Kind == "DeleteStmt":
		return r.change(n, outer)
	case n.Kind == "MergeStmt":
		return r.merge(n, outer)
	case n.Kind == "SelectStmt", n.Kind == "":
		return r.selects(n, outer)
	}
	return nil
}

func (r *reader) selects(n *syntax.Node, outer *scope) []output {
	sc := r.with(n, outer)
	var outputs []output
	if n.Has("larg") {
		outputs = r.selects(n.Child("larg"), sc)
		right := r.selects(n.Child("rarg"), sc)
		for i := range outputs {
			if i < len(right) && outputs[i].from == (source{}) {
				outputs[i].from = right[i].from
			}
		}
	}
	for _, item := range n.List("fromClause") {
		r.from(item, sc)
	}
	for _, list := range n.List("valuesLists") {
		for i, value := range list.List("items") {
			r.expression(value, sc)
			if i >= len(outputs) {
				outputs = append(outputs, output{from: r.operand(value, sc)})
			}
		}
	}
	for _, target := range n.List("targetList") {
		outputs = append(outputs, r.target(target, sc))
	}
	for _, field := range []string{"whereClause", "havingClause", "limitOffset"} {
		r.expression(n.Child(field), sc)
	}
	for _, field := range []string{"groupClause", "sortClause", "distinctClause", "windowClause"} {
		for _, one := range n.List(field) {
			r.expression(one, sc)
		}
	}
	r.limit(n.Child("limitCount"))
	r.expression(n.Child("limitCount"), sc)
	return outputs
}

func (r *reader) limit(n *syntax.Node) {
	n.Walk(func(n *syntax.Node) bool {
		if n.Kind == "ParamRef" {
			r.uses.limits[n.Number("number")] = true
		}
		return n.Kind != "SelectStmt"
	})
}

// target reads an entry of a select list.
func (r *reader) target(n *syntax.Node, sc *scope) output {
	value := n.Child("val")
	r.expression(value, sc)
	o := output{name: n.Text("name"), from: r.operand(value, sc)}
	if o.name == "" {
		o.name = lastName(value)
	}
	return o
}

// lastName is the name that the server gives a column without AS: the column's own.
func lastName(n *syntax.Node) string {
	switch {
	case n == nil:
	case n.Kind == "TypeCast":
		return lastName(n.Child("arg"))
	case n.Kind == "ColumnRef":
		fields := n.List("fields")
		return fields[len(fields)-1].Text("sval")
	}
	return ""
}

func (r *reader) insert(n *syntax.Node, outer *scope) []output {
	sc := r.with(n, outer)
	target := r.written(n.Child("relation"), sc)
	var names []string
	for _, column := range n.List("cols") {
		names = append(names, column.Text("name"))
	}
	if names == nil {
		names = r.columns(target.schema, target.name)
	}
	rows := n.Child("selectStmt")
	for _, list := range rows.List("valuesLists") {
		for i, value := range list.List("items") {
			r.expression(value, sc)
			r.assign(target, names, i, r.operand(value, sc))
		}
	}
	if rows != nil && !rows.Has("valuesLists") {
		for i, o := range r.statement(rows, sc) {
			r.assign(target, names, i, o.from)
		}
	}
	sc.items = append(sc.items, &item{name: "excluded", relation: target, columns: r.columns(target.schema, target.name)})
	conflict := n.Child("onConflictClause")
	r.sets(conflict.List("targetList"), target, sc)
	r.expression(conflict.Child("whereClause"), sc)
	return r.returning(n, sc)
}

func (r *reader) assign(target *relation, names []string, i int, value source) {
	if value.parameter > 0 && i < len(names) {
		r.uses.bindings = append(r.uses.bindings, binding{parameter: value.parameter, from: columnOf(target, names[i]), use: assigned})
	}
}

// sets reads SET column = expression.
func (r *reader) sets(targets []*syntax.Node, target *relation, sc *scope) {
	for _, one := range targets {
		value := one.Child("val")
		r.expression(value, sc)
		r.assign(target, []string{one.Text("name")}, 0, r.operand(value, sc))
	}
}

// change reads UPDATE and DELETE.
func (r *reader) change(n *syntax.Node, outer *scope) []output {
	sc := r.with(n, outer)
	target := r.written(n.Child("relation"), sc)
	for _, field := range []string{"fromClause", "usingClause"} {
		for _, item := range n.List(field) {
			r.from(item, sc)
		}
	}
	r.sets(n.List("targetList"), target, sc)
	r.expression(n.Child("whereClause"), sc)
	return r.returning(n, sc)
}

func (r *reader) merge(n *syntax.Node, outer *scope) []output {
	sc := r.with(n, outer)
	target := r.written(n.Child("relation"), sc)
	r.from(n.Child("sourceRelation"), sc)
	r.expression(n.Child("joinCondition"), sc)
	for _, when := range n.List("mergeWhenClauses") {
		r.expression(when.Child("condition"), sc)
		var names []string
		for _, column := range when.List("targetList") {
			names = append(names, column.Text("name"))
		}
		if names == nil {
			names = r.columns(target.schema, target.name)
		}
		for i, value := range when.List("values") {
			r.expression(value, sc)
			r.assign(target, names, i, r.operand(value, sc))
		}
		if !when.Has("values") {
			r.sets(when.List("targetList"), target, sc)
		}
	}
	return r.returning(n, sc)
}

func (r *reader) returning(n *syntax.Node, sc *scope) []output {
	var outputs []output
	for _, target := range n.List("returningList") {
		outputs = append(outputs, r.target(target, sc))
	}
	return outputs
}
