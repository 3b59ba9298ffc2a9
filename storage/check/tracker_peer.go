package check

import (
	"fmt"
	"strings"

	"github.com/mortise-storage/mortise/storage/query/sqltext"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// The rules of the tracker's contract for what is done to peers.

const (
	announceQuery = "tracker.announce.query"
	mixedQuery    = "tracker.announce.mixed_query"
	addQuery      = "tracker.peer.add_query"
	graduateQuery = "tracker.peer.graduate_query"
)

// of makes a rule look at some operations only.
func of(check func(*reading, *finder), keys ...string) func(*reading, *finder) {
	return func(r *reading, f *finder) {
		for _, key := range keys {
			if r.op.Key == key {
				check(r, f)
			}
		}
	}
}

var trackerPeerLints = []*lint{
	{
		Rule: Rule{Name: "T01", Title: "Graduate promotes other peers as well",
			Explanation: selfComparisonExplanation + " In graduate_query every leecher at the same address and port becomes a seeder. The sample that MoChi documents has this mistake; it came in when positions were replaced by names.",
			Source:      "tracker contract, T01"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			selfComparison(r, func(at int, column, write string) {
				f.at(at, fmt.Sprintf("%s = %s is always true: %s", column, column, promoted(column)), write)
			})
		}, graduateQuery),
	},
	{
		Rule: Rule{Name: "T02", Title: "Graduate does not use the whole peer key",
			Explanation: "A peer is known by info hash, peer id, address and port. A part that the query does not use is a part by which peers are not told apart: others are promoted with the one that is meant.",
			Source:      "tracker contract, T02"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			for _, p := range r.op.Parameters {
				if p.Identity() && !r.statement.Uses(p.Name) {
					f.at(r.start(), "required parameter @"+p.Name+" is not used", "compare it with the column that holds the "+strings.ReplaceAll(p.Name, "_", " "))
				}
			}
		}, graduateQuery),
	},
	{
		Rule: Rule{Name: "T03", Title: "Graduate keeps the peer's old timestamp",
			Explanation: "A client that completes sends this event and nothing else. If the query leaves the time as it was, the new seeder has the age of the leecher: put at minute 0, completed at 20, collected at 30, while its next announce is due at 50.",
			Source:      "tracker contract, T03"},
		on:        always(warning),
		statement: of(oldTimestamp, graduateQuery),
	},
	{
		Rule: Rule{Name: "T04", Title: "Positions where the other queries have names", Explanation: positionalExplanation,
			Source: "tracker contract, T04"},
		on: always(info),
		file: func(file *file, f *finder) {
			positional(file, f, func(section string) bool { return section == trackerSection })
		},
	},
	{
		Rule: Rule{Name: "T05", Title: "Everyone gets the same peers of a large swarm",
			Explanation: "LIMIT without ORDER BY gives the rows that the server comes upon first, and these are always the same ones. In a large swarm a few peers are then handed out to everybody, and all others to nobody. ORDER BY random() is right for some thousand peers; the default query set shows a choice whose cost does not grow with the swarm.",
			Source:      "tracker contract, T05; torrust/torrust-tracker#1604"},
		on:        always(warning),
		statement: of(sameForAll, announceQuery, mixedQuery),
	},
	{
		Rule: Rule{Name: "T06", Title: "Stale peers are handed out until they are collected",
			Explanation: "Collection runs now and then, so there are peers as old as peer_lifetime and gc_interval together. @alive_since is the time before which a peer is stale; it is NULL where nobody is, so write (created > @alive_since) IS NOT FALSE.",
			Source:      "tracker contract, T06"},
		on:        always(info),
		statement: of(staleVisible, announceQuery, mixedQuery),
	},
	{
		Rule: Rule{Name: "T07", Title: "The requester is not left out",
			Explanation: "A client has no use for its own address. Mortise drops it anyway, and asks for one row more to make up for it; a query that leaves it out itself saves that. @peer_id, @address and @port are NULL if the caller is not known.",
			Source:      "tracker contract, T07"},
		on:        always(info),
		statement: of(requesterVisible, announceQuery, mixedQuery),
	},
	{
		Rule: Rule{Name: "tracker-fixed-role", Title: "Announce asks for one role, whatever was wanted",
			Explanation: "The query compares the column that holds the role, but not with @is_seeder. Mortise sends it once for seeders and once for leechers and would get the same peers twice.",
			Source:      "tracker contract, further checks"},
		on:        always(warning),
		statement: of(fixedRole, announceQuery),
	},
	{
		Rule: Rule{Name: "tracker-derived", Title: "Add leaves a value to the database",
			Explanation: "add_query does not use @is_v6 or @created. That is fine if the database finds them out by itself: the family from the address, the time from a default. Then the database's clock decides what is stale, while the cutoff of the collection comes from the service's: keep the two close together.",
			Source:      "tracker contract, further checks"},
		on: always(info),
		statement: of(func(r *reading, f *finder) {
			for _, name := range []string{"is_v6", "created"} {
				if !r.statement.Uses(name) {
					f.at(r.start(), "@"+name+" is not used, so the database has to know it by itself", "nothing, if a default, a trigger or a function does that")
				}
			}
		}, addQuery),
	},
}

