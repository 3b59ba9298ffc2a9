// Package defaultset tries every mutant of the default query set, and so the strength of the conformance
// suite. It is a package of its own because that takes long with the race detector.
package defaultset

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
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

func TestMutantsOfTheDefaultSet(t *testing.T) {
	schema, err := os.ReadFile("../../../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	config, problems := mortise.Load("../../../queries.example.yaml")
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	// Without indexes a dropped ORDER BY shows: with them the rows often come in that order all the same.
	config.Storage.Connection = testdb.Database(t, string(schema)) +
		" options='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off'"
	report, err := mutation.Run(t.Context(), mutation.Options{Config: config.Storage, Equivalents: mutation.DefaultSet(), Workers: 2,
		CaseLimit: 30 * time.Second, MutantLimit: 5 * time.Minute}) // no machine is as slow as an endless query
	if err != nil {
		t.Fatal(err)
	}
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
