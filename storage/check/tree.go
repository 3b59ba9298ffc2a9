package check

import (
	"strconv"
	"strings"

	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// Small readers of PostgreSQL's parse tree.

func itoa(n int) string { return strconv.Itoa(n) }

func fold(name string) string { return strings.ToLower(name) }

// names returns the parts of a name that is a list of strings.
func names(parts []*syntax.Node) []string {
	var all []string
	for _, part := range parts {
		if part.Kind == "String" {
			all = append(all, part.Text("sval"))
		}
	}
	return all
}

// columnOf returns the parts of a column's name; nil if the node is no column.
func columnOf(n *syntax.Node) []string {
	if n == nil || n.Kind != "ColumnRef" {
		return nil
	}
	return names(n.List("fields"))
}

func last(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1]
}

// isStar says whether the node is * or t.*; then it returns what stands before the star.
func isStar(n *syntax.Node) (before []string, ok bool) {
	if n == nil {
		return nil, false
	}
	parts := n.List("fields")
	if n.Kind == "A_Indirection" {
		parts = n.List("indirection")
	} else if n.Kind != "ColumnRef" {
		return nil, false
	}
	if len(parts) == 0 || parts[len(parts)-1].Kind != "A_Star" {
		return nil, false
	}
	return names(parts), true
}

// function returns the name of the function that is called, without its schema and in lower case, and
// whether it is, or may be, one of the server's own.
func function(n *syntax.Node) (name string, own bool) {
	if n == nil || n.Kind != "FuncCall" {
		return "", false
	}
	parts := names(n.List("funcname"))
	return fold(last(parts)), len(parts) == 1 || len(parts) > 0 && parts[0] == "pg_catalog"
}

// operator returns the text of an operator between or before operands; "" if the node is none.
func operator(n *syntax.Node) string {
	if n == nil || n.Kind != "A_Expr" || n.Text("kind") != "AEXPR_OP" {
		return ""
	}
	return last(names(n.List("name")))
}

// parameterNumber returns the number of a parameter; 0 if the node is none.
func parameterNumber(n *syntax.Node) int {
	if n == nil || n.Kind != "ParamRef" {
		return 0
	}
	return n.Number("number")
}

// uncast takes casts away.
func uncast(n *syntax.Node) *syntax.Node {
	for n != nil && n.Kind == "TypeCast" {
		n = n.Child("arg")
	}
	return n
}

// castType returns the name of the type that the node is cast to; "" if it is no cast.
func castType(n *syntax.Node) string {
	if n == nil || n.Kind != "TypeCast" {
		return ""
	}
	return fold(last(names(n.Child("typeName").List("names"))))
}

// locate returns where a node begins in the text: its own place, or the first one below it.
func locate(n *syntax.Node) int {
	first := -1
	n.Walk(func(n *syntax.Node) bool {
		if at, ok := n.Location(); ok && (first < 0 || at < first) {
			first = at
		}
		return true
	})
	return max(first, 0)
}

// each calls visit for all nodes of a kind.
func each(tree *syntax.Node, kind string, visit func(*syntax.Node)) {
	tree.Walk(func(n *syntax.Node) bool {
		if n.Kind == kind {
			visit(n)
		}
		return true
	})
}

// contains says whether a node below, or the tree itself, is wanted.
func contains(tree *syntax.Node, wanted func(*syntax.Node) bool) bool {
	found := false
	tree.Walk(func(n *syntax.Node) bool {
		found = found || wanted(n)
		return !found
	})
	return found
}

// arms returns the plain SELECTs that make a result: the node itself, or those that UNION and its like
// put together.
func arms(n *syntax.Node) []*syntax.Node {
	if n == nil {
		return nil
	}
	if left, right := n.Child("larg"), n.Child("rarg"); left != nil && right != nil {
		return append(arms(left), arms(right)...)
	}
	return []*syntax.Node{n}
}

// results returns what the statement's result is made of, for the first arm of a SELECT or for
// RETURNING.
func results(tree *syntax.Node) []*syntax.Node {
	if tree == nil {
		return nil
	}
	if tree.Kind != "SelectStmt" {
		return tree.List("returningList")
	}
	return arms(tree)[0].List("targetList")
}

// resultName is the name that the server gives to a result column.
func resultName(target *syntax.Node) string {
	if name := target.Text("name"); name != "" {
		return name
	}
	return impliedName(target.Child("val"))
}

// impliedName follows FigureColname in PostgreSQL's parse_target.c as far as names that occur.
func impliedName(n *syntax.Node) string {
	if n == nil {
		return ""
	}
	if _, star := isStar(n); star {
		return ""
	}
	switch n.Kind {
	case "ColumnRef":
		return last(columnOf(n))
	case "FuncCall":
		name, _ := function(n)
		return name
	case "TypeCast":
		if name := impliedName(n.Child("arg")); name != "" {
			return name
		}
		return castType(n)
	case "A_Indirection":
		return last(names(n.List("indirection")))
	case "CoalesceExpr":
		return "coalesce"
	case "SubLink":
		if targets := results(n.Child("subselect")); len(targets) == 1 && n.Text("subLinkType") == "EXPR_SUBLINK" {
			return resultName(targets[0])
		}
	}
	return ""
}

// timeFunctions give the time of the database's clock.
var timeFunctions = wordSet("now clock_timestamp statement_timestamp transaction_timestamp timeofday localtimestamp")

// changingFunctions give another value at another time, for the same arguments.
var changingFunctions = wordSet(`now clock_timestamp statement_timestamp transaction_timestamp timeofday
	random random_normal nextval currval lastval setval gen_random_uuid uuid_generate_v4 uuid_generate_v1 uuidv4 uuidv7
	txid_current pg_current_xact_id pg_backend_pid inet_client_addr age`)

// clockName returns how the text asks the database's clock at this node; "" if it does not.
func clockName(n *syntax.Node) string {
	if name, own := function(n); own && timeFunctions[name] {
		return name + "()"
	}
	if n != nil && n.Kind == "SQLValueFunction" {
		name := strings.TrimPrefix(n.Text("op"), "SVFOP_")
		if strings.HasPrefix(name, "CURRENT_TIME") || strings.HasPrefix(name, "CURRENT_DATE") || strings.HasPrefix(name, "LOCALTIME") {
			return strings.TrimSuffix(name, "_N")
		}
	}
	return ""
}

// asksClock says whether the statement asks the database for the time.
func (r *reading) asksClock() bool {
	if r.tree == nil {
		return len(r.calls(timeFunctions)) > 0 || r.has("CURRENT_TIMESTAMP")
	}
	return contains(r.tree, func(n *syntax.Node) bool { return clockName(n) != "" })
}
