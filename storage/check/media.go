package check

import (
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// impliedMedia says which parameters of the media domain a query may leave out, because others that it
// uses say the same: a claim is named by its key, or by the hash and the variant of which the key is
// made; a job has one queue; a notification is sent in words that hold the ids. The contract gives them
// all so that each schema finds what it has columns for.
var impliedMedia = map[string]map[string][][]string{
	"media.variants.claim_query":     claimNames,
	"media.variants.heartbeat_query": claimNames,
	"media.variants.release_query":   claimNames,
	"media.variants.claimed_query":   claimNames,
	"media.variants.notify_query":    claimNames,
	"media.queue.heartbeat_query":    {"queue": {{"job_id"}}},
	"media.queue.complete_query":     {"queue": {{"job_id"}}},
	"media.queue.fail_query":         {"queue": {{"job_id"}}},
	"media.queue.notify_query":       {"queue": {{"payload"}}, "job_id": {{"payload"}}, "payload": {{"job_id"}}},
}

var claimNames = map[string][][]string{
	"key":     {{"hash", "variant"}},
	"hash":    {{"key"}},
	"variant": {{"key"}},
}

// implied says whether the query knows a parameter's value by other parameters that it uses.
func (r *reading) implied(p *operation.Parameter) bool {
	for _, others := range impliedMedia[r.op.Key][p.Name] {
		all := true
		for _, name := range others {
			all = all && r.statement.Uses(name)
		}
		if all {
			return true
		}
	}
	return false
}

// The rules of the media contract for originals, names, pages and the move between stores.

var mediaLints = []*lint{
	{
		Rule: Rule{Name: "M08", Title: "Any clash counts as an existing hash",
			Explanation: "ON CONFLICT DO NOTHING without a target takes every unique key of the table for the hash's. If identifiers are unique, too, a hash whose identifier somebody else has is then answered as a second upload of the same content, and the host deletes the file it has just stored. Name the key: ON CONFLICT (hash) DO NOTHING.",
			Source:      "media contract, hashes.create"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			if i := r.find(0, "ON", "CONFLICT", "DO"); i >= 0 {
				f.at(r.offset(i), "a clash of identifiers is taken for an existing hash", "write ON CONFLICT (hash) DO NOTHING")
			}
		}, "media.hashes.create_query"),
	},
	{
		Rule: Rule{Name: "M09", Title: "A page hangs on one row",
			Explanation: "The place where a page begins is given by value, as time and hash, because the row may be gone by the time the next page is asked for. A query that looks the row up again finds nothing then: a stream over all hashes would end in the middle, without an error.",
			Source:      "media contract, hashes.page"},
		on:        always(warning),
		statement: of(looksUpBound, "media.hashes.page_query", "media.hashes.prev_query"),
	},
	{
		Rule: Rule{Name: "M10", Title: "Everything older is read for one row",
			Explanation: "The newest hash before a date is wanted, and nothing stops the query there: it reads and sorts all older ones, of which the first is used. Order by time and hash, both descending, and add LIMIT 1.",
			Source:      "media contract, hashes.bound_by_date"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			if r.tree != nil && r.top("FROM") >= 0 && !r.has("LIMIT") && !r.has("FETCH") && !r.has("MAX", "(") {
				f.at(r.offset(max(r.top("SELECT"), 0)), "all older hashes are read, and one is wanted", "add ORDER BY .. DESC LIMIT 1")
			}
		}, "media.hashes.bound_by_date_query"),
	},
	{
		Rule: Rule{Name: "M11", Title: "Moved files are not recognised",
			Explanation: "After a file was moved its hash or variant has the new identifier. A move that goes on after a stop asks for that one; where only old identifiers are looked at, it is taken for a file that is still to be moved, and is not found in the old store. Compare both columns.",
			Source:      "media contract, section 8 and 13.8"},
		on:        always(warning),
		statement: of(oneColumn, "media.store_migration.is_migrated_query"),
	},
	{
		Rule: Rule{Name: "M12", Title: "A join drops rows that must be there",
			Explanation: "The column comes from a table that is joined without LEFT, so where that table has nothing the whole row is missing: an alias whose details are not recorded yet, or whose variant is not generated, then counts as unknown. Use LEFT JOIN; the column is NULL then, which is what the contract asks for.",
			Source:      "media contract, aliases.resolve, variants.resolve, proxies.resolve, hashes.describe"},
		on:        always(warning),
		statement: of(droppedRows, "media.aliases.resolve_query", "media.variants.resolve_query", "media.proxies.resolve_query", "media.hashes.describe_query"),
	},
	{
		Rule: Rule{Name: "M13", Title: "Base64 with line breaks",
			Explanation: "encode(.., 'base64') breaks the text into lines of 76 characters. Up to 56 bytes there is no break, and nobody notices; a longer hash gets one, and no longer equals what another program has stored. Write replace(encode(.., 'base64'), E'\\n', '').",
			Source:      "PostgreSQL manual, Binary String Functions; media contract, section 10"},
		on:        always(warning),
		statement: brokenLines,
	},
	{
		Rule: Rule{Name: "M14", Title: "Variants may stay behind",
			Explanation: "A hash goes with its variants. There is no variants.remove_all_query, and cleanup_query deletes from one table only. That is right where a foreign key deletes the variants (ON DELETE CASCADE); elsewhere the hash cannot be removed, or its variants stay for ever.",
			Source:      "media contract, hashes.cleanup"},
		on:   always(info),
		file: variantsStay,
	},
}

