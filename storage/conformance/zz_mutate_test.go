//go:build mutate

package conformance_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/mutation"
	"github.com/mortise-storage/mortise/storage/query"
)

func TestMutate(t *testing.T) {
	for _, set := range setsWith(t, "media") {
		if set.name != os.Getenv("SET") {
			continue
		}
		config := set.config(t)
		contract, _ := storage.Contract()
		s, _ := query.CompileSet(contract, config.Sources)
		var ops []string
		for _, st := range s.Statements() {
			key := st.Operation.Key
			if slices.ContainsFunc(strings.Split(os.Getenv("OPS"), ","), func(p string) bool { return strings.HasPrefix(key, p) }) {
				ops = append(ops, key)
			}
		}
		domains := slices.DeleteFunc(conformance.Domains(), func(d conformance.Domain) bool { return d.Section != "media" })
		report, err := mutation.Run(t.Context(), mutation.Options{Config: config, Domains: domains, Operations: ops, Workers: 1,
			CaseLimit: 30 * time.Second, MutantLimit: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(report.Summary(), report.Elapsed)
		for _, row := range append([][]string{report.Header()}, report.Rows()...) {
			t.Logf("%-36s %8s %8s %8s %10s %8s", row[0], row[1], row[2], row[3], row[4], row[5])
		}
		for _, m := range report.With(mutation.Survived) {
			t.Errorf("nothing notices %s of %s at %d %s\n  - %s\n  + %s", m.Operator, m.Operation, m.Position.Line, m.Failure, m.Before, m.After)
		}
		t.Logf("unfit %v", report.Unfit)
	}
}
