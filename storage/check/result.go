package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// These are also what the describing of a statement reports, when the database was asked.
const (
	doubledColumnRule = "doubled-column"
	missingColumnRule = "missing-column"
	noResultRule      = "no-result"
)

const unknownCountRule = "unknown-count"

var resultLints = []*lint{
	{
		Rule: Rule{Name: "D06-select-star", Title: "SELECT * or RETURNING *",
			Explanation: "What * stands for changes when a column is added to the table. A statement that was prepared before then fails with \"cached plan must not change result type\": once for each connection directly, and behind a pooler that keeps prepared statements for every caller until the pooler is told to reconnect. Besides, columns that nobody reads are sent. Name the columns. A * over a sub-select that names its columns is fine, and so is count(*).",
			Source:      "PostgreSQL manual, PREPARE; PgBouncer, max_prepared_statements"},
		on:        severities{warning, failure, warning},
		statement: selectStar,
	},
	{
		Rule: Rule{Name: doubledColumnRule, Title: "Two result columns of one name",
			Explanation: "Result columns are found by name. Where two have the name of one that is read, nobody can say which is meant, and Mortise refuses the query when the database describes it. Give one of them another name with AS.",
			Source:      "Mortise, result columns"},
		on:        always(failure),
		statement: doubledColumn,
	},
	{
		Rule: Rule{Name: missingColumnRule, Title: "A result column is missing",
			Explanation: "The operation reads columns by their names, and the query has none of that name. Name it with AS, or tell in the file what it is called: each column has a key for that, beside the query.",
			Source:      "Mortise, result columns"},
		on:        always(failure),
		statement: missingColumn,
	},
	{
		Rule: Rule{Name: noResultRule, Title: "A query without a result, where one is read",
			Explanation: "An INSERT, UPDATE or DELETE gives rows back only with RETURNING, and this operation reads rows.",
			Source:      "Mortise, result columns; PostgreSQL manual, Returning Data from Modified Rows"},
		on:        always(failure),
		statement: noResult,
	},
	{
		Rule: Rule{Name: unknownCountRule, Title: "Nobody knows how many rows were changed",
			Explanation: "A SELECT, also one that calls a function or has a DELETE inside of WITH, tells how many rows it returned and not how many were changed. Mortise then cannot report that nothing was there, cannot hold a write to one row, and cannot tell whether a collection has more to do. Return the number in a column named affected.",
			Source:      "Mortise, result columns"},
		on:        always(info),
		statement: unknownCount,
	},
	{
		Rule: Rule{Name: "D16-integer-division", Title: "Integers are divided, and the result is read as an integer",
			Explanation: "On PostgreSQL 7 / 2 is 3. On CockroachDB it is the decimal 3.5, which does not fit a column that is read as an integer. Write a // b on CockroachDB, or floor(a / b)::INT8.",
			Source:      "CockroachDB: PostgreSQL Compatibility"},
		on:        severities{failure, silent, silent},
		statement: integerDivision,
	},
}

func selectStar(r *reading, f *finder) {
	const fix = "name the columns that are read"
	if r.tree == nil {
		starTokens(r, f, fix)
		return
	}
	scope := withQueries(r.tree, nil)
	for _, arm := range arms(r.tree) {
		for _, target := range starTargets(arm, scope) {
			f.at(locate(target), "the result's columns change when a column is added to the table", fix)
		}
	}
	if r.tree.Kind != "SelectStmt" {
		for _, target := range r.tree.List("returningList") {
			if _, star := isStar(target.Child("val")); star {
				f.at(locate(target), "the result's columns change when a column is added to the table", fix)
			}
		}
	}
	each(r.tree, "InsertStmt", func(insert *syntax.Node) {
		for _, arm := range arms(insert.Child("selectStmt")) {
			for _, target := range starTargets(arm, withQueries(insert, scope)) {
				f.at(locate(target), "what is inserted changes when a column is added to the table it is read from", fix)
			}
		}
	})
}

