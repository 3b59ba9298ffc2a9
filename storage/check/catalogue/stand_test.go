package catalogue_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/check/catalogue"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A stand is an operator's file and a database for it.
type stand struct {
	contract *operation.Contract
	config   *mortise.Config
	set      *query.Set
	// described is what the database said when it described the statements.
	described problem.List
	conn      *pgx.Conn
	text      string
}

// open loads a file and lets the database describe its statements.
func open(t *testing.T, dsn, file string, contract *operation.Contract) *stand {
	t.Helper()
	t.Setenv("MORTISE_DATABASE", dsn)
	s := &stand{contract: contract}
	if s.contract == nil {
		built, err := storage.Contract()
		if err != nil {
			t.Fatal(err)
		}
		s.contract = built
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.text = string(text)
	var problems problem.List
	if s.config, problems = mortise.LoadWith(file, s.contract); problems.Err() != nil {
		t.Fatalf("%v", problems)
	}
	s.set, _ = query.CompileSet(s.contract, s.config.Storage.Sources)
	pool, err := database.Open(database.Options{ConnString: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	connection, err := pool.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Release()
	for _, statement := range s.set.Statements() {
		found, err := statement.Describe(context.Background(), connection)
		if err != nil {
			t.Fatal(err)
		}
		s.described = append(s.described, found...)
	}
	s.conn = testdb.Conn(t, dsn)
	t.Cleanup(func() { _ = s.conn.Close(context.Background()) })
	return s
}

// check returns what the catalogue tells.
func (s *stand) check(t *testing.T, in catalogue.Input) problem.List {
	t.Helper()
	in.Contract = s.contract
	if in.Place == nil {
		in.Place = s.config.Place
	}
	found, err := catalogue.Check(context.Background(), s.conn, s.set, in)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// write puts a query file into a temporary folder.
func write(t *testing.T, yaml string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines are problems as a test compares them: line and column, severity, rule, message.
func lines(found problem.List) string {
	var b strings.Builder
	for _, p := range found {
		fmt.Fprintf(&b, "%d:%d %s %s %s: %s\n", p.Line, p.Column, p.Severity, p.Rule, p.Key, p.Message)
	}
	return b.String()
}
