package check

import (
	"fmt"
	"strings"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

var retryLints = []*lint{
	{
		Rule: Rule{Name: "not-idempotent", Title: "A query that counts twice when it is sent twice",
			Explanation: "The contract says of this operation that it may be sent again when the connection was lost and nobody knows whether the first try arrived. A column that is set to itself plus something then grows twice. Store the value that the call brings instead of adding to the old one, or compare the old value in WHERE, so that a second try finds nothing to do.",
			Source:      "Mortise, operations reference"},
		on:        always(warning),
		statement: notIdempotent,
	},
}

func notIdempotent(r *reading, f *finder) {
	if r.op.Spec.GetRetry() == annotation.Retry_NEVER {
		return
	}
	report := func(statement *syntax.Node) {
		if clearsColumn(statement) {
			return
		}
		for _, target := range statement.List("targetList") {
			column, value := target.Text("name"), target.Child("val")
			if at, grows := grows(value, column); grows && !comparesColumn(statement.Child("whereClause"), column) {
				f.at(at, fmt.Sprintf("%s grows again when the query is sent a second time after a lost connection", column),
					"set it to a value that the call brings, or compare its old value in WHERE")
			}
		}
	}
	each(r.tree, "UpdateStmt", report)
	each(r.tree, "InsertStmt", func(insert *syntax.Node) { report(insert.Child("onConflictClause")) })
}

// clearsColumn says whether a column that WHERE compares is set to NULL: the row is then not found a
// second time.
func clearsColumn(statement *syntax.Node) bool {
	for _, target := range statement.List("targetList") {
		if target.Child("val").Is("isnull") && equalsColumn(statement.Child("whereClause"), target.Text("name")) {
			return true
		}
	}
	return false
}

// equalsColumn says whether rows are only hit where the column equals something.
func equalsColumn(where *syntax.Node, column string) bool {
	if where != nil && where.Kind == "BoolExpr" && where.Text("boolop") == "AND_EXPR" {
		for _, part := range where.List("args") {
			if equalsColumn(part, column) {
				return true
			}
		}
		return false
	}
	return operator(where) == "=" && (isColumn(where.Child("lexpr"), column) || isColumn(where.Child("rexpr"), column))
}

// grows says whether a value is made by adding something to the column, and where that stands.
func grows(value *syntax.Node, column string) (at int, found bool) {
	value.Walk(func(n *syntax.Node) bool {
		if op := operator(n); !found && n.Has("lexpr") && (op == "+" || op == "-" || op == "||") {
			for _, side := range []string{"lexpr", "rexpr"} {
				if isColumn(uncast(n.Child(side)), column) {
					at, found = locate(n), true
				}
			}
		}
		return n.Kind != "SubLink"
	})
	return at, found
}

// isColumn says whether a node is the column as it was before, plain or with COALESCE around it.
func isColumn(n *syntax.Node, column string) bool {
	if n != nil && n.Kind == "CoalesceExpr" {
		n = n.List("args")[0]
	}
	parts := columnOf(n)
	return len(parts) > 0 && last(parts) == column && !strings.EqualFold(parts[0], "excluded")
}

func comparesColumn(where *syntax.Node, column string) bool {
	return contains(where, func(n *syntax.Node) bool { return isColumn(n, column) })
}
