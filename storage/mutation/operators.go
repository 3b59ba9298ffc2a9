package mutation

// An operator is one way of breaking a query.
type operator struct {
	name string
	says string
	// apply returns every change of this kind; the runner of operators sets their names.
	apply func(*text) []change
}

// operators are all ways. Where two make the same text, the first keeps it.
var operators = []operator{
	{"drop-predicate", "a condition is taken out of an AND or OR, or is always true", dropPredicates},
	{"never", "a condition of CASE never holds", neverConditions},
	{"negate", "a condition is turned into its opposite", negations},
	{"drop-not", "NOT is taken out", dropNots},
	{"and-or", "AND becomes OR, and the other way round", andOr},
	{"parameter-to-column", "a column is compared with itself instead of a parameter", parametersToColumns},
	{"swap-parameters", "two parameters of one kind change places", swapParameters},
	{"flip-comparison", "a comparison becomes its opposite", flipComparisons},
	{"boundary", "a comparison takes in or leaves out equality", boundaries},
	{"quantifier", "ANY becomes ALL, and the other way round", quantifiers},
	{"drop-conflict-column", "a column is taken out of ON CONFLICT", dropConflictColumns},
	{"do-nothing", "DO UPDATE becomes DO NOTHING", doNothing},
	{"drop-conflict", "ON CONFLICT is taken out", dropConflicts},
	{"drop-assignment", "an assignment is taken out of SET", dropAssignments},
	{"excluded", "the new value is taken from the stored row", excludedToStored},
	{"drop-limit", "LIMIT, OFFSET or FETCH is taken out", dropLimits},
	{"drop-order", "ORDER BY, or one item of it, is taken out", dropOrders},
	{"flip-order", "ascending becomes descending, and the other way round", flipOrders},
	{"arithmetic", "+ becomes -, and the other way round", arithmetic},
	{"drop-distinct", "DISTINCT is taken out", dropDistincts},
	{"add-distinct", "count(x) becomes count(DISTINCT x)", addDistincts},
	{"union", "UNION ALL becomes UNION, and the other way round", unions},
	{"drop-filter", "FILTER is taken out of an aggregate", dropFilters},
	{"inner-join", "an outer join becomes an inner one", innerJoins},
	{"function", "a function becomes its counterpart, or one of its arguments", functions},
	{"literal", "true becomes false, and the other way round", literals},
	{"number", "an integer becomes one more or one less", numbers},
	{"swap-columns", "two result columns change places", swapColumns},
}

// Operators returns the names of all ways in which queries are broken, and what each does.
func Operators() map[string]string {
	all := map[string]string{}
	for _, o := range operators {
		all[o.name] = o.says
	}
	return all
}

// replace makes a change of the tokens from a up to b.
func (t *text) replace(a, b int, with string) change {
	return change{edits: []edit{{start: t.tokens[a].Start, end: t.tokens[b-1].End, with: with}}}
}

// remove makes a change that takes out the tokens from a up to b.
func (t *text) remove(a, b int) change { return t.replace(a, b, "") }

// insert makes a change that puts a text in front of the token at i.
func (t *text) insert(i int, what string) change {
	at := len(t.sql)
	if i < t.len() {
		at = t.tokens[i].Start
	}
	return change{edits: []edit{{start: at, end: at, with: what}}}
}

// removeItem takes one of several items that commas separate out of its list.
func (t *text) removeItem(items [][2]int, i int) change {
	if i == 0 {
		return change{edits: []edit{{start: t.tokens[items[0][0]].Start, end: t.tokens[items[1][0]].Start}}}
	}
	return change{edits: []edit{{start: t.tokens[items[i-1][1]-1].End, end: t.tokens[items[i][1]-1].End}}}
}

// each makes changes from the tokens that a function picks.
func (t *text) each(pick func(i int) []change) []change {
	var all []change
	for i := range t.tokens {
		all = append(all, pick(i)...)
	}
	return all
}

func one(c change) []change { return []change{c} }
