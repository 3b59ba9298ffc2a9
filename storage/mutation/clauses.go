package mutation

func dropLimits(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "LIMIT", "OFFSET", "FETCH") {
			return nil
		}
		return one(t.remove(i, t.end(i+1)))
	})
}

// orders calls visit for every ORDER BY: a is its index, items are what it orders by.
func (t *text) orders(visit func(a, b int, items [][2]int)) {
	for i := range t.tokens {
		if !t.word(i, "ORDER") || !t.word(i+1, "BY") {
			continue
		}
		b := t.end(i + 2)
		for j := i + 2; j < b; j = t.after(j) { // a window's frame
			if t.word(j, "ROWS", "RANGE", "GROUPS") {
				b = j
			}
		}
		visit(i, b, t.items(i+2, b))
	}
}

func dropOrders(t *text) []change {
	var all []change
	t.orders(func(a, b int, items [][2]int) {
		all = append(all, t.remove(a, b))
		for i := range items {
			if len(items) > 1 {
				all = append(all, t.removeItem(items, i))
			}
		}
	})
	return all
}

// flipOrders leaves random() alone, of which the opposite order is as random.
func flipOrders(t *text) []change {
	var all []change
	t.orders(func(_, _ int, items [][2]int) {
		for _, item := range items {
			a, b := item[0], item[1]
			if t.word(a, "RANDOM") && t.is(a+1, "(") {
				continue
			}
			at, with := b, " DESC"
			for _, i := range t.level(a, b) {
				switch {
				case t.word(i, "DESC"):
					at, with = i, "ASC"
				case t.word(i, "ASC"):
					at, with = i, "DESC"
				case t.word(i, "NULLS") && at == b:
					at = i
				}
			}
			if t.word(at, "DESC", "ASC") && at < b {
				all = append(all, t.replace(at, at+1, with))
				continue
			}
			end := t.tokens[at-1].End
			all = append(all, change{edits: []edit{{start: end, end: end, with: with}}})
		}
	})
	return all
}

func dropDistincts(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "DISTINCT") || t.word(i-1, "IS", "NOT") {
			return nil
		}
		if t.word(i+1, "ON") && t.is(i+2, "(") {
			return one(t.remove(i, t.after(i+2)))
		}
		return one(t.remove(i, i+1))
	})
}

func addDistincts(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "COUNT") || !t.is(i+1, "(") || t.is(i+2, "*", ")") || t.word(i+2, "DISTINCT", "ALL") {
			return nil
		}
		return one(t.insert(i+2, "DISTINCT "))
	})
}

func unions(t *text) []change {
	return t.each(func(i int) []change {
		switch {
		case !t.word(i, "UNION"):
			return nil
		case t.word(i+1, "ALL"):
			return one(t.replace(i, i+2, "UNION"))
		}
		return one(t.replace(i, i+1, "UNION ALL"))
	})
}

func dropFilters(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "FILTER") || !t.is(i-1, ")") || !t.is(i+1, "(") {
			return nil
		}
		return one(t.remove(i, t.after(i+1)))
	})
}

func innerJoins(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "LEFT", "RIGHT", "FULL") || !t.boundary(i) {
			return nil
		}
		if t.word(i+1, "OUTER") {
			return one(t.remove(i, i+2))
		}
		return one(t.remove(i, i+1))
	})
}
