package check

import (
	"fmt"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// An operation may well be a command that makes an index, a view or a trigger, for a new shard say.

var schemaLints = []*lint{
	{
		Rule: Rule{Name: "D18-index-method", Title: "An index method that CockroachDB lacks",
			Explanation: "CockroachDB has btree and inverted (gin, gist) indexes. BRIN, hash and SP-GiST are not implemented.",
			Source:      "cockroachdb/cockroach#41293"},
		on: severities{failure, silent, silent},
		statement: func(r *reading, f *finder) {
			eachIndex(r, func(index *syntax.Node, method string, at int) {
				if method == "brin" || method == "hash" || method == "spgist" {
					f.at(at, "CockroachDB has no "+method+" index", "leave USING out")
				}
			})
		},
	},
	{
		Rule: Rule{Name: "D18-gist", Title: "A GiST index on CockroachDB",
			Explanation: "CockroachDB makes an inverted index of it, which serves spatial columns. For inet it brings nothing: compare the ends of a range, or store the address as bytes.",
			Source:      "CockroachDB: GIN Indexes"},
		on: severities{warning, silent, silent},
		statement: func(r *reading, f *finder) {
			eachIndex(r, func(index *syntax.Node, method string, at int) {
				if method == "gist" {
					f.at(at, "a GiST index serves only spatial columns on CockroachDB", "for addresses, index the column with btree and compare the ends of the range")
				}
			})
		},
	},
	{
		Rule: Rule{Name: "D18-brin", Title: "A BRIN index before PostgreSQL 16",
			Explanation: "Before PostgreSQL 16 a BRIN index keeps updates of its column from staying within the page (HOT), so each of them also writes to every other index. From 16 on it does not. For a column that is never updated it is fine on any version.",
			Source:      "PostgreSQL 16 release notes"},
		on: severities{silent, silent, warning},
		statement: func(r *reading, f *finder) {
			if f.input.Target.Version >= 16 {
				return
			}
			if f.input.Target.Version == 0 {
				f = f.as(info)
			}
			eachIndex(r, func(index *syntax.Node, method string, at int) {
				if method == "brin" {
					f.at(at, "before PostgreSQL 16 a BRIN index makes every update of its column write to all indexes", "leave it out if the column is updated")
				}
			})
		},
	},
	{
		Rule: Rule{Name: "D19-time-index", Title: "An index on a time that every write changes",
			Explanation: "The column is set by each upsert. With an index on it no update can stay within the page (HOT): measured, none did where otherwise nearly all do, and each wrote half as much log again. Expiry can read the whole table now and then for far less. On CockroachDB a rising column makes one range take all writes: use a hash-sharded index there.",
			Source:      "PostgreSQL manual, Heap-Only Tuples; CockroachDB: Hash-sharded Indexes"},
		on:   severities{warning, silent, warning},
		file: timeIndex,
	},
	{
		Rule: Rule{Name: "D20-refresh", Title: "REFRESH MATERIALIZED VIEW together with other statements",
			Explanation: "CockroachDB refuses to refresh a materialised view inside of a transaction that has other statements, and this operation shares one with others. Send it alone, from an operation that is not joined with others.",
			Source:      "CockroachDB: REFRESH"},
		on: severities{failure, silent, silent},
		statement: func(r *reading, f *finder) {
			if r.is(0, "REFRESH", "MATERIALIZED", "VIEW") && r.sharesTransaction() {
				f.at(r.start(), "CockroachDB refuses REFRESH in a transaction with other statements, and this operation shares one", "run it from a schedule outside of Mortise")
			}
		},
	},
	{
		Rule: Rule{Name: "D20-concurrently", Title: "REFRESH .. CONCURRENTLY needs a unique index",
			Explanation: "Without a unique index over all rows of the materialised view PostgreSQL refuses CONCURRENTLY. Whether there is one cannot be seen in the query; a check against the database sees it.",
			Source:      "PostgreSQL manual, REFRESH MATERIALIZED VIEW"},
		on:      severities{silent, silent, info},
		offline: true,
		statement: func(r *reading, f *finder) {
			if i := r.find(0, "REFRESH", "MATERIALIZED", "VIEW", "CONCURRENTLY"); i == 0 {
				f.at(r.offset(3), "CONCURRENTLY works only with a unique index on the view", "see that there is one, without WHERE and on columns alone")
			}
		},
	},
	{
		Rule: Rule{Name: "D21-trigger", Title: "A kind of trigger, or of procedure, that CockroachDB lacks",
			Explanation: "CockroachDB has triggers for each row, before or after. It has none for each statement, none INSTEAD OF, no REFERENCING and no UPDATE OF columns; in bodies PERFORM, EXECUTE, FOUND and GET DIAGNOSTICS are missing. Do the work in the statement itself.",
			Source:      "CockroachDB: Triggers, PL/pgSQL"},
		on:        severities{failure, silent, silent},
		statement: triggers,
	},
	{
		Rule: Rule{Name: "D27-any-column", Title: "= ANY(array column) cannot use a GIN index",
			Explanation: "A GIN index on an array column serves @>, && and <@, but not value = ANY(column): the server reads every row that the other conditions leave. Write column @> ARRAY[value].",
			Source:      "PostgreSQL manual, GIN Indexes; CockroachDB: GIN Indexes"},
		on:        severities{warning, silent, warning},
		offline:   true,
		statement: anyColumn,
	},
}

// eachIndex visits what CREATE INDEX makes, with its method and the place of that word.
func eachIndex(r *reading, visit func(index *syntax.Node, method string, at int)) {
	each(r.tree, "IndexStmt", func(index *syntax.Node) {
		visit(index, fold(index.Text("accessMethod")), r.offset(r.find(0, "USING")+1))
	})
}

func timeIndex(file *file, f *finder) {
	churned := map[string]bool{}
	for _, r := range file.readings {
		each(r.tree, "InsertStmt", func(insert *syntax.Node) {
			table := insert.Child("relation").Text("relname")
			for _, column := range churnedTimes(r, insert) {
				churned[table+"."+column] = true
			}
		})
	}
	for _, r := range file.readings {
		each(r.tree, "IndexStmt", func(index *syntax.Node) {
			table := index.Child("relation").Text("relname")
			for _, part := range index.List("indexParams") {
				if column := part.Text("name"); churned[table+"."+column] {
					on, _ := index.Child("relation").Location()
					f.in(r).at(on, fmt.Sprintf("%s is set by every upsert; with an index on it each of them writes to all indexes", column), "leave the index out; on CockroachDB make it hash-sharded")
				}
			}
		})
	}
}

// churnedTimes returns the columns of an upsert that are set anew to a time when the row exists.
func churnedTimes(r *reading, insert *syntax.Node) []string {
	times := map[string]bool{}
	columns := insert.List("cols")
	for _, row := range insert.Child("selectStmt").List("valuesLists") {
		for i, value := range row.List("items") {
			if i < len(columns) && r.isTime(value) {
				times[columns[i].Text("name")] = true
			}
		}
	}
	var churned []string
	for _, target := range insert.Child("onConflictClause").List("targetList") {
		from := columnOf(target.Child("val"))
		excluded := len(from) == 2 && from[0] == "excluded" && times[from[1]]
		if excluded || r.isTime(target.Child("val")) {
			churned = append(churned, target.Text("name"))
		}
	}
	return churned
}

func triggers(r *reading, f *finder) {
	each(r.tree, "CreateTrigStmt", func(n *syntax.Node) {
		report := func(words []string, what string) {
			f.at(r.offset(max(r.find(0, words...), 0)), "CockroachDB has no "+what, "do the work in the statement itself")
		}
		if n.Number("timing") == triggerInsteadOf {
			report([]string{"INSTEAD", "OF"}, "trigger INSTEAD OF")
		} else if !n.Is("row") {
			report([]string{"STATEMENT"}, "trigger for each statement")
		}
		if n.Has("transitionRels") {
			report([]string{"REFERENCING"}, "REFERENCING in triggers")
		}
		if n.Has("columns") {
			report([]string{"UPDATE", "OF"}, "trigger for the update of some columns")
		}
	})
	if !r.is(0, "DO") && !r.has("PLPGSQL") {
		return
	}
	for _, t := range r.tokens {
		if t.Kind == sqltext.DollarString {
			procedureBody(r, f, t)
		}
	}
}

// triggerInsteadOf is TRIGGER_TYPE_INSTEAD of PostgreSQL's pg_trigger.h.
const triggerInsteadOf = 64

// procedureBody looks for the parts of PL/pgSQL that CockroachDB lacks.
func procedureBody(r *reading, f *finder, body sqltext.Token) {
	text := body.Text(r.text)
	from := len(text) - len(dropTag(text))
	tokens, _ := sqltext.Tokenize(dropTag(text)) // what is not closed is the server's to say
	for _, t := range tokens {
		if t.Kind != sqltext.Identifier {
			continue
		}
		switch word := fold(t.Text(text[from:])); word {
		case "perform", "execute", "found", "diagnostics":
			f.at(body.Start+from+t.Start, fmt.Sprintf("CockroachDB's PL/pgSQL has no %s", word), "write it in plain SQL")
		}
	}
}

// dropTag returns a dollar-quoted literal from behind its opening quote on.
func dropTag(literal string) string {
	for i := 1; i < len(literal); i++ {
		if literal[i] == '$' {
			return literal[i+1:]
		}
	}
	return literal
}

func anyColumn(r *reading, f *finder) {
	each(r.tree, "A_Expr", func(n *syntax.Node) {
		if n.Text("kind") != "AEXPR_OP_ANY" || last(names(n.List("name"))) != "=" {
			return
		}
		column := columnOf(n.Child("rexpr"))
		number := parameterNumber(uncast(n.Child("lexpr")))
		if column == nil || number == 0 {
			return
		}
		name := last(column)
		f.at(locate(n), fmt.Sprintf("no GIN index on %s can serve this", name), fmt.Sprintf("write %s @> ARRAY[%s]", name, r.written(number)))
	})
}
