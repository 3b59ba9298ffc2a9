package mutation

import (
	"slices"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A condition is a whole boolean expression of a query: alternatives joined by OR, each of them terms
// joined by AND. One without either has one alternative with one term.
type condition struct {
	a, b int
	// of is the index of the keyword in front of it (WHERE, HAVING, ON, WHEN), or -1 where it is in
	// brackets or in another expression.
	of           int
	alternatives []alternative
}

type alternative struct {
	a, b  int
	terms [][2]int
}

// conditions returns all conditions, from outside to inside.
func (t *text) conditions() []condition {
	var all []condition
	seen := map[[2]int]bool{}
	add := func(a, b, of int) {
		if a >= b || seen[[2]int{a, b}] {
			return
		}
		seen[[2]int{a, b}] = true
		all = append(all, t.condition(a, b, of))
	}
	for i := range t.tokens {
		switch {
		case t.word(i, "WHERE", "HAVING"),
			t.word(i, "ON") && !t.word(i+1, "CONFLICT") && !t.word(i-1, "DISTINCT"),
			t.word(i, "WHEN") && t.searched(i):
			add(i+1, t.end(i+1), i)
		case t.logical(i):
			a := i
			for !t.opens(a-1) && !t.boundary(a-1) && !t.is(a-1, ",") {
				a = t.before(a)
			}
			if t.word(a-1, "WHERE", "HAVING", "ON", "WHEN") {
				continue // found by its keyword
			}
			b := i + 1
			for !t.closes(b) && !t.boundary(b) && !t.is(b, ",") {
				b = t.after(b)
			}
			add(a, b, -1)
		}
	}
	return all
}

// searched says whether WHEN is followed by a condition: CASE WHEN, and not CASE x WHEN or WHEN MATCHED.
func (t *text) searched(i int) bool {
	if t.word(i+1, "MATCHED", "NOT") && (t.word(i+1, "MATCHED") || t.word(i+2, "MATCHED")) {
		return false
	}
	first := i
	for !t.opens(first - 1) {
		first = t.before(first)
	}
	return t.word(first-1, "CASE") && t.word(first, "WHEN")
}

// logical says whether the token at i is an AND or OR between conditions. BETWEEN has an AND of its own.
func (t *text) logical(i int) bool {
	if t.word(i, "OR") {
		return !t.word(i+1, "REPLACE")
	}
	if !t.word(i, "AND") {
		return false
	}
	for j := i; j > 0 && !t.opens(j-1); {
		j = t.before(j)
		switch {
		case t.word(j, "BETWEEN"):
			return false
		case t.word(j, "AND", "OR") || t.boundary(j):
			return true
		}
	}
	return true
}

func (t *text) condition(a, b, of int) condition {
	c := condition{a: a, b: b, of: of}
	for _, part := range t.split(a, b, func(i int) bool { return t.word(i, "OR") && t.logical(i) }) {
		c.alternatives = append(c.alternatives, alternative{a: part[0], b: part[1],
			terms: t.split(part[0], part[1], func(i int) bool { return t.word(i, "AND") && t.logical(i) })})
	}
	return c
}

// terms calls visit for every term of every condition.
func (t *text) terms(visit func(c condition, a, b int)) {
	for _, c := range t.conditions() {
		for _, alt := range c.alternatives {
			for _, term := range alt.terms {
				if term[0] < term[1] {
					visit(c, term[0], term[1])
				}
			}
		}
	}
}

// dropPart takes one of several parts that a keyword joins out of a condition, with that keyword.
func (t *text) dropPart(parts [][2]int, i int) change {
	if i == 0 {
		return t.remove(parts[0][0], parts[1][0])
	}
	return t.remove(parts[i][0]-1, parts[i][1])
}

func dropPredicates(t *text) []change {
	var all []change
	for _, c := range t.conditions() {
		var whole [][2]int
		for _, alt := range c.alternatives {
			whole = append(whole, [2]int{alt.a, alt.b})
			for i, term := range alt.terms {
				if len(alt.terms) > 1 && term[0] < term[1] {
					all = append(all, t.dropPart(alt.terms, i))
				}
			}
		}
		switch {
		case len(whole) > 1:
			for i := range whole {
				all = append(all, t.dropPart(whole, i))
			}
		case len(c.alternatives[0].terms) == 1 && c.of >= 0:
			all = append(all, t.replace(c.a, c.b, "TRUE"))
		}
	}
	return all
}

func neverConditions(t *text) []change {
	var all []change
	for _, c := range t.conditions() {
		if c.of >= 0 && t.word(c.of, "WHEN") {
			all = append(all, t.replace(c.a, c.b, "FALSE"))
		}
	}
	return all
}

// negations turns terms around that no other operator does: those that neither compare nor have a NOT.
func negations(t *text) []change {
	var all []change
	t.terms(func(_ condition, a, b int) {
		is := -1
		for _, i := range t.level(a, b) {
			if t.comparison(i) || t.word(i, "NOT") {
				return
			}
			if t.word(i, "IS") {
				is = i
			}
		}
		if is >= 0 {
			all = append(all, t.insert(is+1, "NOT "))
			return
		}
		all = append(all, t.replace(a, b, "NOT ("+t.source(a, b)+")"))
	})
	return all
}

func dropNots(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "NOT") || t.word(i+1, "MATERIALIZED", "MATCHED", "DEFERRABLE", "VALID") || t.word(i-1, "IF", "AS") {
			return nil
		}
		return one(t.remove(i, i+1))
	})
}

func andOr(t *text) []change {
	return t.each(func(i int) []change {
		switch {
		case !t.logical(i):
			return nil
		case t.word(i, "AND"):
			return one(t.replace(i, i+1, "OR"))
		}
		return one(t.replace(i, i+1, "AND"))
	})
}

var opposite = map[string]string{"=": "<>", "<>": "=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

var neighbouring = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

// comparison says whether the token at i compares, and does not assign.
func (t *text) comparison(i int) bool {
	return t.at(i).Kind == sqltext.Operator && opposite[t.at(i).text] != "" && !slices.Contains(t.assignments(), i)
}

// assignments returns the indices of the = of all assignments.
func (t *text) assignments() []int {
	var all []int
	for i := range t.tokens {
		if !t.word(i, "SET") {
			continue
		}
		for _, item := range t.items(i+1, t.end(i+1)) {
			for _, j := range t.level(item[0], item[1]) {
				if t.is(j, "=") {
					all = append(all, j)
					break
				}
			}
		}
	}
	return all
}

func flipComparisons(t *text) []change {
	return t.each(func(i int) []change {
		if !t.comparison(i) {
			return nil
		}
		return one(t.replace(i, i+1, opposite[t.at(i).text]))
	})
}

func boundaries(t *text) []change {
	return t.each(func(i int) []change {
		if !t.comparison(i) || neighbouring[t.at(i).text] == "" {
			return nil
		}
		return one(t.replace(i, i+1, neighbouring[t.at(i).text]))
	})
}

func quantifiers(t *text) []change {
	counterpart := map[string]string{"ANY": "ALL", "SOME": "ALL", "ALL": "ANY"}
	return t.each(func(i int) []change {
		if with := counterpart[t.at(i).word]; with != "" && t.is(i+1, "(") && t.at(i-1).Kind == sqltext.Operator {
			return one(t.replace(i, i+1, with))
		}
		return nil
	})
}
