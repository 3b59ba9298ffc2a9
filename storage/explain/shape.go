package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// Shape is a fingerprint of the plan: the types of its nodes, relations, indexes, and the columns by
// which rows are found, joined and sorted. It is equal for plans that do the same, whatever they cost.
// Filters are left out, because the planner removes from them what an argument decides.
func (p *Plan) Shape() string {
	if p == nil || p.Root == nil {
		return ""
	}
	var b strings.Builder
	p.Root.shape(&b)
	return b.String()
}

func (n *Node) shape(b *strings.Builder) {
	b.WriteString(n.Label())
	if columns := n.columns(); len(columns) > 0 {
		fmt.Fprintf(b, "[%s]", strings.Join(columns, " "))
	}
	if len(n.Children) == 0 {
		return
	}
	b.WriteString("(")
	for i, child := range n.Children {
		if i > 0 {
			b.WriteString(", ")
		}
		child.shape(b)
	}
	b.WriteString(")")
}

// Label names the node as EXPLAIN does: "Index Scan using peers_pkey on peers p".
func (n *Node) Label() string {
	name := n.Type
	switch {
	case n.Type == "ModifyTable":
		name = n.Operation
	case n.Type == "Aggregate" && n.Strategy == "Hashed":
		name = "HashAggregate"
	case n.Type == "Aggregate" && n.Strategy == "Sorted":
		name = "GroupAggregate"
	case n.Type == "Aggregate" && n.Strategy == "Mixed":
		name = "MixedAggregate"
	case n.JoinType != "" && n.JoinType != "Inner":
		if n.Type == "Nested Loop" {
			name = "Nested Loop " + n.JoinType + " Join"
		} else {
			name = strings.TrimSuffix(n.Type, " Join") + " " + n.JoinType + " Join"
		}
	}
	if n.PartialMode != "" && n.PartialMode != "Simple" {
		name = n.PartialMode + " " + name
	}
	if n.Parallel {
		name = "Parallel " + name
	}
	if n.Direction == "Backward" {
		name += " Backward"
	}
	if n.Index != "" {
		name += " using " + n.Index
	}
	switch on := n.on(); {
	case on != "" && n.Type == "Bitmap Index Scan":
	case on != "":
		name += " on " + on
	}
	return name
}

func (n *Node) on() string {
	name := n.Relation
	if name == "" {
		name = n.CTE
	}
	if name == "" {
		name = n.Function
	}
	switch {
	case name == "":
		return n.Alias
	case n.Alias != "" && n.Alias != name:
		return name + " " + n.Alias
	}
	return name
}

// columns are those of the conditions that find and join, and of the keys that sort and group.
func (n *Node) columns() []string {
	texts := []string{n.IndexCond, n.TidCond, n.HashCond, n.MergeCond}
	texts = append(texts, n.SortKey...)
	texts = append(texts, n.GroupKey...)
	var all []string
	for _, text := range texts {
		for _, column := range Columns(text) {
			if !slices.Contains(all, column) {
				all = append(all, column)
			}
		}
	}
	return all
}

// Columns returns the names of the columns in a condition of a plan, each once, in their order.
func Columns(condition string) []string {
	tokens, err := sqltext.Tokenize(condition)
	if err != nil {
		return nil
	}
	var names []string
	text := func(i int) string {
		if i < 0 || i >= len(tokens) {
			return ""
		}
		return tokens[i].Text(condition)
	}
	for i, t := range tokens {
		name := t.Text(condition)
		switch {
		case t.Kind != sqltext.Identifier && t.Kind != sqltext.QuotedIdentifier:
			continue
		case t.Kind == sqltext.Identifier && (strings.ToLower(name) != name || name == "true" || name == "false"):
			continue // a keyword: the server writes those with capitals, and quotes a column that has any
		case text(i+1) == "(" || text(i+1) == "." || text(i-1) == "::":
			continue // a function, the relation before its column, a type
		case text(i-1) == "." && text(i-2) == ")":
			continue // the result of a subplan
		case typeTail(tokens, condition, i):
			continue
		}
		if t.Kind == sqltext.QuotedIdentifier {
			name = strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// typeTail says whether the name is a further word of a type: "double precision", "timestamp with time
// zone", "character varying", or its part behind a schema.
func typeTail(tokens []sqltext.Token, text string, i int) bool {
	for j := i - 1; j >= 0; j-- {
		switch t := tokens[j]; {
		case t.Kind == sqltext.Space || t.Kind == sqltext.Identifier || t.Text(text) == ".":
		case t.Text(text) == "::":
			return true
		default:
			return false
		}
	}
	return false
}

// Diff tells for people what differs between two plans, one line a difference; nothing if they have the
// same shape.
func Diff(a, b *Plan) []string {
	if a.Shape() == b.Shape() {
		return nil
	}
	left, right := a.labels(), b.labels()
	var lines []string
	for _, l := range without(left, right) {
		lines = append(lines, "only in the first: "+l)
	}
	for _, r := range without(right, left) {
		lines = append(lines, "only in the second: "+r)
	}
	if lines == nil {
		lines = append(lines, "the same steps in another order")
	}
	return lines
}

// labels are the plan's nodes with the columns that they use, one line each.
func (p *Plan) labels() []string {
	var lines []string
	p.Walk(func(n *Node) {
		line := n.Label()
		if columns := n.columns(); len(columns) > 0 {
			line += " by " + strings.Join(columns, ", ")
		}
		lines = append(lines, line)
	})
	return lines
}

// without returns what is in a and not in b, counting repetitions.
func without(a, b []string) []string {
	rest := slices.Clone(b)
	var only []string
	for _, line := range a {
		if i := slices.Index(rest, line); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		only = append(only, line)
	}
	return only
}

// hideConstants replaces every constant in the plan's conditions.
func (p *Plan) hideConstants() {
	p.Walk(func(n *Node) {
		for _, text := range []*string{&n.IndexCond, &n.RecheckCond, &n.TidCond, &n.Filter, &n.OneTimeFilter, &n.HashCond, &n.MergeCond, &n.JoinFilter} {
			*text = hidden(*text)
		}
		for _, list := range [][]string{n.SortKey, n.GroupKey} {
			for i := range list {
				list[i] = hidden(list[i])
			}
		}
	})
}

func hidden(condition string) string {
	tokens, err := sqltext.Tokenize(condition)
	if err != nil {
		return "?"
	}
	var b strings.Builder
	for i, t := range tokens {
		switch t.Kind {
		case sqltext.String, sqltext.EscapeString, sqltext.DollarString:
			b.WriteString("?")
		case sqltext.Number:
			// The number in "InitPlan 1" is part of a name.
			if i > 1 && strings.HasSuffix(tokens[i-2].Text(condition), "Plan") {
				b.WriteString(t.Text(condition))
				continue
			}
			b.WriteString("?")
		default:
			b.WriteString(t.Text(condition))
		}
	}
	return b.String()
}
