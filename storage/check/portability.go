package check

import (
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

var portabilityLints = []*lint{
	{
		Rule: Rule{Name: "D13-postgres-only", Title: "A feature that only PostgreSQL has",
			Explanation: "System columns (ctid, xmin, xmax), TABLESAMPLE, MERGE, LOCK TABLE, exclusion constraints, ranges, cidr, domains, arguments by name with =>, WITH TIES and ROLLUP are missing on CockroachDB, and some of them on YugabyteDB and Citus. In a file for CockroachDB that is an error. Otherwise it is only mentioned, because using what one's server has is often the fast way: it tells what to replace when the file has to move.",
			Source:      "CockroachDB: PostgreSQL Compatibility; yugabyte/yugabyte-db#24843"},
		on:        severities{failure, silent, info},
		statement: postgresOnly,
	},
	{
		Rule: Rule{Name: "D17-operator", Title: "An operator or name that CockroachDB lacks",
			Explanation: "CockroachDB has no operator @? (write jsonb_path_exists()), no <-> for the nearest neighbours, no operator @ (write b ~ a for a @ b, abs(x) for @x), no type behind a schema as in public.geometry(..), and its list of coordinate systems cannot be added to.",
			Source:      "CockroachDB: JSONB, Spatial Data Overview"},
		on:        severities{failure, silent, silent},
		statement: cockroachLacks,
	},
}

// postgresWords are sequences of words that are PostgreSQL's alone.
var postgresWords = []struct {
	words         []string
	feature, then string
}{
	{[]string{"TABLESAMPLE"}, "TABLESAMPLE", "begin at a random key instead"},
	{[]string{"MERGE", "INTO"}, "MERGE", "write INSERT .. ON CONFLICT"},
	{[]string{"LOCK", "TABLE"}, "LOCK TABLE", "lock rows: SELECT .. FOR UPDATE"},
	{[]string{"EXCLUDE", "USING"}, "an exclusion constraint", "use a unique constraint"},
	{[]string{"CREATE", "DOMAIN"}, "a domain", "use the type with a CHECK constraint"},
	{[]string{"=>"}, "an argument by name", "give arguments by position"},
	{[]string{"WITH", "TIES"}, "WITH TIES", "use rank() in a sub-select"},
	{[]string{"ROLLUP", "("}, "ROLLUP", "put the groupings together with UNION ALL"},
	{[]string{"CUBE", "("}, "CUBE", "put the groupings together with UNION ALL"},
	{[]string{"GROUPING", "SETS"}, "GROUPING SETS", "put the groupings together with UNION ALL"},
}

var (
	systemColumns = wordSet("xmax xmin ctid cmin cmax")
	rangeTypes    = wordSet(`int4range int8range numrange tsrange tstzrange daterange
		int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange`)
)

func postgresOnly(r *reading, f *finder) {
	report := func(i int, feature, then string) {
		f.at(r.offset(i), feature+" exists on PostgreSQL only", then)
	}
	for _, p := range postgresWords {
		if i := r.find(0, p.words...); i >= 0 {
			report(i, p.feature, p.then)
		}
	}
	seen := map[string]bool{}
	for i, t := range r.tokens {
		word := fold(r.words[i])
		if t.Kind != sqltext.Identifier || seen[word] {
			continue
		}
		switch {
		case systemColumns[word] && !r.is(i+1, "(") && !r.is(i-1, "AS"):
			report(i, "the system column "+word, "name rows by their key")
		case rangeTypes[word]:
			report(i, "the type "+word, "store both ends in columns of their own")
		case word == "cidr" && (r.is(i-1, "::") || r.is(i-1, "AS") || r.is(0, "CREATE") || r.is(0, "ALTER")):
			report(i, "the type cidr", "use inet")
		default:
			continue
		}
		seen[word] = true
	}
}

func cockroachLacks(r *reading, f *finder) {
	for i, t := range r.tokens {
		switch {
		case t.Kind == sqltext.Operator && r.words[i] == "@?":
			f.at(t.Start, "CockroachDB has no operator @?", "write jsonb_path_exists(document, path)")
		case t.Kind == sqltext.Operator && r.words[i] == "<->":
			f.at(t.Start, "CockroachDB has no operator <->", "sort by ST_Distance, within a box that && selects")
		case t.Kind == sqltext.Operator && r.words[i] == "@" && !r.indexHint(i):
			f.at(t.Start, "CockroachDB has no operator @", "write b ~ a for a @ b, and abs(x) for @x")
		case r.is(i, "PUBLIC", ".", "GEOMETRY"), r.is(i, "PUBLIC", ".", "GEOGRAPHY"):
			f.at(t.Start, "CockroachDB takes no schema before this type", "write "+fold(r.words[i+2]))
		case r.is(i, "INTO", "SPATIAL_REF_SYS"), r.is(i, "INTO", "PUBLIC", ".", "SPATIAL_REF_SYS"):
			f.at(t.Start, "CockroachDB's list of coordinate systems cannot be added to", "use one that it knows")
		}
	}
}