// starTokens is selectStar for a text that the grammar does not read.
func starTokens(r *reading, f *finder, fix string) {
	for i := range r.words {
		if r.depths[i] == 0 && (r.is(i, "SELECT", "*") || r.is(i, "RETURNING", "*")) {
			f.at(r.offset(i+1), "the result's columns change when a column is added to the table", fix)
		}
	}
}

// queries are the queries of WITH by name.
type queries map[string]*syntax.Node

func withQueries(n *syntax.Node, outer queries) queries {
	all := queries{}
	for name, q := range outer {
		all[name] = q
	}
	for _, cte := range n.Child("withClause").List("ctes") {
		all[cte.Text("ctename")] = cte.Child("ctequery")
	}
	return all
}

// starTargets returns the result columns of a SELECT that are * over something whose columns can change.
func starTargets(sel *syntax.Node, scope queries) []*syntax.Node {
	if sel == nil || sel.Kind != "" && sel.Kind != "SelectStmt" {
		return nil
	}
	scope = withQueries(sel, scope)
	var found []*syntax.Node
	for _, target := range sel.List("targetList") {
		before, star := isStar(target.Child("val"))
		if !star {
			continue
		}
		for _, item := range sel.List("fromClause") {
			if changeable(item, before, scope, 0) {
				found = append(found, target)
				break
			}
		}
	}
	return found
}

// changeable says whether the part of an item of FROM that the star covers takes its columns from a
// table, a view or a function.
func changeable(item *syntax.Node, star []string, scope queries, depth int) bool {
	if depth > 20 {
		return false
	}
	alias := item.Child("alias").Text("aliasname")
	switch item.Kind {
	case "JoinExpr":
		return changeable(item.Child("larg"), star, scope, depth+1) || changeable(item.Child("rarg"), star, scope, depth+1)
	case "RangeTableSample":
		return changeable(item.Child("relation"), star, scope, depth+1)
	case "RangeVar":
		name := item.Text("relname")
		if len(star) > 0 && last(star) != alias && last(star) != name {
			return false
		}
		q, named := scope[name]
		if !named || item.Has("schemaname") {
			return true
		}
		inner := queries{}
		for other, text := range scope {
			if other != name { // a recursive query is judged by its first arm
				inner[other] = text
			}
		}
		return q.Kind != "SelectStmt" && len(q.List("returningList")) > 0 && hasStar(q.List("returningList")) ||
			starsBelow(q, inner)
	case "RangeSubselect":
		return (len(star) == 0 || last(star) == alias) && starsBelow(item.Child("subquery"), scope)
	case "RangeFunction":
		return (len(star) == 0 || last(star) == alias) && !item.Has("coldeflist") && len(item.Child("alias").List("colnames")) == 0 &&
			contains(item, func(n *syntax.Node) bool {
				name, own := function(n)
				return name != "" && !(own && steadyFunctions[name])
			})
	}
	return false
}

// steadyFunctions are the server's own functions that stand in FROM, whose columns are fixed.
var steadyFunctions = wordSet(`unnest generate_series generate_subscripts string_to_table regexp_matches regexp_split_to_table
	json_each json_each_text json_array_elements json_array_elements_text json_object_keys
	jsonb_each jsonb_each_text jsonb_array_elements jsonb_array_elements_text jsonb_object_keys jsonb_path_query`)

func starsBelow(q *syntax.Node, scope queries) bool {
	return slices.ContainsFunc(arms(q), func(arm *syntax.Node) bool { return len(starTargets(arm, scope)) > 0 })
}

func hasStar(targets []*syntax.Node) bool {
	return slices.ContainsFunc(targets, func(t *syntax.Node) bool { _, star := isStar(t.Child("val")); return star })
}

func doubledColumn(r *reading, f *finder) {
	switch r.op.Spec.GetResult() {
	case annotation.Result_NONE, annotation.Result_SCALAR:
		return // nothing is found by name
	}
	seen := map[string]bool{}
	for _, target := range results(r.tree) {
		name := fold(resultName(target))
		if name == "" {
			continue
		}
		if seen[name] && r.reads(name) {
			f.at(locate(target), fmt.Sprintf("the result has two columns named %s, and it is read", name), "give one of them another name with AS, or leave it out")
		}
		seen[name] = true
	}
}

