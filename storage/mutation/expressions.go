package mutation

import (
	"math/big"
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

func arithmetic(t *text) []change {
	return t.each(func(i int) []change {
		switch {
		case !t.endsOperand(i - 1):
			return nil
		case t.is(i, "+"):
			return one(t.replace(i, i+1, "-"))
		case t.is(i, "-"):
			return one(t.replace(i, i+1, "+"))
		}
		return nil
	})
}

// endsOperand says whether an operator behind the token at i has two operands.
func (t *text) endsOperand(i int) bool {
	switch one := t.at(i); one.Kind {
	case sqltext.Identifier:
		return !t.boundary(i) && !t.word(i, "AND", "OR", "NOT", "BETWEEN", "IN", "LIKE", "BY", "RETURN")
	case sqltext.QuotedIdentifier, sqltext.String, sqltext.EscapeString, sqltext.DollarString, sqltext.Number, sqltext.Position:
		return true
	}
	return t.is(i, ")", "]")
}

var counterparts = map[string]string{
	"GREATEST": "least", "LEAST": "greatest", "MIN": "max", "MAX": "min", "SUM": "max",
	"BOOL_AND": "bool_or", "EVERY": "bool_or", "BOOL_OR": "bool_and",
}

func functions(t *text) []change {
	return t.each(func(i int) []change {
		if !t.is(i+1, "(") || t.at(i).word == "" {
			return nil
		}
		if with := counterparts[t.at(i).word]; with != "" {
			return one(t.replace(i, i+1, with))
		}
		end := t.at(i + 1).partner
		switch {
		case t.word(i, "COUNT") && t.is(i+2, "*"):
			return one(t.replace(i, end+1, "max(1)"))
		case t.word(i, "COALESCE", "NULLIF"):
			var all []change
			for _, item := range t.items(i+2, end) {
				all = append(all, t.replace(i, end+1, t.source(item[0], item[1])))
			}
			return all
		}
		return nil
	})
}

func literals(t *text) []change {
	return t.each(func(i int) []change {
		switch {
		case t.word(i, "TRUE"):
			return one(t.replace(i, i+1, "FALSE"))
		case t.word(i, "FALSE"):
			return one(t.replace(i, i+1, "TRUE"))
		}
		return nil
	})
}

func numbers(t *text) []change {
	return t.each(func(i int) []change {
		n, ok := new(big.Int).SetString(t.at(i).text, 10)
		if t.at(i).Kind != sqltext.Number || !ok {
			return nil
		}
		more := new(big.Int).Add(n, big.NewInt(1)).String()
		less := new(big.Int).Sub(n, big.NewInt(1)).String()
		if strings.HasPrefix(less, "-") {
			less = "(" + less + ")"
		}
		return []change{t.replace(i, i+1, more), t.replace(i, i+1, less)}
	})
}

// A result is one column of a query's result: an expression and the name that the column has.
type result struct {
	a, b int
	name string
}

// swapColumns lets two columns of the result change their expressions, and keep their names.
func swapColumns(t *text) []change {
	columns := t.results()
	var all []change
	for i, x := range columns {
		for _, y := range columns[i+1:] {
			all = append(all, change{
				edits:  []edit{t.columnEdit(x, y), t.columnEdit(y, x)},
				before: oneLine(t.source(x.a, x.b)) + ", " + oneLine(t.source(y.a, y.b)),
				after:  oneLine(t.source(y.a, y.b)) + ", " + oneLine(t.source(x.a, x.b)),
			})
		}
	}
	return all
}

// columnEdit gives a column the expression of another.
func (t *text) columnEdit(of, from result) edit {
	end := of.b
	with := t.source(from.a, from.b) + " AS " + of.name
	if t.word(of.b, "AS") {
		end += 2
	}
	return edit{start: t.tokens[of.a].Start, end: t.tokens[end-1].End, with: with}
}

// results returns the columns of the statement's result whose names are known.
func (t *text) results() []result {
	start := -1
	for _, i := range t.level(0, t.len()) {
		if t.word(i, "RETURNING") || (start < 0 && t.word(i, "SELECT") && !t.word(0, "INSERT")) {
			start = i + 1
		}
	}
	if start < 0 {
		return nil
	}
	if t.word(start, "DISTINCT") {
		start++
		if t.word(start, "ON") {
			start = t.after(start + 1)
		}
	}
	end := start
	for !t.closes(end) && (!t.boundary(end) || t.word(end, "AS")) {
		end = t.after(end)
	}
	var all []result
	for _, item := range t.items(start, end) {
		a, b := item[0], item[1]
		switch {
		case b-a >= 3 && t.word(b-2, "AS"):
			all = append(all, result{a, b - 2, t.at(b - 1).text})
		case t.columnBefore(b) != "" && t.columnBefore(b) == t.source(a, b):
			all = append(all, result{a, b, t.at(b - 1).text})
		}
	}
	return all
}
