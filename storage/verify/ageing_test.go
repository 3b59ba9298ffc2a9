package verify_test

import (
	"regexp"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/verify"
)

// The set's peer_lifetime is 31m. Hundreds of other people's peers become stale each second while totals are compared.
func TestBesideRowsThatAge(t *testing.T) {
	set := querySetNamed(t, "mochi-corrected")
	config := set.config(t)
	testdb.Exec(t, config.Connection, `INSERT INTO mo_peers
		SELECT sha224(int4send(i % 500)), sha224(int4send(i)), '10.0.0.0'::inet + i, 6881, i % 3 = 0, false,
			(now() AT TIME ZONE 'utc') - interval '31 minutes' + i * interval '2 ms' FROM generate_series(1, 30000) AS i`)
	before := contents(t, config.Connection)
	report, err := verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile("gc|Stats")})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Domains[0].Failures {
		t.Errorf("%s: %q %s", f.Case, f.Failures, trace(f))
	}
	if report.Failed() {
		t.Errorf("%+v %v", report.Total(), report.Notes)
	}
	sameContents(t, before, contents(t, config.Connection))
}

// A total that is wrong is found all the same.
func TestWrongTotalsAreFound(t *testing.T) {
	config := querySetNamed(t, "mochi").changed(t, "COUNT(DISTINCT info_hash)", "COUNT(info_hash)")
	report, err := verify.Run(t.Context(), config, verify.Options{Only: regexp.MustCompile("Stats")})
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Domains[0].Failures; len(f) == 0 || f[0].Case != "Stats counts each info hash with peers once" || len(f[0].Calls) == 0 {
		t.Errorf("failures %+v", f)
	}
}
