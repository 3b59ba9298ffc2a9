package mutation

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A Mutant is a query that was broken in one small way.
type Mutant struct {
	// Operation is the key of the query.
	Operation string `json:"operation"`
	// Operator is the name of the way in which it was broken; Operators lists them.
	Operator string `json:"operator"`
	// Offset is where the change begins, in bytes of the operator's text, and Position that place in the
	// operator's file.
	Offset   int              `json:"offset"`
	Position problem.Position `json:"position"`
	// Before and After are the lines that change, on one line each and shortened.
	Before string `json:"before"`
	After  string `json:"after"`
	// Occurrence tells mutants of one query apart that agree in operator, before and after; from 1.
	Occurrence int `json:"occurrence"`
	// SQL is the whole text that stands for the operator's.
	SQL string `json:"sql"`
}

// An edit replaces the bytes from start up to end.
type edit struct {
	start, end int
	with       string
}

// A change is what a mutation operator makes: edits that belong together.
type change struct {
	operator string
	edits    []edit
	// before and after describe a change that is all over the text; empty if its lines do.
	before, after string
	// partly says that the change makes sense if only some of its edits are in the mutable part.
	partly bool
}

// Mutants returns all mutants of all queries of a set, in the contract's order and then in that of the
// text. The same set gives the same mutants. No two of a query are the same tokens, and none is the
// query itself.
func Mutants(set *query.Set) []Mutant {
	var all []Mutant
	for _, statement := range set.Statements() {
		all = append(all, MutantsOf(set, statement)...)
	}
	return all
}

// MutantsOf returns the mutants of one query. Those of a clause change the clause only: what it is
// appended to is mutated as the query that it is.
func MutantsOf(set *query.Set, statement *query.Statement) []Mutant {
	op := statement.Operation
	whole := statement.Source().SQL
	t, err := read(whole, op)
	if err != nil {
		return nil // it would not have compiled
	}
	from := 0
	if op.Extends != nil {
		if base := set.Statement(op.Extends); base != nil {
			from = len(sqltext.Cut(base.Source().SQL)) + 1
		}
	}
	var changes []change
	for _, o := range operators {
		for _, c := range o.apply(t) {
			c.operator = o.name
			changes = append(changes, c)
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.edits[0].start, b.edits[0].start) })
	seen := map[string]bool{fingerprint(whole[from:]): true}
	twins := map[[3]string]int{}
	var all []Mutant
	for _, c := range changes {
		edits, ok := c.within(from)
		if !ok {
			continue
		}
		changed := applied(whole, edits)
		print := fingerprint(changed[from:])
		if seen[print] {
			continue
		}
		seen[print] = true
		m := Mutant{Operation: op.Key, Operator: c.operator, Offset: edits[0].start - from, Position: statement.Place(edits[0].start),
			Before: c.before, After: c.after, SQL: changed[from:]}
		if m.Before == "" {
			m.Before, m.After = excerpt(whole[from:], shifted(edits, from))
		}
		twin := [3]string{m.Operator, m.Before, m.After}
		twins[twin]++
		m.Occurrence = twins[twin]
		all = append(all, m)
	}
	return all
}

// within returns the edits in the part of the text that may be changed, in order.
func (c change) within(from int) ([]edit, bool) {
	edits := slices.Clone(c.edits)
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	inside := slices.DeleteFunc(slices.Clone(edits), func(e edit) bool { return e.start < from })
	return inside, len(inside) > 0 && (c.partly || len(inside) == len(edits))
}

func shifted(edits []edit, by int) []edit {
	moved := slices.Clone(edits)
	for i := range moved {
		moved[i].start, moved[i].end = moved[i].start-by, moved[i].end-by
	}
	return moved
}

// applied returns the text after the edits, which are in order and do not overlap.
func applied(sql string, edits []edit) string {
	var b strings.Builder
	copied := 0
	for _, e := range edits {
		b.WriteString(sql[copied:e.start])
		b.WriteString(e.with)
		copied = e.end
	}
	b.WriteString(sql[copied:])
	return b.String()
}

// fingerprint is the same for texts that are the same to the server: it leaves out spaces and comments.
func fingerprint(sql string) string {
	tokens, _ := sqltext.Tokenize(sql)
	var b strings.Builder
	for _, one := range tokens {
		if !one.Means() {
			continue
		}
		word := one.Text(sql)
		if one.Kind == sqltext.Identifier {
			word = strings.ToLower(word)
		}
		b.WriteString(word)
		b.WriteByte(0)
	}
	return b.String()
}

// The lengths of excerpts in bytes: of all, and of what is left of unchanged text at each side of a long
// one.
const (
	longest = 200
	around  = 50
)

// excerpt returns the lines that the edits change, before and after.
func excerpt(sql string, edits []edit) (before, after string) {
	start := strings.LastIndexByte(sql[:edits[0].start], '\n') + 1
	end := len(sql)
	if last := edits[len(edits)-1].end; strings.IndexByte(sql[last:], '\n') >= 0 {
		end = last + strings.IndexByte(sql[last:], '\n')
	}
	return shorten(oneLine(sql[start:end]), oneLine(applied(sql[start:end], shifted(edits, start))))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shorten cuts what two long texts have in common at their ends.
func shorten(before, after string) (string, string) {
	if len(before) <= longest && len(after) <= longest {
		return before, after
	}
	head := 0
	for head < min(len(before), len(after)) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < min(len(before), len(after))-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	cut := func(s string) string {
		from, to := strings.LastIndexByte(s[:max(head-around, 0)], ' ')+1, len(s)
		if rest := tail - around; rest > 0 {
			if i := strings.IndexByte(s[len(s)-rest:], ' '); i >= 0 {
				to = len(s) - rest + i
			}
		}
		middle := s[from:to]
		if len(middle) > longest+2*around {
			middle = middle[:longest/2+around] + " ... " + middle[len(middle)-longest/2-around:]
		}
		return strings.ToValidUTF8(middle, "")
	}
	return cut(before), cut(after)
}
