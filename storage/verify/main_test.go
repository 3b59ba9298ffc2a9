package verify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise"
	command "github.com/mortise-storage/mortise/cmd/mortise/command"
	commandverify "github.com/mortise-storage/mortise/cmd/mortise/command/verify"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
)

// roleVariable makes the test binary the command, for tests that end a process from outside.
const roleVariable = "MORTISE_VERIFY_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "command" {
		cmd := commandverify.New()
		cmd.SetArgs(os.Args[1:])
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		os.Exit(command.Status(cmd.Execute(), os.Stderr))
	}
	status := testdb.Run(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// A querySet is an operator's file and the tables it is written for.
type querySet struct{ name, queries, schema string }

func querySets(t *testing.T) []querySet {
	t.Helper()
	const root = "../.."
	sets := []querySet{{"default", filepath.Join(root, "queries.example.yaml"), filepath.Join(root, "schema.sql")}}
	files, err := filepath.Glob(filepath.Join(root, "schemas", "*", "queries.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no query sets under schemas: %v", err)
	}
	for _, queries := range files {
		folder := filepath.Dir(queries)
		sets = append(sets, querySet{filepath.Base(folder), queries, filepath.Join(folder, "schema.sql")})
	}
	return sets
}

func querySetNamed(t *testing.T, name string) querySet {
	t.Helper()
	for _, set := range querySets(t) {
		if set.name == name {
			return set
		}
	}
	t.Fatalf("there is no query set %s", name)
	return querySet{}
}

func (s querySet) script(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.schema)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// config is the query set's file, on a database of its own with its tables and whatever more.
func (s querySet) config(t *testing.T, more ...string) storage.Config {
	t.Helper()
	config, problems := mortise.Load(s.queries)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	config.Storage.Connection = testdb.Database(t, append([]string{s.script(t)}, more...)...)
	return config.Storage
}
