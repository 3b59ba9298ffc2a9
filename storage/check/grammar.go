package check

import (
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

var grammarLints = []*lint{
	{
		Rule: Rule{Name: "not-parsed", Title: "PostgreSQL's grammar does not read the query",
			Explanation: "The checks that need a query's structure use the grammar of PostgreSQL 17. This text is not read by it, so only the checks that look at single words were made. Syntax of another server, or of a newer version, is a good reason for that; a slip of the pen is another. A check against the database tells which it is.",
			Source:      "PostgreSQL manual, SQL Commands"},
		on:        always(info),
		statement: notParsed,
	},
	{
		Rule: Rule{Name: "D24-cockroachdb-only", Title: "Syntax that only CockroachDB knows",
			Explanation: "UPSERT, LIMIT or ORDER BY of a DELETE or UPDATE, AS OF SYSTEM TIME, an index hint behind a table's name and the operator // are CockroachDB's own: PostgreSQL refuses the query when it is prepared. If the file is meant for CockroachDB, say so with the key target, and this rule is silent. Otherwise write INSERT .. ON CONFLICT for UPSERT, and choose the rows of a limited DELETE in a sub-select by their key.",
			Source:      "CockroachDB: UPSERT, DELETE, AS OF SYSTEM TIME, Table Expressions"},
		on:        severities{silent, failure, failure},
		statement: cockroachOnly,
	},
}

func notParsed(r *reading, f *finder) {
	if r.tree != nil {
		return
	}
	fix := "compare it with what the server's manual says, and check it against the database"
	if f.input.Target.Product == CockroachDB {
		fix = "nothing, if CockroachDB knows it: check it against the database"
	}
	f.at(r.refusedAt, "PostgreSQL's grammar does not read this: "+r.refused+"; only single words of the query were checked", fix)
}

// cockroachWords are sequences that are CockroachDB's alone.
var cockroachWords = []struct {
	words   []string
	message string
	fix     string
}{
	{[]string{"UPSERT", "INTO"}, "UPSERT exists on CockroachDB only", "write INSERT .. ON CONFLICT (key) DO UPDATE SET .."},
	{[]string{"AS", "OF", "SYSTEM", "TIME"}, "AS OF SYSTEM TIME exists on CockroachDB only", "leave it out"},
	{[]string{"//"}, "the operator // exists on CockroachDB only", "write div(a, b), or a / b between integers"},
}

func cockroachOnly(r *reading, f *finder) {
	const sayIt = "; if the file is for CockroachDB, say so: target: cockroachdb"
	for _, c := range cockroachWords {
		if i := r.find(0, c.words...); i >= 0 {
			f.at(r.offset(i), c.message, c.fix+sayIt)
		}
	}
	for i := range r.tokens {
		switch {
		case r.indexHint(i):
			f.at(r.offset(i), "an index hint behind a table's name exists on CockroachDB only", "leave it out"+sayIt)
		case r.changesRows(i):
			if j := r.limited(i); j >= 0 {
				f.at(r.offset(j), r.words[j]+" of "+r.words[i]+" exists on CockroachDB only",
					"choose the rows in a sub-select: WHERE key IN (SELECT key FROM .. LIMIT ..)"+sayIt)
			}
		}
	}
}

// indexHint says whether token i is the @ of table@index or table@{..}.
func (r *reading) indexHint(i int) bool {
	if r.words[i] != "@" || i == 0 || i+1 == len(r.tokens) {
		return false
	}
	table, touches := r.tokens[i-1], r.tokens[i-1].End == r.tokens[i].Start && r.tokens[i].End == r.tokens[i+1].Start
	if !touches || table.Kind != sqltext.Identifier && table.Kind != sqltext.QuotedIdentifier {
		return false
	}
	if r.words[i+1] == "{" {
		return true
	}
	first := i - 1
	for first > 1 && r.words[first-1] == "." {
		first -= 2
	}
	return first > 0 && strings.Contains(" FROM JOIN UPDATE INTO USING , ", " "+r.words[first-1]+" ")
}

// changesRows says whether token i begins a DELETE or an UPDATE, and is not a part of another clause.
func (r *reading) changesRows(i int) bool {
	switch r.words[i] {
	case "DELETE":
		return r.is(i+1, "FROM")
	case "UPDATE":
		return i == 0 || !strings.Contains(" FOR DO KEY ON BEFORE AFTER OR OF THEN . AS ", " "+r.words[i-1]+" ")
	}
	return false
}

// limited returns the LIMIT or ORDER of the DELETE or UPDATE at token i itself; -1 if it has none.
func (r *reading) limited(i int) int {
	for _, j := range r.level(i) {
		if j > i && r.is(j, "LIMIT") || j > i && r.is(j, "ORDER", "BY") {
			return j
		}
	}
	return -1
}
