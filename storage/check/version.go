package check

import (
	"fmt"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

var versionLints = []*lint{
	{
		Rule: Rule{Name: "D26-version", Title: "A feature above the declared version",
			Explanation: "The key target names the lowest version of PostgreSQL that the queries have to run on, and this one uses something that came later: it cannot be prepared there. Raise the version in target if no older server is left, or write the query without the feature.",
			Source:      "PostgreSQL release notes, 11 to 18"},
		on:        severities{silent, silent, failure},
		statement: aboveVersion,
	},
	{
		Rule: Rule{Name: "D26-search-path", Title: "A materialised view from PostgreSQL 17 on",
			Explanation: "From PostgreSQL 17 on, materialised views are made and refreshed with a safe search_path. A function in the view that names tables or functions without their schema then fails. The query does not show whether the functions that it calls do; name schemas everywhere in them, or set search_path on the function.",
			Source:      "PostgreSQL 17 release notes"},
		on:        severities{silent, silent, warning},
		statement: safeSearchPath,
	},
}

// since holds the features that are a function or a sequence of words.
var (
	functionsSince = map[string]int{
		"jsonb_path_exists": 12, "jsonb_path_match": 12, "jsonb_path_query": 12, "jsonb_path_query_array": 12, "jsonb_path_query_first": 12,
		"gen_random_uuid": 13, "trim_scale": 13, "gcd": 13, "lcm": 13,
		"date_bin": 14, "bit_count": 14, "string_to_table": 14, "range_agg": 14, "unistr": 14,
		"regexp_count": 15, "regexp_like": 15, "regexp_instr": 15, "regexp_substr": 15,
		"any_value": 16, "json_arrayagg": 16, "json_objectagg": 16, "random_normal": 16, "array_sample": 16, "array_shuffle": 16, "date_add": 16, "date_subtract": 16,
		"json_table": 17, "json_exists": 17, "json_value": 17, "json_query": 17, "json_scalar": 17, "json_serialize": 17,
		"uuid_extract_timestamp": 17, "uuid_extract_version": 17, "to_bin": 17, "to_oct": 17,
		"uuidv7": 18, "uuidv4": 18, "casefold": 18, "array_reverse": 18, "array_sort": 18, "crc32": 18, "crc32c": 18,
	}
	wordsSince = []struct {
		words   []string
		feature string
		version int
	}{
		{[]string{"CALL"}, "CALL", 11},
		{[]string{"AS", "MATERIALIZED"}, "AS MATERIALIZED", 12},
		{[]string{"AS", "NOT", "MATERIALIZED"}, "AS NOT MATERIALIZED", 12},
		{[]string{"@?"}, "the operator @?", 12},
		{[]string{"WITH", "TIES"}, "WITH TIES", 13},
		{[]string{"SEARCH", "DEPTH", "FIRST"}, "SEARCH of a recursive query", 14},
		{[]string{"SEARCH", "BREADTH", "FIRST"}, "SEARCH of a recursive query", 14},
		{[]string{"GROUP", "BY", "DISTINCT"}, "GROUP BY DISTINCT", 14},
		{[]string{"MERGE", "INTO"}, "MERGE", 15},
		{[]string{"NULLS", "NOT", "DISTINCT"}, "NULLS NOT DISTINCT", 15},
		{[]string{"NOT", "MATCHED", "BY", "SOURCE"}, "WHEN NOT MATCHED BY SOURCE", 17},
		{[]string{"VIRTUAL"}, "a virtual generated column", 18},
	}
)

func aboveVersion(r *reading, f *finder) {
	t := f.input.Target
	if t.Product != PostgreSQL || t.Version == 0 {
		return
	}
	needs := func(at int, feature string, version int) {
		if version > t.Version {
			f.at(at, fmt.Sprintf("%s needs PostgreSQL %d, and the file is for %d", feature, version, t.Version), "write it without, or raise the version in target")
		}
	}
	for i, token := range r.tokens {
		if token.Kind != sqltext.Identifier || !r.is(i+1, "(") || r.is(i-1, ".") && !r.is(i-2, "PG_CATALOG") {
			continue
		}
		if version := functionsSince[fold(r.words[i])]; version > 0 {
			needs(token.Start, fold(r.words[i])+"()", version)
		}
	}
	for _, w := range wordsSince {
		i := r.find(0, w.words...)
		if i < 0 || len(w.words) == 1 && w.feature == "CALL" && i > 0 || w.words[0] == "VIRTUAL" && !r.is(i-1, ")") {
			continue
		}
		needs(r.offset(i), w.feature, w.version)
	}
	each(r.tree, "A_Indices", func(n *syntax.Node) {
		if n.Child("uidx").Has("sval") && !n.Is("is_slice") {
			needs(locate(n), "a subscript of jsonb", 14)
		}
	})
	returningSince(r, needs)
}

// returningSince reports what RETURNING has learnt: MERGE .. RETURNING, and the row before and after.
func returningSince(r *reading, needs func(at int, feature string, version int)) {
	r.tree.Walk(func(n *syntax.Node) bool {
		targets := n.List("returningList")
		if len(targets) == 0 {
			return true
		}
		if n.Kind == "MergeStmt" {
			needs(r.back(locate(targets[0]), "RETURNING"), "RETURNING of MERGE", 17)
		}
		own := map[string]bool{n.Child("relation").Child("alias").Text("aliasname"): true, n.Child("relation").Text("relname"): true}
		for _, item := range append(n.List("fromClause"), n.List("usingClause")...) {
			own[item.Child("alias").Text("aliasname")], own[item.Text("relname")] = true, true
		}
		for _, target := range targets {
			target.Walk(func(n *syntax.Node) bool {
				if parts := columnOf(n); len(parts) == 2 && (parts[0] == "old" || parts[0] == "new") && !own[parts[0]] {
					needs(locate(n), "RETURNING "+parts[0], 18)
				}
				return true
			})
		}
		return true
	})
}

func safeSearchPath(r *reading, f *finder) {
	t := f.input.Target
	if t.Product != PostgreSQL || t.Version < 17 || !r.is(0, "CREATE", "MATERIALIZED", "VIEW") {
		return
	}
	each(r.tree, "FuncCall", func(call *syntax.Node) {
		if len(names(call.List("funcname"))) == 1 && !builtin[fold(last(names(call.List("funcname"))))] {
			f.at(locate(call), "from PostgreSQL 17 on, a function without its schema is not found when the view is refreshed, unless it is the server's own",
				"write its schema, and name schemas inside of it as well")
		}
	})
}

// builtin are functions that views often call and that are surely the server's own.
var builtin = wordSet(`count sum avg min max bool_and bool_or every array_agg string_agg jsonb_agg json_agg jsonb_object_agg
	coalesce now lower upper length substr substring date_trunc date_part extract greatest least unnest row_number rank dense_rank
	jsonb_build_object json_build_object to_jsonb to_json md5 abs round floor ceil trunc concat concat_ws format split_part
	array_length cardinality generate_series percentile_cont percentile_disc mode lag lead first_value last_value`)
