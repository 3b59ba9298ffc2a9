package mutation

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

func TestMain(m *testing.M) {
	status := testdb.Run(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// setOf compiles queries. Places are told as lines of the text itself.
func setOf(t *testing.T, queries map[string]string) *query.Set {
	t.Helper()
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	sources := query.Sources{ByKey: map[string]query.Source{}}
	for key, sql := range queries {
		sources.ByKey[key] = query.Source{SQL: sql, Locate: func(offset int) problem.Position {
			return problem.Position{File: key, Line: 1, Column: offset + 1}
		}}
	}
	set, _ := query.CompileSet(contract, sources) // queries that are missing do not matter here
	for key := range queries {
		op, ok := contract.Lookup(key)
		if !ok || set.Statement(op) == nil {
			t.Fatalf("%s does not compile: %s", key, queries[key])
		}
	}
	return set
}

// mutantsOf returns the mutants of one query that an operator makes.
func mutantsOf(t *testing.T, key, sql, operator string) []Mutant {
	t.Helper()
	var found []Mutant
	for _, m := range Mutants(setOf(t, map[string]string{key: sql})) {
		if m.Operation == key && m.Operator == operator {
			found = append(found, m)
		}
	}
	return found
}
