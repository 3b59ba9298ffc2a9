package conformance_test

import (
	"slices"
	"testing"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/storage/conformance"
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

func TestTrackerQuerySets(t *testing.T) {
	sets := setsWith(t, "tracker")
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
	for _, set := range setsWith(t, "tracker") {
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

// open serves a query set in this process, on a database of its own, without certain queries. It
// returns those of them that the set had.
func open(t *testing.T, set querySet, without map[string][]string) (subject *conformance.Tracker, removed []string) {
	t.Helper()
	config := set.config(t)
	for key := range without {
		if _, has := config.Sources.ByKey[key]; has {
			removed = append(removed, key)
			delete(config.Sources.ByKey, key)
		}
	}
	settings := config.Settings["tracker"].(*trackerv1.Settings)
	settings.GcLimit = 25 // so that the cases see more than one chunk
	conn, clock := serve(t, config)
	return &conformance.Tracker{
		Swarms: trackerv1.NewSwarmsClient(conn), Data: trackerv1.NewDataClient(conn), Database: trackerv1.NewDatabaseClient(conn),
		PeerLifetime: settings.GetPeerLifetime().AsDuration(), Clock: clock,
	}, removed
}
