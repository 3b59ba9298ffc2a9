package check

import (
	"fmt"
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

const trackerSection = "tracker"

const insertColumnsExplanation = "The values go to the table's columns in the order in which these happen to lie in the table. After a column was added, or on a table that another tool made, the same text stores values in the wrong columns or fails. Name the columns behind the table's name."

var insertLints = []*lint{
	{
		Rule: Rule{Name: "T08", Title: "INSERT without column list", Explanation: insertColumnsExplanation,
			Source: "tracker contract, T08; PostgreSQL manual, INSERT"},
		on: always(warning),
		statement: func(r *reading, f *finder) {
			if r.op.Section == trackerSection {
				insertColumns(r, f)
			}
		},
	},
	{
		Rule: Rule{Name: "insert-columns", Title: "INSERT without column list", Explanation: insertColumnsExplanation,
			Source: "PostgreSQL manual, INSERT"},
		on: always(warning),
		statement: func(r *reading, f *finder) {
			if r.op.Section != trackerSection {
				insertColumns(r, f)
			}
		},
	},
	{
		Rule: Rule{Name: "D14-conflict-expression", Title: "ON CONFLICT with an expression",
			Explanation: "CockroachDB takes columns, a constraint or a partial index as the target of ON CONFLICT, but no expression such as lower(name). Store what the expression gives in a column of its own, with a unique index, and name that.",
			Source:      "CockroachDB: INSERT; cockroachdb/cockroach#67893"},
		on: severities{failure, silent, silent},
		statement: func(r *reading, f *finder) {
			each(r.tree, "IndexElem", func(n *syntax.Node) {
				if n.Has("expr") && r.has("ON", "CONFLICT") {
					f.at(locate(n.Child("expr")), "CockroachDB takes no expression as the target of ON CONFLICT", "name columns that have a unique index")
				}
			})
		},
	},
	{
		Rule: Rule{Name: "D14-conflict-target", Title: "DO UPDATE without a target",
			Explanation: "ON CONFLICT DO UPDATE must say which key it is about; only DO NOTHING may leave that open. The server refuses the query when it is prepared. Name the columns of the key: the primary key is the one that works on every server.",
			Source:      "PostgreSQL manual, INSERT, ON CONFLICT"},
		on:        always(failure),
		statement: conflictTarget,
	},
	{
		Rule: Rule{Name: "D15-update-function", Title: "DO UPDATE SET with a function that changes",
			Explanation: "When a row exists already, this takes a value that the server computes at that moment instead of the one that the call brought. With time, two clocks then decide what is stale: the service's for new rows, the database's for others. Some servers refuse it (Citus takes no function there that is not immutable). Put the value among those that are inserted, and write SET column = excluded.column.",
			Source:      "Citus: Common Error Messages"},
		on:        severities{silent, silent, warning},
		statement: updateFunction,
	},
}

// insertColumns reports INSERT INTO table VALUES, and the same with SELECT.
func insertColumns(r *reading, f *finder) {
	for i := range r.words {
		if !r.is(i, "INSERT", "INTO") && !r.is(i, "UPSERT", "INTO") {
			continue
		}
		table := i + 2
		next := table + 1
		for r.is(next, ".") {
			next += 2
		}
		if next >= len(r.tokens) {
			return // the server will say that something is missing
		}
		name := r.text[r.offset(table):r.tokens[next-1].End]
		if r.is(next, "AS") {
			next += 2
		} else if next < len(r.tokens) && r.tokens[next].Kind == sqltext.Identifier && r.words[next] != "DEFAULT" && r.is(next+1, "VALUES") {
			next++ // an alias without AS
		}
		for _, without := range []string{"VALUES", "SELECT", "WITH", "TABLE"} {
			if r.is(next, without) || r.is(next, "(", without) {
				f.at(r.offset(table), "INSERT without column list", fmt.Sprintf("name the columns: %s (column, ...)", name))
				break
			}
		}
	}
}

func conflictTarget(r *reading, f *finder) {
	for i := range r.words {
		if r.is(i, "ON", "CONFLICT", "DO", "UPDATE") {
			f.at(r.offset(i), "ON CONFLICT DO UPDATE without a target", "name the key: ON CONFLICT (column, ...) DO UPDATE")
		}
	}
}

func updateFunction(r *reading, f *finder) {
	each(r.tree, "InsertStmt", func(insert *syntax.Node) {
		for _, target := range insert.Child("onConflictClause").List("targetList") {
			target.Child("val").Walk(func(n *syntax.Node) bool {
				call := clockName(n)
				if name, own := function(n); own && changingFunctions[name] {
					call = name + "()"
				}
				if call != "" {
					column := target.Text("name")
					f.at(locate(n), fmt.Sprintf("%s is set by %s in DO UPDATE, so new and existing rows get their values in different ways", column, strings.ToLower(call)),
						fmt.Sprintf("insert the value and write %s = excluded.%s", column, column))
				}
				return n.Kind != "SubLink"
			})
		}
	})
}
