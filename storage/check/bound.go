package check

import (
	"strings"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

var boundLints = []*lint{
	{
		Rule: Rule{Name: "D23-no-where", Title: "DELETE or UPDATE of every row",
			Explanation: "Without WHERE the statement hits the whole table. Where the contract bounds the rows, Mortise rolls it back and answers with an error; elsewhere nothing is in the way. If every row is meant, write WHERE true: then it is said on purpose.",
			Source:      "PostgreSQL manual, DELETE"},
		on:        always(warning),
		statement: noWhere,
	},
	{
		Rule: Rule{Name: "D23-no-limit", Title: "A list or an expiry without LIMIT",
			Explanation: "The operation has a parameter that says how many rows are wanted, and the query does not use it to stop. A list then reads, sends and sorts all there is, whatever was asked for; an expiry after an outage is one long transaction that others wait for.",
			Source:      "Mortise, operations reference"},
		on:        always(warning),
		statement: noLimit,
	},
}

func noWhere(r *reading, f *finder) {
	const fix = "add WHERE; if every row is meant, WHERE true"
	if r.tree == nil {
		for i := range r.words {
			if r.changesRows(i) && !r.hasAfter(i, "WHERE") {
				f.at(r.offset(i), r.words[i]+" without WHERE hits every row of the table", fix)
			}
		}
		return
	}
	for kind, word := range map[string]string{"DeleteStmt": "DELETE", "UpdateStmt": "UPDATE"} {
		each(r.tree, kind, func(n *syntax.Node) {
			if n.Has("whereClause") {
				return
			}
			at, _ := n.Child("relation").Location()
			f.at(r.back(at, word), word+" without WHERE hits every row of the table", fix)
		})
	}
}

// hasAfter says whether the word stands behind token i, at the same depth.
func (r *reading) hasAfter(i int, word string) bool {
	for _, j := range r.level(i) {
		if j > i && r.words[j] == word {
			return true
		}
	}
	return false
}

func noLimit(r *reading, f *finder) {
	p := r.amount()
	if p == nil || r.has("LIMIT") || r.has("FETCH") || r.has("ROW_NUMBER", "(") {
		return
	}
	if r.statement.Uses(p.Name) && (r.tree == nil || r.passedOn(p.Name)) {
		return
	}
	switch {
	case r.op.Spec.GetResult() == annotation.Result_ROWS:
		at := max(r.top("SELECT"), 0)
		f.at(r.offset(at), "the list has no LIMIT, and the caller asks for a number of rows", "add LIMIT @"+p.Name)
	case r.op.Background() && r.op.Section != trackerSection: // the tracker's own rule is T11
		for i := range r.words {
			if r.changesRows(i) {
				f.at(r.offset(i), "all expired rows are changed in one transaction", "choose at most @"+p.Name+" rows in a sub-select")
				return
			}
		}
	}
}

// amount returns the parameter that says how many rows are wanted; nil if there is none.
func (r *reading) amount() *operation.Parameter {
	for _, p := range r.op.Parameters {
		if p.Kind == operation.Int && !p.List && strings.Contains(" count limit want max_count page_size ", " "+p.Name+" ") {
			return p
		}
	}
	return nil
}

// passedOn says whether the parameter is given to a function, which then has to see to it.
func (r *reading) passedOn(name string) bool {
	found := false
	each(r.tree, "FuncCall", func(call *syntax.Node) {
		for _, argument := range call.List("args") {
			if p := r.parameter(parameterNumber(uncast(argument))); p != nil && p.Name == name {
				found = true
			}
		}
	})
	return found
}
