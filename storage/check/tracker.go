package check

import (
	"fmt"
	"strings"
	"time"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/query/syntax"
)

// The rules of the tracker's contract for counters, data, upkeep and settings.

const (
	scrapeQuery        = "tracker.peer.scrape_query"
	swarmClause        = "tracker.peer.by_info_hash_clause"
	downloadsQuery     = "tracker.downloads.get_query"
	countQuery         = "tracker.peer.count_query"
	incQuery           = "tracker.downloads.inc_query"
	dataAddQuery       = "tracker.data.add_query"
	gcQuery            = "tracker.gc_query"
	infoHashCountQuery = "tracker.info_hash_count_query"
	reportingInterval  = "tracker.prometheus_reporting_interval"
	peerLifetime       = "tracker.peer_lifetime"
	connectionString   = "connection_string"
)

const (
	// usualInterval is what trackers tell their clients when nobody chose otherwise (30 minutes in
	// MoChi's and chihaya's example configurations).
	usualInterval = 30 * time.Minute
	// frequent is a period for which statistics over whole tables are too often: below it even
	// Prometheus' shorter common scrape intervals see nothing of them.
	frequent = 15 * time.Second
)

var trackerLints = []*lint{
	{
		Rule: Rule{Name: "T09", Title: "The first download is left to a default",
			Explanation: "The query inserts the info hash and no number, so the first count is whatever default the column has. With a default of 0 the first completion of every torrent is lost. Insert 1.",
			Source:      "tracker contract, T09"},
		on:        always(warning),
		statement: of(noCounter, incQuery),
	},
	{
		Rule: Rule{Name: "T10", Title: "Put does not overwrite",
			Explanation: "With DO NOTHING the first value stored under a key stays, and later ones are dropped without an error. All other stores of MoChi overwrite. If the first value should win, leave it; otherwise write DO UPDATE SET value = excluded.value.",
			Source:      "tracker contract, T10"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			if i := r.find(0, "DO", "NOTHING"); i >= 0 {
				f.at(r.offset(i), "existing keys keep their first value (first write wins)", "write DO UPDATE SET value = excluded.value, with your column")
			}
		}, dataAddQuery),
	},
	{
		Rule: Rule{Name: "T11", Title: "Collection in one piece",
			Explanation: "All stale peers are deleted by one statement. That is little in ordinary operation; after the tracker was away for an hour it is nearly the whole table in one transaction, with the locks and the log that go with it. With @limit (gc_limit rows) Mortise repeats the query as long as there is something left, each time in a transaction of its own.",
			Source:      "tracker contract, T11"},
		on:        always(info),
		statement: of(unbounded, gcQuery),
	},
	{
		Rule: Rule{Name: "T12", Title: "Statistics too often",
			Explanation: "The two statistics queries read the whole table: together 0.7 seconds for a million peers, and so about 7 for ten million, on every node. A minute is often enough for a graph. Or keep the numbers in a table of counters and read them from there.",
			Source:      "tracker contract, T12"},
		on:   always(warning),
		file: frequentStatistics,
	},
	{
		Rule: Rule{Name: "T13", Title: "Peers expire before their next announce",
			Explanation: "A peer is collected when its last announce is older than peer_lifetime. If that is not longer than the interval at which clients announce, peers that are alive come and go. The default, 30m, equals the usual interval: set peer_lifetime a little above yours, 31m for instance.",
			Source:      "tracker contract, T13"},
		on:   always(warning),
		file: shortLifetime,
	},
	{
		Rule: Rule{Name: "T15", Title: "A word in the connection string that psql does not know",
			Explanation: "In a connection string of words and values the driver takes database= for dbname=. The server's own tools do not, so the same string fails in psql and pg_dump.",
			Source:      "tracker contract, T15; PostgreSQL manual, Database Connection Control"},
		on: always(info),
		file: func(file *file, f *finder) {
			if dsnHas(file.Connection, "database") {
				f.key(connectionString, "database= works here, not in psql", "write dbname=")
			}
		},
	},
	{
		Rule: Rule{Name: "tracker-cutoff", Title: "Collection that does not know what is stale",
			Explanation: "gc_query uses neither @created, the time up to which peers are stale, nor @lifetime, their age in seconds. What it deletes then has nothing to do with peer_lifetime.",
			Source:      "tracker contract, gc_query"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			if !r.statement.Uses("created") && !r.statement.Uses("lifetime") {
				f.at(r.start(), "neither @created nor @lifetime is used, so peer_lifetime has no effect", "compare the peers' time with @created")
			}
		}, gcQuery),
	},
	{
		Rule: Rule{Name: "tracker-no-value", Title: "Data is stored without its value",
			Explanation: "add_query does not use @value, so keys exist and every value that is read is empty. A host that only asks whether a key exists does not notice.",
			Source:      "tracker contract, further checks"},
		on: always(warning),
		statement: of(func(r *reading, f *finder) {
			if !r.statement.Uses("value") {
				f.at(r.start(), "@value is not used, so nothing is stored under the key", "insert @value")
			}
		}, dataAddQuery),
	},
	{
		Rule: Rule{Name: "tracker-unused-query", Title: "A query that is never sent",
			Explanation: "Where there is a mixed_query, it is sent for every announce and `query` for none. `query` has to be there all the same, so that mixed_query can be taken out again; but changing it changes nothing. In the same way downloads.get_query is never sent where scrape_query stands alone: with no by_info_hash_clause beside it, it answers every scrape, and it brings the downloads itself.",
			Source:      "tracker contract, 2.2"},
		on:   always(info),
		file: unusedQueries,
	},
}

