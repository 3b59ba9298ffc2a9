package query_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// An engine is an executor on a real database, for a contract that a test declares.
type engine struct {
	*query.Executor
	contract *operation.Contract
	problems problem.List
}

const head = `
	syntax = "proto3"; package test.v1;
	import "mortise/annotation/annotation.proto"; import "google/protobuf/timestamp.proto";
	option (mortise.section) = { name: "shop" };
	message Nothing {}`

// newEngine declares the contract, compiles the queries and lets the database describe them.
func newEngine(t *testing.T, dsn, contract string, queries map[string]query.Source) *engine {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "test.proto")
	if err := os.WriteFile(path, []byte(head+contract), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := mortise.CompileContract(t.Context(), []string{folder}, path)
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{}
	if e.contract, err = operation.Load(files...); err != nil {
		t.Fatal(err)
	}
	set, problems := query.CompileSet(e.contract, query.Sources{ByKey: queries})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	pool, err := database.Open(database.Options{ConnString: dsn, Mode: database.Prepared})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	conn, err := pool.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, s := range set.Statements() {
		found, err := s.Describe(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		e.problems = append(e.problems, found...)
	}
	e.Executor = query.NewExecutor(e.contract, set, pool, nil, nil)
	return e
}

func sources(keysAndTexts ...string) map[string]query.Source {
	all := map[string]query.Source{}
	for i := 0; i < len(keysAndTexts); i += 2 {
		all[keysAndTexts[i]] = query.Source{SQL: keysAndTexts[i+1]}
	}
	return all
}

// call runs an operation with a request in protobuf's text form, and returns the answer in that form.
func (e *engine) call(t *testing.T, key, request string) (string, error) {
	t.Helper()
	op, ok := e.contract.Lookup(key)
	if !ok {
		t.Fatalf("no operation %s", key)
	}
	message := op.NewRequest()
	if err := prototext.Unmarshal([]byte(request), message); err != nil {
		t.Fatalf("%v in %s", err, request)
	}
	response, err := e.Invoke(t.Context(), op, message)
	if err != nil {
		return "", err
	}
	return inText(response), nil
}

// inText is the text form of a message, without the spaces that differ from run to run.
func inText(m proto.Message) string {
	raw, _ := prototext.MarshalOptions{}.Marshal(m)
	return strings.Join(strings.Fields(string(raw)), " ")
}

// canonical brings the text form of a message of an operation's request into the form of inText.
func (e *engine) canonical(t *testing.T, key, text string) string {
	t.Helper()
	op, _ := e.contract.Lookup(key)
	message := op.NewRequest()
	if err := prototext.Unmarshal([]byte(text), message); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return inText(message)
}

// selected returns the only value of a statement as text.
func selected(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(context.Background()) }()
	var text *string
	if err := conn.QueryRow(context.Background(), sql, pgx.QueryExecModeSimpleProtocol).Scan(&text); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
	if text == nil {
		return "NULL"
	}
	return *text
}
