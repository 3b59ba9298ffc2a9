package conformance_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise"
	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/problem"
)

// lacking are the abilities that the query sets lack on purpose. A set that is not listed has to have
// them all; one that gains an ability has to be taken out here.
var lacking = map[string][]conformance.Capability{
	// As MoChi documents it, mistakes included.
	"mochi": {conformance.CountsAlive, conformance.ExactGraduate, conformance.ExcludesRequester, conformance.Families,
		conformance.GraduateRefreshes, conformance.HidesStale, conformance.KVOverwrite, conformance.PicksAtRandom, conformance.ScrapesAlive},
	// Its view counts all peers that are stored.
	"functions": {conformance.CountsAlive, conformance.ScrapesAlive},
	// The site's column takes no NULL, the site counts promotions only, and it scrapes by counters that
	// include stale peers.
	"private-tracker":       {conformance.CountsEveryCompletion, conformance.KVNull, conformance.ScrapesAlive},
	"private-tracker tuned": {conformance.CountsEveryCompletion, conformance.KVNull, conformance.ScrapesAlive},
}

// A querySet is an operator's file and the tables it is written for.
type querySet struct{ name, queries, schema string }

func querySets(t *testing.T) []querySet {
	t.Helper()
	const root = "../.."
	sets := []querySet{{"default", filepath.Join(root, "queries.example.yaml"), filepath.Join(root, "schema.sql")}}
	folders, err := filepath.Glob(filepath.Join(root, "schemas", "*", "queries.yaml"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no query sets under schemas: %v", err)
	}
	for _, queries := range folders {
		folder := filepath.Dir(queries)
		sets = append(sets, querySet{filepath.Base(folder), queries, filepath.Join(folder, "schema.sql")})
	}
	return append(sets, tuned(t, filepath.Join(root, "schemas", "private-tracker")))
}

// tuned is the private tracker after the changes that docs/tuning.md makes, step by step as it says.
func tuned(t *testing.T, folder string) querySet {
	t.Helper()
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{folder}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before, rest, found := strings.Cut(read("queries.yaml"), "        mixed_query: |\n")
	_, after, ends := strings.Cut(rest, "        address_column: ")
	if !found || !ends {
		t.Fatal("the query set has no mixed_query where the tutorial changes it")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"tuned.yaml": before + "        mixed_query: !file mixed.sql\n        address_column: " + after,
		"mixed.sql":  read("tuning", "mixed.sql"),
		"schema.sql": read("schema.sql") + read("tuning", "index.sql"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return querySet{"private-tracker tuned", filepath.Join(dir, "tuned.yaml"), filepath.Join(dir, "schema.sql")}
}

func TestTrackerQuerySets(t *testing.T) {
	sets := querySets(t)
	for name := range lacking {
		if !slices.ContainsFunc(sets, func(s querySet) bool { return s.name == name }) {
			t.Errorf("there is no query set %s any more", name)
		}
	}
	for _, set := range sets {
		t.Run(set.name, func(t *testing.T) {
			subject, _ := open(t, set, nil)
			found, err := conformance.Probe(t.Context(), subject)
			if err != nil {
				t.Fatal(err)
			}
			if want := lacking[set.name]; !slices.Equal(found.Lacking(), want) {
				t.Errorf("the query set lacks %v; expected is %v", found.Lacking(), want)
			}
			runAll(t, subject, found, conformance.TrackerCases())
		})
	}
}

// shortcuts are queries that replace others. The others are never run beside them.
var shortcuts = map[string][]string{
	"tracker.announce.mixed_query": {"tracker.announce.query"},
	"tracker.peer.scrape_query":    {"tracker.peer.count_query", "tracker.peer.by_info_hash_clause", "tracker.downloads.get_query"},
}

// TestTrackerQuerySetsWithoutShortcuts runs the cases about queries that a query set has, but does
// not need because of a shortcut.
func TestTrackerQuerySetsWithoutShortcuts(t *testing.T) {
	tested := 0
	for _, set := range querySets(t) {
		var dormant []string
		subject, removed := open(t, set, shortcuts)
		for _, shortcut := range removed {
			dormant = append(dormant, shortcuts[shortcut]...)
		}
		if len(dormant) == 0 {
			continue // nothing is different
		}
		tested++
		t.Run(set.name, func(t *testing.T) {
			found, err := conformance.Probe(t.Context(), subject)
			if err != nil {
				t.Fatal(err)
			}
			runAll(t, subject, found, slices.DeleteFunc(conformance.TrackerCases(), func(c conformance.Case[*conformance.Tracker]) bool {
				return !slices.ContainsFunc(c.Operations, func(key string) bool { return slices.Contains(dormant, key) })
			}))
		})
	}
	if tested == 0 {
		t.Error("no query set has a shortcut any more")
	}
}

// runAll runs the cases that apply: first, one by one, those that need the tables for themselves,
// then the others beside each other.
func runAll(t *testing.T, subject *conformance.Tracker, found conformance.Capabilities, cases []conformance.Case[*conformance.Tracker]) {
	apart := 0
	for _, c := range cases {
		if missing := found.Missing(c.Needs); len(missing) > 0 {
			apart++
			t.Logf("not applicable for lack of %v: %s", missing, c.Name)
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			if !c.Exclusive {
				t.Parallel() // begins when runAll has returned
			}
			c.Run(t.Context(), t, subject)
			if t.Failed() {
				t.Logf("the contract says: %s (%v)", c.Says, c.Operations)
			}
		})
	}
	t.Logf("%d cases, of which %d are not applicable", len(cases), apart)
}

// open serves a query set in this process, on a database of its own, without certain queries. It
// returns those of them that the set had.
func open(t *testing.T, set querySet, without map[string][]string) (subject *conformance.Tracker, removed []string) {
	t.Helper()
	schema, err := os.ReadFile(set.schema)
	if err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load(set.queries)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	config.Storage.Connection = testdb.Database(t, string(schema))
	for key := range without {
		if _, has := config.Storage.Sources.ByKey[key]; has {
			removed = append(removed, key)
			delete(config.Storage.Sources.ByKey, key)
		}
	}
	settings := config.Storage.Settings["tracker"].(*trackerv1.Settings)
	settings.GcLimit = 25 // so that the cases see more than one chunk
	clock := &conformance.Clock{}
	opened, err := storage.Open(t.Context(), config.Storage, storage.Options{Quiet: true, Clock: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	problems, err = opened.Settled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Severity == problem.Error {
			t.Error(p)
		}
	}
	if problems.Err() != nil {
		t.FailNow()
	}
	conn := opened.Conn()
	return &conformance.Tracker{
		Swarms: trackerv1.NewSwarmsClient(conn), Data: trackerv1.NewDataClient(conn), Database: trackerv1.NewDatabaseClient(conn),
		PeerLifetime: settings.GetPeerLifetime().AsDuration(), Clock: clock,
	}, removed
}