// looksUpBound reports a sub-select that finds a row by the hash that was given.
func looksUpBound(r *reading, f *finder) {
	each(r.tree, "SubLink", func(link *syntax.Node) {
		where := link.Child("subselect").Child("whereClause")
		each(where, "A_Expr", func(n *syntax.Node) {
			if operator(n) == "=" && r.usesParameter(n, "hash") {
				f.at(locate(n), "if the row of this hash is gone, the page is empty", "compare with @created_at and @hash themselves")
			}
		})
	})
}

// oneColumn reports a look at a single column.
func oneColumn(r *reading, f *finder) {
	compared, at := map[string]bool{}, -1
	each(r.tree, "A_Expr", func(n *syntax.Node) {
		for _, sides := range [][2]string{{"lexpr", "rexpr"}, {"rexpr", "lexpr"}} {
			column := last(columnOf(uncast(n.Child(sides[0]))))
			if column != "" && r.usesParameter(n.Child(sides[1]), "identifier") {
				compared[column] = true
				at = locate(n)
			}
		}
	})
	if len(compared) == 1 {
		f.at(at, "identifiers that files were moved to are not recognised", "compare the column of new identifiers as well")
	}
}

// droppedRows reports columns that may be NULL by the contract and come from behind an inner join.
func droppedRows(r *reading, f *finder) {
	if r.tree == nil || r.tree.Kind != "SelectStmt" {
		return
	}
	inner := map[string]bool{}
	for _, from := range arms(r.tree)[0].List("fromClause") {
		markInner(from, inner)
	}
	for _, target := range results(r.tree) {
		parts := columnOf(target.Child("val"))
		if len(parts) < 2 || !inner[parts[len(parts)-2]] || !mayBeNull[resultName(target)] {
			continue
		}
		f.at(locate(target), "where "+parts[len(parts)-2]+" has no row, the result has none", "write LEFT JOIN")
	}
}

// mayBeNull are the columns that are NULL where there is nothing yet.
var mayBeNull = wordSet("alias identifier details")

// markInner notes the tables on the right of joins that drop rows.
func markInner(n *syntax.Node, inner map[string]bool) {
	if n == nil || n.Kind != "JoinExpr" {
		return
	}
	markInner(n.Child("larg"), inner)
	if right := n.Child("rarg"); n.Text("jointype") == "JOIN_INNER" && right.Kind == "RangeVar" {
		name := right.Child("alias").Text("aliasname")
		if name == "" {
			name = right.Text("relname")
		}
		inner[name] = true
	}
	markInner(n.Child("rarg"), inner)
}

// brokenLines reports base64 whose line breaks nobody takes out, except of values that are short for
// certain.
func brokenLines(r *reading, f *finder) {
	if r.op.Section != mediaSection || r.tree == nil {
		return
	}
	r.tree.Walk(func(n *syntax.Node) bool {
		name, own := function(n)
		if own && joinsLines[name] {
			return false
		}
		if arguments := n.List("args"); own && name == "encode" && len(arguments) == 2 && fold(arguments[1].Child("sval").Text("sval")) == "base64" {
			if p := r.parameter(parameterNumber(uncast(arguments[0]))); p == nil || p.Kind != operation.UUID {
				f.at(locate(n), "text of more than 76 characters gets line breaks", `write replace(encode(.., 'base64'), E'\n', '')`)
			}
		}
		return true
	})
}

// joinsLines are the functions with which line breaks are taken out.
var joinsLines = wordSet("replace translate regexp_replace")

func variantsStay(file *file, f *finder) {
	cleanup := file.statement("media.hashes.cleanup_query")
	if cleanup == nil || cleanup.tree == nil || file.statement("media.variants.remove_all_query") != nil || file.statement("media.variants.for_hash_query") == nil {
		return
	}
	deletes := 0
	each(cleanup.tree, "DeleteStmt", func(*syntax.Node) { deletes++ })
	if deletes == 1 {
		f.in(cleanup).at(cleanup.start(), "the variants are not deleted, unless a foreign key does it", "add variants.remove_all_query")
	}
}
