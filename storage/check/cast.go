package check

import (
	"fmt"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// Whether the type of a parameter is clear follows PostgreSQL's manual, chapter "Type Conversion", and
// what the server does with a parameter that nothing told it about when it has read all of the query.

var castLint = &lint{
	Rule: Rule{Name: "D25-uncast-parameter", Title: "A parameter without a type",
		Explanation: "The database has to find out what a parameter is from what stands around it. Where that says nothing (it is only selected, only tested for NULL, given to a function that takes anything, or added to a time) it is refused, or taken for text or for another time. Say it: @name::bigint.",
		Source:      "PostgreSQL manual, Type Conversion; SQLSTATE 42P18"},
	on:        always(warning),
	statement: uncastParameter,
}

// A use is a place at which nothing tells the type of a parameter.
type use struct {
	at     int
	reason string
	// asText says that the parameter is then taken for text; otherwise it is refused.
	asText bool
}

func uncastParameter(r *reading, f *finder) {
	uses := unclearUses(r)
	if len(uses) == 0 {
		return
	}
	told := map[int]bool{} // by parameter: its type is known, or was complained about
	for _, n := range analysed(r.tree) {
		at, _ := n.Location()
		number := n.Number("number")
		u, open := uses[at]
		p := r.parameter(number)
		if told[number] || p == nil {
			continue
		}
		told[number] = true
		if open && !(u.asText && p.Kind == operation.Text && !p.List) {
			f.at(u.at, fmt.Sprintf("nothing tells the database the type of %s: %s", r.written(number), u.reason),
				fmt.Sprintf("write %s::%s", r.written(number), sqlType(p)))
		}
	}
}

// inOrder has the parts of statements in the order in which the server analyses them (its analyze.c):
// what tells a parameter's type counts only from there on.
var inOrder = map[string][]string{
	"SelectStmt": {"withClause", "larg", "rarg", "valuesLists", "fromClause", "targetList", "whereClause", "havingClause", "sortClause",
		"groupClause", "distinctClause", "limitOffset", "limitCount", "windowClause"},
	"InsertStmt": {"withClause", "selectStmt", "onConflictClause", "returningList"},
	"UpdateStmt": {"withClause", "fromClause", "whereClause", "targetList", "returningList"},
	"DeleteStmt": {"withClause", "usingClause", "whereClause", "returningList"},
}

// analysed returns the uses of parameters in that order.
func analysed(tree *syntax.Node) []*syntax.Node {
	var uses []*syntax.Node
	var visit func(n *syntax.Node) bool
	visit = func(n *syntax.Node) bool {
		if n.Kind == "ParamRef" {
			uses = append(uses, n)
		}
		kind := n.Kind
		if n.Has("limitOption") { // an arm of UNION, whose kind is not written down
			kind = "SelectStmt"
		}
		fields := inOrder[kind]
		for _, field := range fields {
			n.Child(field).Walk(visit)
			for _, child := range n.List(field) {
				child.Walk(visit)
			}
		}
		return fields == nil
	}
	tree.Walk(visit)
	return uses
}

// sqlType is the usual type of a parameter, for advice.
func sqlType(p *operation.Parameter) string {
	name := map[operation.Kind]string{operation.Bytes: "bytea", operation.Text: "text", operation.Int: "bigint", operation.Float: "float8",
		operation.Bool: "bool", operation.Time: "timestamptz", operation.Addr: "inet", operation.UUID: "uuid", operation.JSON: "jsonb"}[p.Kind]
	if p.List {
		name += "[]"
	}
	return name
}

// How the server's functions that take several types look at their arguments. Those that settle on a
// number by themselves, such as abs, are none of them.
var (
	// Only the first argument's type is open, and an untyped one is refused.
	openFirst = wordSet("to_json to_jsonb array_length array_upper array_lower cardinality array_to_string pg_typeof count sum avg array_agg jsonb_agg json_agg")
	// The same, but an untyped one is taken for text.
	openFirstOrText = wordSet("length octet_length bit_length substr substring md5 min max")
	// Every argument is open, or every one but the first.
	openAll  = wordSet("unnest json_build_array json_build_object jsonb_build_array jsonb_build_object concat num_nulls num_nonnulls")
	openRest = wordSet("concat_ws format")
	// The arguments tell each other's types, so they are open only if none has one.
	openTogether       = wordSet("date_trunc date_part extract")
	openTogetherOrText = wordSet("array_append array_prepend array_cat array_remove array_replace array_position array_positions")
)

// A marker notes that a node, if it is a parameter, is without a type.
type marker func(n *syntax.Node, reason string, asText bool)

// unclearUses returns the places of parameters of which nothing around tells the type, by offset.
func unclearUses(r *reading) map[int]use {
	found, exempt := map[int]use{}, map[int]bool{}
	mark := func(n *syntax.Node, reason string, asText bool) {
		at, ok := n.Location()
		if ok && parameterNumber(n) > 0 && !exempt[at] {
			found[at] = use{at: at, reason: reason, asText: asText}
		}
	}
	spare := func(nodes []*syntax.Node) { // their type comes from elsewhere
		for _, n := range nodes {
			if n.Kind == "ResTarget" {
				n = n.Child("val")
			}
			at, _ := n.Location()
			exempt[at] = true
		}
	}
	r.tree.Walk(func(n *syntax.Node) bool {
		switch {
		case n.Kind == "InsertStmt":
			for _, arm := range arms(n.Child("selectStmt")) {
				spare(arm.List("targetList"))
				for _, row := range arm.List("valuesLists") {
					spare(row.List("items"))
				}
			}
		case n.Has("larg") && n.Has("limitOption"): // UNION and its like take the type of the other arm
			for _, arm := range arms(n) {
				spare(arm.List("targetList"))
			}
		case n.Kind == "TypeCast":
			spare(n.Child("arg").List("elements"))
		case n.Has("limitOption"): // a SELECT, also where its kind is not written down
			markSelected(n, mark)
		default:
			markExpression(n, mark)
		}
		for _, target := range n.List("returningList") {
			mark(target.Child("val"), selected, true)
		}
		return true
	})
	return found
}

const selected = "it is selected as it is, and so taken for text"

// markSelected marks what a SELECT or a list of VALUES has as a column.
func markSelected(n *syntax.Node, mark marker) {
	for _, target := range n.List("targetList") {
		mark(target.Child("val"), selected, true)
	}
	rows := n.List("valuesLists")
	for i := 0; len(rows) > 0 && i < len(rows[0].List("items")); i++ {
		var column []*syntax.Node
		for _, row := range rows {
			if items := row.List("items"); i < len(items) {
				column = append(column, items[i])
			}
		}
		if !allUntyped(column) {
			continue
		}
		for _, value := range column {
			mark(value, selected, true)
		}
	}
}

func markExpression(n *syntax.Node, mark marker) {
	switch n.Kind {
	case "NullTest":
		mark(n.Child("arg"), "it is compared with NULL before anything else", false)
	case "FuncCall":
		markArguments(n, mark)
	case "CoalesceExpr", "MinMaxExpr":
		markAlike(n.List("args"), "what stands beside it has no type either, so it is taken for text", mark)
	case "CaseExpr":
		results := []*syntax.Node{}
		for _, when := range n.List("args") {
			results = append(results, when.Child("result"))
		}
		if other := n.Child("defresult"); other != nil {
			results = append(results, other)
		}
		markAlike(results, "no result of CASE has a type, so it is taken for text", mark)
	case "A_ArrayExpr":
		markAlike(n.List("elements"), "the array has nothing with a type, so it is taken for text[]", mark)
	case "A_Expr":
		markOperands(n, mark)
	}
}

func markArguments(call *syntax.Node, mark marker) {
	name, own := function(call)
	arguments := call.List("args")
	if !own || len(arguments) == 0 {
		return
	}
	reason, asText := name+"() takes arguments of several types", false
	switch {
	case openFirst[name]:
		arguments = arguments[:1]
	case openFirstOrText[name]:
		arguments, reason, asText = arguments[:1], reason+", and this one for text", true
	case openAll[name]:
	case openRest[name]:
		arguments = arguments[1:]
	case openTogether[name] && allUntyped(arguments):
	case openTogetherOrText[name] && allUntyped(arguments):
		reason, asText = reason+", and this one for text", true
	default:
		return
	}
	for _, argument := range arguments {
		mark(argument, reason, asText)
	}
}

// markAlike marks values that get one type together, if none of them has one.
func markAlike(values []*syntax.Node, reason string, mark marker) {
	if !allUntyped(values) {
		return
	}
	for _, value := range values {
		mark(value, reason, true)
	}
}

func markOperands(n *syntax.Node, mark marker) {
	left, right := n.Child("lexpr"), n.Child("rexpr")
	switch op := operator(n); {
	case op == "":
	case parameterNumber(left) > 0 && parameterNumber(right) > 0:
		mark(left, "it is compared with another parameter", true)
		mark(right, "it is compared with another parameter", true)
	case op == "->" || op == "->>":
		mark(right, "behind "+op+" it is taken for text, the name of a key", true)
	case op == "+" || op == "-":
		if isMoment(left) {
			mark(right, "beside a time it can be a time or an interval", false)
		}
		if isMoment(right) {
			mark(left, "beside a time it can be a time or an interval", false)
		}
	}
}

// allUntyped says whether none of the values has a type of its own: they are parameters, NULL, or
// literals in quotes.
func allUntyped(values []*syntax.Node) bool {
	for _, n := range values {
		literal := n.Kind == "A_Const" && (n.Has("isnull") || n.Has("sval"))
		if parameterNumber(n) == 0 && !literal {
			return false
		}
	}
	return true
}

// isMoment says whether the form of a value tells that it is a time or an interval.
func isMoment(n *syntax.Node) bool {
	if clockName(n) != "" {
		return true
	}
	switch castType(n) {
	case "timestamptz", "timestamp", "date", "interval", "time", "timetz":
		return true
	}
	return false
}