// promoted says who is promoted when a column of the peer key is not compared.
func promoted(column string) string {
	switch name := column[strings.LastIndexByte(column, '.')+1:]; name {
	case "address", "ip", "port":
		return "every leecher with this peer id is promoted, whatever its " + name
	case "info_hash":
		return "the leecher is promoted in every swarm"
	}
	return "every leecher at this address and port is promoted"
}

func oldTimestamp(r *reading, f *finder) {
	if r.statement.Uses("created") || r.asksClock() {
		return
	}
	at := r.find(0, "SET")
	if at < 0 {
		return // a function: what it does cannot be seen
	}
	f.at(r.offset(at), "a graduated peer keeps its old timestamp and can be collected while alive", "set it from @created")
}

func sameForAll(r *reading, f *finder) {
	limit := r.top("LIMIT")
	if limit < 0 {
		limit = r.top("FETCH")
	}
	if limit < 0 || r.top("ORDER") >= 0 || r.has("TABLESAMPLE") || len(r.calls(wordSet("random gen_random_uuid gen_random_bytes"))) > 0 {
		return
	}
	f.at(r.offset(limit), "no ORDER BY: all requesters of a large swarm get the same peers", "add ORDER BY random(), or begin at a random place")
}

func staleVisible(r *reading, f *finder) {
	if !r.statement.Uses("alive_since") && !r.asksClock() {
		f.at(r.condition(), "stale peers stay visible until collection", "compare with @alive_since")
	}
}

func requesterVisible(r *reading, f *finder) {
	if !r.statement.Uses("address") && !r.statement.Uses("port") && !r.statement.Uses("peer_id") {
		f.at(r.condition(), "requester not excluded; the service drops it and reads one extra row", "compare with @address and @port")
	}
}

// condition is the place where a condition is missing: WHERE, else FROM.
func (r *reading) condition() int {
	for _, word := range []string{"WHERE", "FROM"} {
		if i := r.top(word); i >= 0 {
			return r.offset(i)
		}
	}
	return r.start()
}

func fixedRole(r *reading, f *finder) {
	if r.statement.Uses("is_seeder") {
		return
	}
	report := func(n *syntax.Node) {
		name := last(columnOf(n))
		if lower := fold(name); strings.Contains(lower, "seed") || strings.Contains(lower, "leech") || strings.Contains(lower, "role") {
			f.at(locate(n), name+" is compared, but not with @is_seeder: both roles get the same peers", "write "+name+" = "+r.roleParameter())
		}
	}
	// In the condition a column of the role stands alone, behind NOT, or beside a constant.
	for _, arm := range arms(r.tree) {
		arm.Child("whereClause").Walk(func(n *syntax.Node) bool {
			if n.Kind == "SubLink" {
				return false
			}
			if n.Kind == "ColumnRef" {
				report(n)
			}
			return true
		})
	}
}

func (r *reading) roleParameter() string {
	if r.statement.Compiled().Style == sqltext.Positional {
		return "$2"
	}
	return "@is_seeder"
}