// reads says whether a result column of this name, in lower case, is read.
func (r *reading) reads(name string) bool {
	return slices.ContainsFunc(r.op.Columns, func(c *operation.Column) bool { return fold(r.column(c)) == name })
}

func missingColumn(r *reading, f *finder) {
	result := r.op.Spec.GetResult()
	if result != annotation.Result_ROW && result != annotation.Result_ROWS {
		return
	}
	targets := results(r.tree)
	given, known := resultNames(targets)
	if len(targets) == 0 || !known {
		return
	}
	for _, c := range r.op.Columns {
		name := r.column(c)
		if slices.Contains(given, fold(name)) || c.MayBeMissing() {
			continue
		}
		key := r.op.ColumnKeys(c)[0]
		fix := fmt.Sprintf("name it so with AS, or set %s to the name that it has", key)
		if near := problem.Nearest(name, given); near != "" {
			fix = fmt.Sprintf("did you mean %s? Set %s to it, or name it with AS", near, key)
		}
		f.at(locate(targets[0]), "the result has no column "+name, fix)
	}
}

// resultNames returns the names of result columns in lower case, and whether all of them can be told.
func resultNames(targets []*syntax.Node) (given []string, known bool) {
	for _, target := range targets {
		name := resultName(target)
		if name == "" && !strings.Contains(" A_Const A_Expr BoolExpr NullTest ParamRef ", " "+target.Child("val").Kind+" ") {
			return nil, false
		}
		given = append(given, fold(name))
	}
	return given, true
}

func noResult(r *reading, f *finder) {
	switch r.op.Spec.GetResult() {
	case annotation.Result_NONE, annotation.Result_AFFECTED:
		return
	}
	if r.tree == nil || r.tree.Has("returningList") || !slices.Contains([]string{"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}, r.tree.Kind) {
		return
	}
	f.at(r.start(), "the query returns nothing, and its result is read", "add RETURNING with the columns")
}

func unknownCount(r *reading, f *finder) {
	if r.op.Spec.GetResult() != annotation.Result_AFFECTED || r.tree == nil {
		return
	}
	name := r.column(r.op.Columns[0])
	switch r.tree.Kind {
	case "SelectStmt":
		given, known := resultNames(results(r.tree))
		if !known || slices.Contains(given, fold(name)) {
			return
		}
	case "CallStmt", "DoStmt":
	default:
		return
	}
	f.at(r.start(), "the query does not tell how many rows it changes", "return the number in a column named "+name)
}

func integerDivision(r *reading, f *finder) {
	targets := results(r.tree)
	for i, target := range targets {
		if !r.readAsInteger(i, target) {
			continue
		}
		target.Walk(func(n *syntax.Node) bool {
			if name, own := function(n); own && strings.Contains(" floor ceil ceiling trunc div round ", " "+name+" ") {
				return false
			}
			if n.Kind == "SubLink" {
				return false
			}
			if operator(n) == "/" && !fractional(n.Child("lexpr")) && !fractional(n.Child("rexpr")) {
				at, _ := n.Location()
				f.at(at, "on CockroachDB the quotient of two integers is a decimal, and this column is read as an integer", "write //, or floor(a / b)::INT8")
				return false
			}
			return true
		})
	}
}

// readAsInteger says whether the result column at position i is read as an integer.
func (r *reading) readAsInteger(i int, target *syntax.Node) bool {
	if r.op.Spec.GetResult() == annotation.Result_SCALAR {
		return i == 0 && r.op.Columns[0].Kind == operation.Int
	}
	return slices.ContainsFunc(r.op.Columns, func(c *operation.Column) bool {
		return c.Kind == operation.Int && fold(r.column(c)) == fold(resultName(target))
	})
}

// fractional says whether an operand is no integer, by its form.
func fractional(n *syntax.Node) bool {
	if n == nil {
		return false
	}
	if n.Kind == "A_Const" {
		return n.Has("fval")
	}
	switch castType(n) {
	case "float4", "float8", "numeric", "decimal", "real":
		return true
	}
	return false
}
