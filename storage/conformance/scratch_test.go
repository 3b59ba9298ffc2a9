package conformance_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
)

type mutant struct{ key, what, sql string }

var words = []struct{ from, to string }{
	{`<=`, `>`}, {`\bNOT IN\b`, `IN`}, {`\bNOT `, ` `}, {`\+ 1\b`, `+ 2`}, {`, 1\)`, `, 0)`}, {`\bDESC\b`, `ASC`}, {`(?i)\btrue\b`, `FALSE`}, {`(?i)\bfalse\b`, `TRUE`},
	{`DISTINCT `, ``}, {`(?s)DO UPDATE\s+SET.*$`, `DO NOTHING`}, {`excluded\.(\w+)`, `p0.$1`}, {`LIMIT [^\n)]+`, ``}, {`= ANY \(`, `<> ALL (`}, {`= ANY\(`, `<> ALL (`},
	{` > @alive_since`, ` < @alive_since`}, {`\bUNION ALL\b`, `EXCEPT ALL`}, {`\b6\b`, `4`}, {`count\(\*\)`, `count(*) + 1`}, {`= @(\w+)`, `<> @$1`}, {`@limit`, `0`}, {`@count`, `(@count - 2)`},
	{`ORDER BY [^\n]+`, ``},
}

func mutants(key, sql string) []mutant {
	var all []mutant
	add := func(what, s string) {
		if s != sql {
			all = append(all, mutant{key, what, s})
		}
	}
	lines := strings.Split(sql, "\n")
	for i, l := range lines {
		tr := strings.TrimSpace(l)
		join := func(with ...string) string {
			return strings.Join(append(append(append([]string{}, lines[:i]...), with...), lines[i+1:]...), "\n")
		}
		if strings.HasPrefix(tr, "AND ") && strings.Count(tr, "(") == strings.Count(tr, ")") {
			add("drop: "+tr, join())
		}
		if m := regexp.MustCompile(`WHERE (.*)`).FindStringSubmatch(l); m != nil && strings.Count(m[1], "(") == strings.Count(m[1], ")") && !strings.Contains(m[1], " AND ") {
			add("drop: "+tr, join(strings.Replace(l, m[1], "TRUE", 1)))
		}
		if strings.Contains(l, " = excluded.") {
			for _, part := range regexp.MustCompile(`(\w+) *= excluded\.(\w+)`).FindAllString(l, -1) {
				col := strings.Fields(part)[0]
				add("keep old: "+part, join(strings.Replace(l, part, col+" = "+table(sql)+"."+col, 1)))
			}
		}
		if m := regexp.MustCompile(`(updated_at|created|seeder|is_seeder) *= (COALESCE\(@created, \w+\)|TRUE)`).FindStringSubmatch(l); m != nil {
			add("keep old: "+m[0], join(strings.Replace(l, m[0], m[1]+" = "+m[1], 1)))
		}
		for _, part := range strings.Split(l, " AND ") {
			if p := strings.TrimSpace(part); strings.Contains(l, " AND ") && strings.Contains(p, "=") {
				add("drop part: "+p, join(strings.Replace(strings.Replace(l, " AND "+part, "", 1), part, part, 1)))
			}
		}
	}
	for _, w := range words {
		re := regexp.MustCompile(w.from)
		for n, loc := range re.FindAllStringSubmatchIndex(sql, -1) {
			dst := re.ExpandString(nil, w.to, sql, loc)
			s := sql[:loc[0]] + string(dst) + sql[loc[1]:]
			s = strings.ReplaceAll(s, "p0.", table(sql)+".")
			add(fmt.Sprintf("%s -> %s (%d)", w.from, w.to, n+1), s)
		}
	}
	groups := [][]string{{"info_hash", "peer_id"}, {"is_seeder", "is_v6"}, {"for_seeder", "is_v6"}, {"key", "value"}, {"downloaded", "uploaded"}}
	for _, g := range groups {
		if strings.Contains(sql, "@"+g[0]) && strings.Contains(sql, "@"+g[1]) {
			re := regexp.MustCompile("@(" + g[0] + "|" + g[1] + `)\b`)
			add("swap "+g[0]+" "+g[1], re.ReplaceAllStringFunc(sql, func(s string) string {
				if s == "@"+g[0] {
					return "@" + g[1]
				}
				return "@" + g[0]
			}))
		}
	}
	return all
}

