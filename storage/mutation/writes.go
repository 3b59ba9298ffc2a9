package mutation

import "github.com/mortise-storage/mortise/storage/query/sqltext"

// conflicts calls visit for every ON CONFLICT: a is its index, target that of the bracket with its
// columns or -1, do that of DO, and b the index behind the clause.
func (t *text) conflicts(visit func(a, target, do, b int)) {
	for i := range t.tokens {
		if !t.word(i, "ON") || !t.word(i+1, "CONFLICT") {
			continue
		}
		target := -1
		do := i + 2
		if t.is(do, "(") {
			target = do
		}
		for !t.closes(do) && !t.word(do, "DO") {
			do = t.after(do)
		}
		b := do
		for !t.closes(b) && !t.word(b, "RETURNING") {
			b = t.after(b)
		}
		visit(i, target, do, b)
	}
}

func dropConflictColumns(t *text) []change {
	var all []change
	t.conflicts(func(_, target, _, _ int) {
		if target < 0 {
			return
		}
		items := t.items(target+1, t.at(target).partner)
		for i := range items {
			if len(items) > 1 {
				all = append(all, t.removeItem(items, i))
			}
		}
	})
	return all
}

func doNothing(t *text) []change {
	var all []change
	t.conflicts(func(_, _, do, b int) {
		if t.word(do+1, "UPDATE") {
			all = append(all, t.replace(do+1, b, "NOTHING"))
		}
	})
	return all
}

func dropConflicts(t *text) []change {
	var all []change
	t.conflicts(func(a, _, _, b int) { all = append(all, t.remove(a, b)) })
	return all
}

func dropAssignments(t *text) []change {
	return t.each(func(i int) []change {
		if !t.word(i, "SET") {
			return nil
		}
		items := t.items(i+1, t.end(i+1))
		var all []change
		for k := range items {
			if len(items) > 1 {
				all = append(all, t.removeItem(items, k))
			}
		}
		return all
	})
}

func excludedToStored(t *text) []change {
	stored := ""
	return t.each(func(i int) []change {
		if t.word(i, "INSERT") && t.word(i+1, "INTO") {
			stored = t.inserted(i + 2)
		}
		if stored == "" || !t.word(i, "EXCLUDED") || !t.is(i+1, ".") {
			return nil
		}
		return one(t.replace(i, i+1, stored))
	})
}

// inserted returns how a statement calls the row that is stored already: the alias of the table whose
// name begins at i, or its name.
func (t *text) inserted(i int) string {
	for t.is(i+1, ".") {
		i += 2
	}
	if t.word(i+1, "AS") {
		i += 2
	}
	if one := t.at(i); one.Kind == sqltext.Identifier || one.Kind == sqltext.QuotedIdentifier {
		return one.text
	}
	return ""
}