// unusedQueries follows the choices of package tracker: which queries an announce and a scrape send.
func unusedQueries(file *file, f *finder) {
	if r := file.statement(announceQuery); r != nil && file.statement(mixedQuery) != nil {
		f.in(r).at(r.start(), "this query is never sent, because there is a mixed_query", "tune mixed_query, or remove it to use this one")
	}
	if r := file.statement(downloadsQuery); r != nil && file.statement(scrapeQuery) != nil && file.statement(swarmClause) == nil {
		f.in(r).at(r.start(), "this query is never sent, because scrape_query answers every scrape", "let scrape_query return the downloads, or add by_info_hash_clause for scrapes of one torrent")
	}
}

func noCounter(r *reading, f *finder) {
	each(r.tree, "InsertStmt", func(insert *syntax.Node) {
		source := insert.Child("selectStmt")
		rows := source.List("valuesLists")
		if len(rows) == 0 {
			return
		}
		for _, value := range rows[0].List("items") {
			if parameterNumber(uncast(value)) == 0 {
				return
			}
		}
		at := r.find(0, "VALUES")
		f.at(r.offset(at), "no counter value inserted: relies on the column default being 1", "insert 1 as well")
	})
}

func unbounded(r *reading, f *finder) {
	if r.statement.Uses("limit") || r.has("LIMIT") || r.has("FETCH") {
		return
	}
	for i := range r.words {
		if r.changesRows(i) {
			f.at(r.offset(i), "deletes all stale rows at once", "add @limit for chunks")
			return
		}
	}
}

func frequentStatistics(file *file, f *finder) {
	s, ok := file.Settings[trackerSection].(*trackerv1.Settings)
	if !ok {
		return
	}
	interval := s.GetPrometheusReportingInterval().AsDuration()
	if interval <= 0 || interval >= frequent {
		return
	}
	for _, key := range []string{countQuery, infoHashCountQuery} {
		if r := file.statement(key); r != nil && (r.has("COUNT", "(") || r.has("DISTINCT")) {
			f.key(reportingInterval, fmt.Sprintf("statistics scan the whole table every %s", shortDuration(interval)), "raise the interval or use counters")
			return
		}
	}
}

func shortLifetime(file *file, f *finder) {
	s, ok := file.Settings[trackerSection].(*trackerv1.Settings)
	if !ok || file.statement(addQuery) == nil {
		return
	}
	lifetime, interval := s.GetPeerLifetime().AsDuration(), file.AnnounceInterval
	if interval == 0 {
		interval = usualInterval
		if lifetime != usualInterval { // chosen, and perhaps for another interval
			return
		}
	}
	if lifetime > interval {
		return
	}
	fix := fmt.Sprintf("write peer_lifetime: %s", shortDuration(interval+time.Minute))
	if !file.given(peerLifetime) {
		fix = "it is not in the file, and 30m is the default; " + fix
	}
	if file.AnnounceInterval == 0 {
		fix += ", or a little more than your interval if it is another one"
	}
	f.key(peerLifetime, fmt.Sprintf("peer_lifetime %s should exceed the announce interval", shortDuration(lifetime)), fix)
}

// shortDuration prints 30m where Go prints 30m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// dsnHas says whether a connection string of words and values has the word. Values may be in quotes
// (PostgreSQL manual, "Keyword/Value Connection Strings").
func dsnHas(dsn, word string) bool {
	if strings.Contains(dsn, "://") {
		return false
	}
	for rest := dsn; ; {
		key, value, ok := strings.Cut(rest, "=")
		if !ok {
			return false
		}
		if strings.TrimSpace(key) == word {
			return true
		}
		rest = afterValue(strings.TrimLeft(value, " \t\n"))
	}
}

// afterValue returns what stands behind a value of a connection string.
func afterValue(text string) string {
	quoted := strings.HasPrefix(text, "'")
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case quoted && i > 0 && text[i] == '\'':
			return text[i+1:]
		case !quoted && strings.IndexByte(" \t\n", text[i]) >= 0:
			return text[i:]
		}
	}
	return ""
}
