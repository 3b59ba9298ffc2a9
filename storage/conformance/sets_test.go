package conformance_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/problem"
)

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

// setsWith are those query sets that have a section.
func setsWith(t *testing.T, section string) []querySet {
	t.Helper()
	return slices.DeleteFunc(querySets(t), func(s querySet) bool { return !s.serves(t, section) })
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

// load reads the query set's file.
func (s querySet) load(t *testing.T) storage.Config {
	t.Helper()
	config, problems := mortise.Load(s.queries)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return config.Storage
}

// serves says whether the query set has a section.
func (s querySet) serves(t *testing.T, section string) bool {
	t.Helper()
	for key := range s.load(t).Sources.ByKey {
		if strings.HasPrefix(key, section+".") {
			return true
		}
	}
	return false
}

// config is the query set's file, on a database of its own.
func (s querySet) config(t *testing.T) storage.Config {
	t.Helper()
	schema, err := os.ReadFile(s.schema)
	if err != nil {
		t.Fatal(err)
	}
	config := s.load(t)
	config.Connection = testdb.Database(t, string(schema))
	return config
}

// serve opens a storage in this process.
func serve(t *testing.T, config storage.Config) (grpc.ClientConnInterface, *conformance.Clock) {
	t.Helper()
	clock := &conformance.Clock{}
	opened, err := storage.Open(t.Context(), config, storage.Options{Quiet: true, Clock: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	problems, err := opened.Settled(t.Context())
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
	return opened.Conn(), clock
}

// runAll runs the cases that apply: first, one by one, those that need the tables for themselves,
// then the others beside each other.
func runAll[S any](t *testing.T, subject S, found conformance.Capabilities, cases []conformance.Case[S]) {
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
