// Package defaultset tries every mutant of the default query set, and so the strength of the conformance
// suite. It is a package of its own because that takes long with the race detector.
package defaultset

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/mutation"
)

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// connection is what is added to the connection of a domain's run. Without indexes a dropped ORDER BY shows
// for certain: with them the rows of the media domain come in that order all the same, as long as the
// planner likes. The tracker's lists are in no order, and its cases with many peers take long without.
var connection = map[string]string{"media": " options='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off'"}

func TestMutantsOfTheDefaultSet(t *testing.T) {
	schema, err := os.ReadFile("../../../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range conformance.Domains() {
		t.Run(domain.Section, func(t *testing.T) {
			config, problems := mortise.Load("../../../queries.example.yaml")
			if err := problems.Err(); err != nil {
				t.Fatal(err)
			}
			config.Storage.Connection = testdb.Database(t, string(schema)) + connection[domain.Section]
			equivalents := slices.DeleteFunc(mutation.DefaultSet(), func(e mutation.Equivalent) bool { return !strings.HasPrefix(e.Operation, domain.Section+".") })
			report, err := mutation.Run(t.Context(), mutation.Options{Config: config.Storage, Domains: []conformance.Domain{domain}, Equivalents: equivalents,
				Workers: 2, CaseLimit: 30 * time.Second, MutantLimit: 5 * time.Minute}) // no machine is as slow as an endless query
			if err != nil {
				t.Fatal(err)
			}
			judge(t, report)
		})
	}
}

func judge(t *testing.T, report mutation.Report) {
	t.Helper()
	t.Log(report.Summary())
	for _, row := range append([][]string{report.Header()}, report.Rows()...) {
		t.Logf("%-36s %8s %8s %8s %10s %8s", row[0], row[1], row[2], row[3], row[4], row[5])
	}
	for _, m := range report.With(mutation.Survived) {
		t.Errorf("nothing notices %s of %s at %s %s\n  - %s\n  + %s", m.Operator, m.Operation, m.Position, m.Failure, m.Before, m.After)
	}
	for _, s := range report.Stale {
		t.Errorf("stale entry, %s: %s", s.Why, s.Equivalent)
	}
	if len(report.Unfit) > 0 {
		t.Errorf("these cases fail on the default set itself: %v", report.Unfit)
	}
}