func table(sql string) string {
	m := regexp.MustCompile(`INSERT INTO (\w+)(?: AS (\w+))?`).FindStringSubmatch(sql)
	if m == nil {
		return "x"
	}
	if m[2] != "" {
		return m[2]
	}
	return m[1]
}

func TestScratchMutants(t *testing.T) {
	for _, set := range querySets(t) {
		if only := os.Getenv("ONLY"); only != "" && only != set.name {
			continue
		}
		if set.name == "private-tracker" {
			set.schema = "/tmp/conf-fixed/schema.sql"
		}
		schema, _ := os.ReadFile(set.schema)
		dsn := testdb.Database(t, string(schema))
		serve := func(change func(*storage.Config)) (*conformance.Tracker, func(), error) {
			config, problems := mortise.Load(set.queries)
			if problems.Err() != nil {
				return nil, nil, problems.Err()
			}
			config.Storage.Connection = dsn
			settings := config.Storage.Settings["tracker"].(*trackerv1.Settings)
			settings.GcLimit = 25
			if os.Getenv("PLAIN") != "" {
				delete(config.Storage.Sources.ByKey, "tracker.announce.mixed_query")
				delete(config.Storage.Sources.ByKey, "tracker.peer.scrape_query")
			}
			change(&config.Storage)
			opened, err := storage.Open(t.Context(), config.Storage, storage.Options{Quiet: true})
			if err != nil {
				return nil, nil, err
			}
			problems, err = opened.Settled(t.Context())
			if err == nil {
				err = problems.Err()
			}
			if err != nil {
				opened.Close()
				return nil, nil, err
			}
			conn := opened.Conn()
			return &conformance.Tracker{Swarms: trackerv1.NewSwarmsClient(conn), Data: trackerv1.NewDataClient(conn), Database: trackerv1.NewDatabaseClient(conn),
				PeerLifetime: settings.GetPeerLifetime().AsDuration()}, opened.Close, nil
		}
		subject, done, err := serve(func(*storage.Config) {})
		if err != nil {
			t.Fatal(err)
		}
		known, err := conformance.Probe(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		done()
		config, _ := mortise.Load(set.queries)
		var all []mutant
		for key, source := range config.Storage.Sources.ByKey {
			dormant := key == "tracker.announce.query" || key == "tracker.downloads.get_query" || key == "tracker.peer.by_info_hash_clause" || key == "tracker.peer.count_query"
			if set.name == "mochi-corrected" || set.name == "private-tracker" || set.name == "default" {
				if (os.Getenv("PLAIN") != "") != dormant {
					continue
				}
			}
			all = append(all, mutants(key, source.SQL)...)
		}
		sort.Slice(all, func(i, j int) bool { return all[i].key+all[i].what < all[j].key+all[j].what })
		killed, refusedN, survived := 0, 0, 0
		for _, m := range all {
			subject, done, err := serve(func(c *storage.Config) {
				s := c.Sources.ByKey[m.key]
				s.SQL = m.sql
				c.Sources.ByKey[m.key] = s
			})
			if err != nil {
				refusedN++
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			var first string
			summary := conformance.RunCases(ctx, conformance.TrackerCases(), subject, known, func(r conformance.Result) {
				if r.Outcome == conformance.Failed && r.Name != "AnnouncePeers refuses an invalid requester" && first == "" {
					first = r.Name
					cancel()
				}
			})
			cancel()
			done()
			_ = summary
			if first == "" {
				survived++
				t.Logf("%s SURVIVED %s: %s", set.name, m.key, m.what)
			} else {
				killed++
			}
		}
		t.Logf("%s: %d killed, %d refused at load, %d survived", set.name, killed, refusedN, survived)
	}
}
