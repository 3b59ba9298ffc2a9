package catalogue

import (
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// insert reads INSERT. What ON CONFLICT sets is read with the target's columns and those of excluded.
func (r *reader) insert(n *syntax.Node, s *scope) {
	w := &write{command: "INSERT", use: r.target(n, s)}
	if w.use == nil {
		r.statementIn(n.Child("selectStmt"), s)
		return
	}
	w.at = w.use.at
	source := n.Child("selectStmt")
	// The source does not see the target.
	r.statementIn(source, &scope{outer: s.outer, names: s.names})
	w.inserts = r.inserted(n, source, w.use.table)
	if clause := n.Child("onConflictClause"); clause != nil {
		w.conflict = readConflict(clause)
		s.items = append(s.items, item{alias: "excluded", use: &use{table: w.use.table}})
		w.sets = r.assigned(clause.List("targetList"), w.use.table, s)
		r.excluded(w)
		r.expression(clause.Child("whereClause"), s, true)
	}
	r.writes = append(r.writes, w)
	r.returning(n, s)
}

// inserted pairs columns with values: those of the first row of VALUES, or a SELECT's list.
func (r *reader) inserted(n, source *syntax.Node, t *table) []assignment {
	var columns []*column
	var places []int
	for _, col := range n.List("cols") {
		at, _ := col.Location()
		columns, places = append(columns, t.column(col.Text("name"))), append(places, at)
	}
	if columns == nil {
		columns = t.columns
	}
	values := source.List("targetList")
	for i, target := range values {
		values[i] = target.Child("val")
	}
	if rows := source.List("valuesLists"); len(rows) > 0 {
		values = rows[0].List("items")
	}
	var inserts []assignment
	for i, c := range columns {
		if c == nil || i >= len(values) {
			continue
		}
		a := assignment{column: c, value: values[i], at: place(values[i], 0)}
		if i < len(places) {
			a.at = places[i]
		}
		a.parameter, a.parameters = r.parameters(values[i])
		inserts = append(inserts, a)
	}
	return inserts
}

// excluded gives SET column = excluded.column the parameters that were inserted.
func (r *reader) excluded(w *write) {
	for i, set := range w.sets {
		set.value.Walk(func(n *syntax.Node) bool {
			fields := n.List("fields")
			if n.Kind != "ColumnRef" || len(fields) != 2 || fields[0].Text("sval") != "excluded" {
				return true
			}
			for _, inserted := range w.inserts {
				if inserted.column.name == fields[1].Text("sval") {
					w.sets[i].parameters = append(w.sets[i].parameters, inserted.parameters...)
					if n == set.value {
						w.sets[i].parameter = inserted.parameter
					}
				}
			}
			return true
		})
	}
}

func readConflict(clause *syntax.Node) *conflict {
	c := &conflict{update: clause.Text("action") == "ONCONFLICT_UPDATE"}
	c.at, _ = clause.Location()
	infer := clause.Child("infer")
	c.constraint = infer.Text("conname")
	c.expression = infer.Has("whereClause")
	for _, element := range infer.List("indexElems") {
		name := element.Text("name")
		c.columns = append(c.columns, name)
		c.expression = c.expression || name == ""
	}
	return c
}

func (r *reader) update(n *syntax.Node, s *scope) {
	w := &write{command: "UPDATE", use: r.target(n, s)}
	r.from(n.List("fromClause"), s)
	r.expression(n.Child("whereClause"), s, true)
	if w.use != nil {
		w.at = w.use.at
		w.sets = r.assigned(n.List("targetList"), w.use.table, s)
		r.writes = append(r.writes, w)
	}
	r.returning(n, s)
}

// assigned reads SET column = value, ...
func (r *reader) assigned(targets []*syntax.Node, t *table, s *scope) []assignment {
	var sets []assignment
	for _, target := range targets {
		value := target.Child("val")
		r.expression(value, s, false)
		c := t.column(target.Text("name"))
		if c == nil || value == nil {
			continue
		}
		a := assignment{column: c, value: value}
		a.at, _ = target.Location()
		a.parameter, a.parameters = r.parameters(value)
		sets = append(sets, a)
	}
	return sets
}

func (r *reader) delete(n *syntax.Node, s *scope) {
	w := &write{command: "DELETE", use: r.target(n, s)}
	r.from(n.List("usingClause"), s)
	r.expression(n.Child("whereClause"), s, true)
	if w.use != nil {
		w.at = w.use.at
		r.writes = append(r.writes, w)
	}
	r.returning(n, s)
}

func (r *reader) merge(n *syntax.Node, s *scope) {
	target := r.target(n, s)
	r.from([]*syntax.Node{n.Child("sourceRelation")}, s)
	r.expression(n.Child("joinCondition"), s, true)
	for _, when := range n.List("mergeWhenClauses") {
		w := &write{use: target}
		if target == nil {
			continue
		}
		w.at = target.at
		switch when.Text("commandType") {
		case "CMD_UPDATE":
			w.command, w.sets = "UPDATE", r.assigned(when.List("targetList"), target.table, s)
		case "CMD_DELETE":
			w.command = "DELETE"
		default:
			continue // what MERGE inserts is not looked into: the join says what is unique
		}
		r.writes = append(r.writes, w)
	}
}

func (r *reader) returning(n *syntax.Node, s *scope) {
	for _, target := range n.List("returningList") {
		r.expression(target.Child("val"), s, false)
	}
}

// increments says that a column is set to itself and something.
func (a assignment) increments(u *use) bool {
	s := &scope{items: []item{{alias: u.alias, use: u}}}
	if a.value.Kind != "A_Expr" || len(a.value.List("name")) != 1 || a.value.List("name")[0].Text("sval") != "+" {
		return false
	}
	_, c := s.resolve(a.value.Child("lexpr"))
	return c == a.column
}
