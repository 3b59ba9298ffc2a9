package statements_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database/embedded"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// shops is a contract of two sections with operations of the same name.
func shops(t *testing.T) *operation.Contract {
	t.Helper()
	folder := t.TempDir()
	var paths []string
	for section, text := range map[string]string{
		"shop": `rpc Put(A) returns (B) { option (mortise.operation) = { query: "shop.item.put_query" }; }
			rpc List(A) returns (B) { option (mortise.operation) = { query: "shop.item.list_query" default_query: "SELECT 0" }; }
			rpc Till(A) returns (B) { option (mortise.operation) = { query: "shop.till.query" without: "nothing is counted" }; }
			rpc Open(A) returns (B) { option (mortise.operation) = { query: "shop.till.open_query" }; }`,
		"store": `rpc Put(A) returns (B) { option (mortise.operation) = { query: "store.item.put_query" }; }`,
	} {
		path := filepath.Join(folder, section+".proto")
		text = `syntax = "proto3"; package ` + section + `.v1; import "mortise/annotation/annotation.proto";
			option (mortise.section) = { name: "` + section + `" }; service S {` + text + `} message A { string sku = 1; } message B {}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	files, err := mortise.CompileContract(t.Context(), []string{folder}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	contract, err := operation.Load(files...)
	if err != nil {
		t.Fatal(err)
	}
	return contract
}

func TestFind(t *testing.T) {
	contract := shops(t)
	for _, c := range []struct{ word, many, one string }{
		{"shop.item.put_query", "shop.item.put_query", "shop.item.put_query"},
		{"shop.item.put", "shop.item.put_query", "shop.item.put_query"},
		{"item.list", "shop.item.list_query", "shop.item.list_query"},
		{"item.list_query", "shop.item.list_query", "shop.item.list_query"},
		{"item.put", "shop.item.put_query store.item.put_query", "! item.put can be each of shop.item.put_query, store.item.put_query; give the whole key"},
		{"shop", "shop.item.put_query shop.item.list_query shop.till.query shop.till.open_query", `! there is no operation "shop"`},
		{"shop.till", "shop.till.query shop.till.open_query", "shop.till.query"},
		{"till", "shop.till.query", "shop.till.query"},
		{"item", "shop.item.put_query shop.item.list_query store.item.put_query", `! there is no operation "item"`},
		{"shop.item.pit_query", `! there is no operation "shop.item.pit_query"; did you mean shop.item.put_query?`, `! there is no operation "shop.item.pit_query"; did you mean shop.item.put_query?`},
		{"", `! there is no operation ""; all are listed by`, `! there is no operation ""; all are listed by`},
	} {
		found, err := statements.Find(contract, c.word)
		var keys []string
		for _, op := range found {
			keys = append(keys, op.Key)
		}
		compare(t, "Find "+c.word, strings.Join(keys, " "), err, c.many)
		one, err := statements.One(contract, c.word)
		key := ""
		if one != nil {
			key = one.Key
		}
		compare(t, "One "+c.word, key, err, c.one)
	}
}

// compare expects a text or, behind an exclamation mark, the beginning of an error of usage.
func compare(t *testing.T, what, got string, err error, want string) {
	t.Helper()
	begin, wrong := strings.CutPrefix(want, "! ")
	if !wrong {
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; expected %q", what, got, err, want)
		}
		return
	}
	var ended *command.Exit
	if !errors.As(err, &ended) || ended.Status != command.Usage || !strings.HasPrefix(err.Error(), begin) {
		t.Errorf("%s: got %q, %v; expected the error %q", what, got, err, begin)
	}
}

// A file's statements are those that are right; for the others it is said why there is none.
func TestStatement(t *testing.T) {
	contract := shops(t)
	path := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte("connection_string: host=x\nshop:\n  item:\n    put_query: |\n      SELECT @skuu\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := statements.Load(path, contract)
	if err != nil {
		t.Fatal(err)
	}
	for key, says := range map[string]string{
		"shop.item.put_query":  path + ":5:14",
		"shop.item.list_query": "",
		"shop.till.query":      "shop.till.query: no query is configured for it in " + path + " (without it nothing is counted); add the key",
		"store.item.put_query": "store.item.put_query: no query is configured",
	} {
		op, _ := contract.Lookup(key)
		statement, err := file.Statement(op)
		if (statement != nil) != (says == "") || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, %v; expected %q", key, statement, err, says)
		}
	}
	if _, err := statements.Load(filepath.Join(t.TempDir(), "none"), contract); problem.From(err) == nil {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A session asks the database, and its connection is like a plugin's.
func TestSession(t *testing.T) {
	dsn := testdb.Database(t)
	contract := shops(t)
	path := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte("connection_string: "+dsn+" pool_max_conns=3\nshop:\n  item:\n    put_query: |\n      SELECT @sku::text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := statements.Load(path, contract)
	if err != nil {
		t.Fatal(err)
	}
	session, err := file.Open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	op, _ := contract.Lookup("shop.item.put_query")
	statement, err := file.Statement(op)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := session.Describe(t.Context(), statement); err != nil || len(problems) > 0 || statement.Plan() == nil {
		t.Errorf("described: %v, %v", problems, err)
	}
	names, err := session.TypeNames(t.Context(), []uint32{25, 1009, 1184})
	if err != nil || names[25] != "text" || names[1009] != "text[]" || names[1184] != "timestamp with time zone" {
		t.Errorf("types %v, %v", names, err)
	}
	if session.Server.Product != "PostgreSQL" || !strings.Contains(session.Target, "database=test_") {
		t.Errorf("server %v at %s", session.Server, session.Target)
	}
	var said []string
	conn, err := session.Dial(t.Context(), func(n *pgconn.Notice) { said = append(said, n.Message) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var zone string
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('timezone')").Scan(&zone); err != nil || zone != "UTC" {
		t.Errorf("the session's time zone is %s, %v", zone, err)
	}
	if _, err := conn.Exec(t.Context(), "DO $$ BEGIN RAISE NOTICE 'hello'; END $$"); err != nil || !slices.Equal(said, []string{"hello"}) {
		t.Errorf("the server said %q, %v", said, err)
	}
}

// An embedded server is started for the session, and stopped with it.
func TestEmbedded(t *testing.T) {
	folder, err := testdb.Folder()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "queries.yaml")
	text := "connection_string: embedded\ndata_dir: " + filepath.Join(folder, "data") + "\nshop:\n  item:\n    put_query: |\n      SELECT count(*) FROM tracker_peers WHERE @sku <> ''\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	contract := shops(t)
	op, _ := contract.Lookup("shop.item.put_query")
	file, err := statements.Load(path, contract)
	if err != nil {
		t.Fatal(err)
	}
	session, err := file.Open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := session.Describe(t.Context(), file.Set.Statement(op)); err != nil || len(problems) > 0 {
		t.Errorf("described: %v, %v", problems, err)
	}
	session.Close()
	if _, err := embedded.Beside(filepath.Join(folder, "data")); !errors.Is(err, embedded.ErrNotRunning) {
		t.Errorf("the server was not stopped: %v", err)
	}
}
