// Package syntax reads SQL with the grammar of PostgreSQL itself, for those who have to understand a
// query and not only send it: checks, and the sampling of parameters.
//
// What is sent never depends on it: it knows the grammar of one version of one server, and a query may
// be written for another. A text that it cannot read is not wrong for that.
package syntax

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/wasilibs/go-pgquery/parser"
)

// A Node is a node of PostgreSQL's parse tree, as libpg_query names kinds and fields: a SelectStmt has
// a whereClause, a ColumnRef has fields (https://github.com/pganalyze/libpg_query, protobuf/pg_query.proto).
// All methods may be called on nil, which has no fields.
type Node struct {
	// Kind is the node's type: "SelectStmt", "A_Expr", "ParamRef".
	Kind   string
	fields map[string]any
}

// Parse reads one statement with positional parameters. The first call of a process takes a second or
// more, because the parser is compiled then.
func Parse(text string) (*Node, error) {
	tree, err := parser.ParseToJSON(text)
	if err != nil {
		return nil, err
	}
	var result struct {
		Stmts []struct {
			Stmt map[string]any `json:"stmt"`
		} `json:"stmts"`
	}
	if err := json.Unmarshal([]byte(tree), &result); err != nil {
		return nil, err
	}
	if len(result.Stmts) != 1 {
		return nil, fmt.Errorf("expected one statement, found %d", len(result.Stmts))
	}
	return nodeOf(result.Stmts[0].Stmt), nil
}

// nodeOf unwraps {"Kind": {fields}}. A value of another form is a node whose kind is not written down
// (a RangeVar as the target of an INSERT): it has fields and an empty kind.
func nodeOf(value any) *Node {
	m, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	if len(m) == 1 {
		for kind, inner := range m {
			if fields, ok := inner.(map[string]any); ok && kind[0] >= 'A' && kind[0] <= 'Z' {
				return &Node{Kind: kind, fields: fields}
			}
		}
	}
	return &Node{fields: m}
}

// Child returns the node in a field, or nil.
func (n *Node) Child(field string) *Node {
	if n == nil {
		return nil
	}
	return nodeOf(n.fields[field])
}

// List returns the nodes in a field that is a list.
func (n *Node) List(field string) []*Node {
	if n == nil {
		return nil
	}
	values, _ := n.fields[field].([]any)
	nodes := make([]*Node, 0, len(values))
	for _, v := range values {
		if node := nodeOf(v); node != nil {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Text returns a field that is a text or the name of a constant; "" if it is not there.
func (n *Node) Text(field string) string {
	if n == nil {
		return ""
	}
	text, _ := n.fields[field].(string)
	return text
}

// Number returns a field that is a number; 0 if it is not there.
func (n *Node) Number(field string) int {
	if n == nil {
		return 0
	}
	number, _ := n.fields[field].(float64)
	return int(number)
}

// Is says whether a field that is a truth value is true.
func (n *Node) Is(field string) bool {
	if n == nil {
		return false
	}
	truth, _ := n.fields[field].(bool)
	return truth
}

// Has says whether the field is there at all.
func (n *Node) Has(field string) bool {
	if n == nil {
		return false
	}
	_, ok := n.fields[field]
	return ok
}

// Location returns the byte offset of the node in the text, and whether it is known. The tree leaves
// out an offset of 0.
func (n *Node) Location() (int, bool) {
	if n == nil {
		return 0, false
	}
	number, ok := n.fields["location"].(float64)
	return int(number), ok && number >= 0
}

// Walk calls visit for the node and all below it. Below a node for which visit returns false it does
// not go. Fields are visited in the order of their names, lists in their own order.
func (n *Node) Walk(visit func(*Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	names := make([]string, 0, len(n.fields))
	for name := range n.fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if child := n.Child(name); child != nil {
			child.Walk(visit)
			continue
		}
		for _, child := range n.List(name) {
			child.Walk(visit)
		}
	}
}
