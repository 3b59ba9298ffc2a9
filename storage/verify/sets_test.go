package verify_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/verify"
)

// deviations are what the query sets lack on purpose, with the contract's numbers. A set that is not
// listed has all abilities.
var deviations = map[string][]string{
	"mochi": {"warning T01 exact_graduate", "warning  families", "info T07 excludes_requester", "warning T05 picks_at_random",
		"info T06 hides_stale", "info T06 counts_alive", "info T06 scrapes_alive", "warning T03 graduate_refreshes", "warning T10 kv_overwrite"},
	// As pict-rs once sketched its tables.
	"pict-rs-sketch": {"info  media.uploads", "warning  keeps_created_at", "info  keeps_blurhash", "warning  long_names", "info  keeps_aliased_hashes",
		"warning  marks_new_identifiers", "warning  unique_jobs", "warning  retries_jobs", "info  tells_attempts", "info  tells_queue_time",
		"info  tells_claimed", "info  expires_claims"},
	"functions":       {"info T06 counts_alive", "info T06 scrapes_alive"},
	"private-tracker": {"info  counts_every_completion", "info T06 scrapes_alive", "info  kv_null"},
}

// All query sets hold, on tables that are full of other people's rows, and these are the same afterwards.
func TestQuerySets(t *testing.T) {
	for _, set := range querySets(t) {
		t.Run(set.name, func(t *testing.T) {
			config := set.config(t)
			openSite(t, config, 40, 30)
			before := contents(t, config.Connection)
			report, err := verify.Run(t.Context(), config, verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			holds(t, set, report)
			sameContents(t, before, contents(t, config.Connection))
			conn := testdb.Conn(t, config.Connection)
			defer func() { _ = conn.Close(context.Background()) }()
			switch set.name {
			case "default":
				everyQueryIsRun(t, report)
			case "mochi":
				sampleDeviates(t, report)
			case "private-tracker":
				toldOfSequences(t, report)
			}
			eventually(t, "sessions of the run are left", func() bool { return leftSessions(t, conn) == 0 })
		})
	}
}

// toldOfSequences checks that the operator is told what a rollback does not give back.
func toldOfSequences(t *testing.T, report *verify.Report) {
	t.Helper()
	for rule, text := range map[string]string{"sequence": "public.torrents_id_seq", "trigger": "peers_count_deleted on public.peers", "function": "public.admit_peer"} {
		if !slices.ContainsFunc(report.Notes, func(p problem.Problem) bool { return p.Rule == rule && strings.Contains(p.Message, text) }) {
			t.Errorf("no note %s about %s: %v", rule, text, report.Notes)
		}
	}
	if report.Deviates() {
		t.Error("triggers count as a deviation")
	}
}

// Beside hosts that write and collect all the time, cases that compare totals hold as well.
func TestBesideLiveWriters(t *testing.T) {
	for name, only := range map[string]string{"default": "gc|Stats", "mochi": "gc|Stats", "private-tracker": ""} {
		t.Run(name, func(t *testing.T) {
			set := querySetNamed(t, name)
			config := set.config(t)
			stop := openSite(t, config, 20, 30).work(t)
			report, err := verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile(only)})
			done := stop()
			if err != nil {
				t.Fatal(err)
			}
			if only == "" {
				holds(t, set, report)
			}
			if report.Failed() || done == 0 {
				t.Errorf("outcomes %+v, beside %d calls; notes %v", report.Total(), done, report.Notes)
			}
			for _, f := range report.Domains[0].Failures {
				t.Errorf("%s: %q %s", f.Case, f.Failures, trace(f))
			}
		})
	}
}

func holds(t *testing.T, set querySet, report *verify.Report) {
	t.Helper()
	if report.Failed() || report.Total().Passed < 200 {
		t.Errorf("outcomes %+v, interrupted %q, notes %v", report.Total(), report.Interrupted, report.Notes)
	}
	for _, d := range report.Domains {
		for _, f := range d.Failures {
			t.Errorf("%s %s: %q %s", f.Case, f.Without, f.Failures, trace(f))
		}
		var found []string
		for _, f := range d.Deviations {
			found = append(found, fmt.Sprintf("%s %s %s", f.Severity, f.Rule, f.Ability))
		}
		if !slices.Equal(found, deviations[set.name]) {
			t.Errorf("deviations %q; expected %q", found, deviations[set.name])
		}
	}
	if len(report.Transactions) == 0 {
		t.Error("no transaction is told of")
	}
	for _, transaction := range report.Transactions {
		if transaction.ID == "" || transaction.Status != "aborted" {
			t.Errorf("transaction %q is %q", transaction.ID, transaction.Status)
		}
	}
}

// unreached are the queries of the connection that listens: a run has none.
var unreached = []string{"media.uploads.listen_query", "media.variants.listen_query", "media.queue.listen_query"}

// everyQueryIsRun checks that no query is passed over, also none that another stands in for.
func everyQueryIsRun(t *testing.T, report *verify.Report) {
	t.Helper()
	for _, d := range report.Domains {
		for _, o := range d.Operations {
			if !slices.Contains(unreached, o.Key) && (!o.Configured || o.Calls == 0 || o.Passed == 0) {
				t.Errorf("%s: configured %v, %d calls, %d cases passed", o.Key, o.Configured, o.Calls, o.Passed)
			}
		}
	}
}

// sampleDeviates checks that the mistakes of the note's sample are found by what it does, each with its
// number, sentence, place and proof.
func sampleDeviates(t *testing.T, report *verify.Report) {
	t.Helper()
	for ability, want := range map[conformance.Capability]struct{ rule, query, at, proof string }{
		"exact_graduate":     {"T01", "tracker.peer.graduate_query", "UPDATE mo_peers", "tracker.peer.graduate_query"},
		"graduate_refreshes": {"T03", "tracker.peer.graduate_query", "UPDATE mo_peers", "tracker.gc_query"},
		"kv_overwrite":       {"T10", "tracker.data.add_query", "INSERT INTO mo_kv", "tracker.data.get_query"},
		"families":           {"", "tracker.peer.by_family_clause", "", "tracker.peer.by_info_hash_clause"},
	} {
		at := slices.IndexFunc(report.Domains[0].Deviations, func(f *verify.Finding) bool { return f.Ability == ability })
		if at < 0 {
			t.Errorf("%s is not found", ability)
			continue
		}
		f := report.Domains[0].Deviations[at]
		if f.Rule != want.rule || f.Says == "" || f.Fix == "" || f.Case == "" || len(f.Failures) == 0 || f.Severity != problem.Warning {
			t.Errorf("%s: %+v", ability, f)
		}
		if len(f.Places) != 1 || f.Places[0].Operation != want.query || f.Places[0].Missing != (want.at == "") || f.Places[0].Position.Column == 0 {
			t.Errorf("%s: places %+v", ability, f.Places)
		} else if want.at != "" && !strings.HasPrefix(textAt(t, f.Places[0].Position), want.at) {
			t.Errorf("%s: %s leads to %q", ability, f.Places[0].Position, textAt(t, f.Places[0].Position))
		}
		if !slices.ContainsFunc(f.Calls, func(c verify.Call) bool { return c.Operation == want.proof }) {
			t.Errorf("%s: no call of %s in %s", ability, want.proof, trace(f))
		}
	}
	if !report.Deviates() || report.Failed() {
		t.Errorf("deviates %v, failed %v", report.Deviates(), report.Failed())
	}
}
