package mutation

import "github.com/mortise-storage/mortise/storage/operation"

// parametersToColumns compares a column with itself: column = @p, @p = column, column = ANY (@p).
func parametersToColumns(t *text) []change {
	return t.each(func(i int) []change {
		if !t.comparison(i) {
			return nil
		}
		var all []change
		if column := t.columnBefore(i); column != "" {
			if t.at(i+1).parameter != nil {
				all = append(all, t.replace(i+1, t.behindCast(i+2), column))
			}
			if t.word(i+1, "ANY", "SOME", "ALL") && t.is(i+2, "(") && t.at(i+3).parameter != nil {
				all = append(all, t.replace(i+3, t.at(i+2).partner, "ARRAY["+column+"]"))
			}
		}
		if column, n := t.column(i + 1); n > 0 && t.at(i-1).parameter != nil {
			all = append(all, t.replace(i-1, i, column))
		}
		return all
	})
}

// behindCast returns the index behind the casts that begin at i.
func (t *text) behindCast(i int) int {
	for t.is(i, "::") {
		i += 2
		for t.is(i, "[", "(") {
			i = t.after(i)
		}
	}
	return i
}

// swapParameters lets two parameters of one kind change places everywhere in the query.
func swapParameters(t *text) []change {
	var used []*operation.Parameter
	uses := map[*operation.Parameter][]int{}
	for i, one := range t.tokens {
		if one.parameter == nil {
			continue
		}
		if uses[one.parameter] == nil {
			used = append(used, one.parameter)
		}
		uses[one.parameter] = append(uses[one.parameter], i)
	}
	var all []change
	for i, a := range used {
		for _, b := range used[i+1:] {
			if a.Kind != b.Kind || a.List != b.List {
				continue
			}
			nameA, nameB := t.tokens[uses[a][0]].text, t.tokens[uses[b][0]].text
			c := change{partly: true, before: nameA + ", " + nameB, after: nameB + ", " + nameA}
			for _, at := range uses[a] {
				c.edits = append(c.edits, t.replace(at, at+1, nameB).edits...)
			}
			for _, at := range uses[b] {
				c.edits = append(c.edits, t.replace(at, at+1, nameA).edits...)
			}
			all = append(all, c)
		}
	}
	return all
}
