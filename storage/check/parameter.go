package check

import (
	"fmt"
	"strings"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

const (
	selfComparisonExplanation = "A column that is compared with itself is equal, so the condition says nothing and more rows are hit than the call means. Most often an @ was lost: column = column was meant to be column = @column."
	positionalExplanation     = "Positions are counted in the contract's order of parameters, and this query is the odd one out: the others use names. Names survive a change of the order and tell the reader what is compared. The report lists what each position stands for."
)

var parameterLints = []*lint{
	{
		Rule: Rule{Name: "self-comparison", Title: "A column is compared with itself", Explanation: selfComparisonExplanation,
			Source: "tracker contract, T01, for every domain"},
		on: always(warning),
		statement: func(r *reading, f *finder) {
			if r.op.Key != graduateQuery {
				selfComparison(r, func(at int, column, write string) {
					f.at(at, fmt.Sprintf("%s = %s is always true, so the condition chooses nothing", column, column), write)
				})
			}
		},
	},
	{
		Rule: Rule{Name: "positional-parameters", Title: "Positions where the other queries have names", Explanation: positionalExplanation,
			Source: "tracker contract, T04, for every domain"},
		on: always(info),
		file: func(file *file, f *finder) {
			positional(file, f, func(section string) bool { return section != trackerSection })
		},
	},
	{
		Rule: Rule{Name: "unused-parameter", Title: "A parameter that every call brings is not used",
			Explanation: "Every call gives this parameter a value, and the query ignores it: what the caller asked for is not what the query does. Parameters that choose the rows are reported by unused-identity; those that may be missing, and those that Mortise derives by itself, may be left out in silence.",
			Source:      "Mortise, operations reference"},
		on:        always(warning),
		statement: unusedParameter,
	},
	{
		Rule: Rule{Name: "array-parameter", Title: "A list is compared as if it were one value",
			Explanation: "The parameter is an array: all values of the call at once. column = @list compares the column with the array as a whole, which the database refuses or which is never true. Write column = ANY (@list).",
			Source:      "tracker contract, data.del_query; PostgreSQL manual, Row and Array Comparisons"},
		on:        always(warning),
		statement: arrayParameter,
	},
	castLint,
}

// selfComparison visits the comparisons of a column with itself.
func selfComparison(r *reading, report func(at int, column, fix string)) {
	each(r.tree, "A_Expr", func(n *syntax.Node) {
		left, right := columnOf(n.Child("lexpr")), columnOf(n.Child("rexpr"))
		if operator(n) != "=" || left == nil || strings.Join(left, ".") != strings.Join(right, ".") {
			return
		}
		column, fix := strings.Join(left, "."), "write the parameter instead of one of them"
		if p := r.op.Parameter(last(left)); p != nil {
			fix = "write @" + p.Name
			if r.statement.Compiled().Style == sqltext.Positional {
				fix = "write $" + itoa(p.Index+1)
			}
		}
		report(locate(n), column, fix)
	})
}

// positional reports queries with $n in a section in which others have names.
func positional(file *file, f *finder, about func(section string) bool) {
	named := map[string]bool{}
	for _, r := range file.readings {
		if r.statement.Compiled().Style == sqltext.Named {
			named[r.op.Section] = true
		}
	}
	for _, r := range file.readings {
		if r.statement.Compiled().Style != sqltext.Positional || !named[r.op.Section] || !about(r.op.Section) {
			continue
		}
		for _, t := range r.tokens {
			if t.Kind == sqltext.Position {
				f.in(r).at(t.Start, "positional parameters read as "+strings.Join(r.positions(), ", "), "write names, as in the other queries")
				break
			}
		}
	}
}

// positions returns what $1, $2, ... mean, up to the last one that is used.
func (r *reading) positions() []string {
	most := 0
	for _, index := range r.statement.Compiled().Args {
		most = max(most, index+1)
	}
	return r.op.ParameterNames()[:most]
}

func unusedParameter(r *reading, f *finder) {
	for _, p := range r.op.Parameters {
		if p.Optional || p.Identity() || p.Rules.GetCapability() || p.Derive != annotation.Derive_UNSET || r.statement.Uses(p.Name) || r.implied(p) {
			continue
		}
		write := "use it as @" + p.Name
		if r.statement.Compiled().Style == sqltext.Positional {
			write = "use it as $" + itoa(p.Index+1)
		}
		f.at(r.start(), "required parameter @"+p.Name+" is not used", write)
	}
}

func arrayParameter(r *reading, f *finder) {
	report := func(n *syntax.Node) {
		p := r.parameter(parameterNumber(n))
		if p == nil || !p.List {
			return
		}
		at, _ := n.Location()
		f.at(at, fmt.Sprintf("%s is an array of values and is compared as one value", r.written(n.Number("number"))),
			fmt.Sprintf("write = ANY (%s)", r.written(n.Number("number"))))
	}
	each(r.tree, "A_Expr", func(n *syntax.Node) {
		left, right := n.Child("lexpr"), n.Child("rexpr")
		switch {
		case n.Text("kind") == "AEXPR_IN":
			for _, value := range append(n.List("rexpr"), right.List("items")...) {
				report(value)
			}
		case operator(n) == "=":
			if columnOf(left) != nil {
				report(right)
			}
			if columnOf(right) != nil {
				report(left)
			}
		}
	})
}

// isTime says whether a value is a time parameter, or the database's clock.
func (r *reading) isTime(n *syntax.Node) bool {
	if clockName(n) != "" {
		return true
	}
	p := r.parameter(parameterNumber(uncast(n)))
	return p != nil && p.Kind == operation.Time
}
