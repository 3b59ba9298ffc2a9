package check_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a domain with an operation of each sort that rules tell apart. All of them have the same
// parameters, and none of these has to be used.
const shop = `
	syntax = "proto3"; package test.v1;
	import "mortise/annotation/annotation.proto"; import "google/protobuf/timestamp.proto";
	option (mortise.section) = { name: "shop" };
	message Nothing {}
	message Affected { optional int64 affected = 1; }
	message Number { int64 number = 1; }
	message Item { int64 id = 1; string name = 2; }
	message Parameters {
		optional int64 id = 1; optional int64 limit = 2; google.protobuf.Timestamp since = 3;
		optional string name = 4; optional bytes key = 5; optional bool flag = 6;
	}
	message Keys { repeated bytes keys = 1 [(mortise.field) = { identity: true }]; }
	message Must { int64 must = 1; }
	service Shop {
		rpc List(Parameters) returns (stream Item) { option (mortise.operation) = { query: "shop.item.list_query" result: ROWS heat: HOT coalesce: true }; }
		rpc Put(Parameters) returns (Affected) { option (mortise.operation) = { query: "shop.item.put_query" result: AFFECTED heat: HOT max_rows: 1 retry: IDEMPOTENT }; }
		rpc Get(Parameters) returns (Item) { option (mortise.operation) = { query: "shop.item.get_query" result: ROW }; }
		rpc Keys_(Keys) returns (stream Item) { option (mortise.operation) = { query: "shop.item.keys_query" result: ROWS }; }
		rpc Total(Parameters) returns (Number) { option (mortise.operation) = { query: "shop.total_query" result: SCALAR }; }
		rpc Expire(Parameters) returns (Affected) { option (mortise.operation) = { query: "shop.expire_query" result: AFFECTED heat: BACKGROUND }; }
		rpc Run(Parameters) returns (Nothing) { option (mortise.operation) = { query: "shop.run_query" result: NONE heat: RARE }; }
		rpc Use(Parameters) returns (Nothing) { option (mortise.operation) = { query: "shop.use_query" result: NONE scope: SHARD }; }
		rpc Listen(Parameters) returns (Nothing) { option (mortise.operation) = { query: "shop.listen_query" result: NONE listens: true }; }
		rpc Must_(Must) returns (Nothing) { option (mortise.operation) = { query: "shop.must_query" result: NONE }; }
	}`

// contract is the built-in one together with the shop.
var contract = sync.OnceValues(func() (*operation.Contract, error) {
	folder, err := os.MkdirTemp("", "mortise-check")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "shop.proto")
	if err := os.WriteFile(path, []byte(shop), 0o600); err != nil {
		return nil, err
	}
	files, err := mortise.CompileContract(context.Background(), []string{folder}, path)
	if err != nil {
		return nil, err
	}
	return storage.Contract(files...)
})

// input compiles queries, each a key and a text, and returns what the scanner says as well. A place is
// line and column in the query's own text, with the key as the file.
func input(t *testing.T, target string, keysAndTexts ...string) (check.Input, problem.List) {
	t.Helper()
	c, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	in := check.Input{Contract: c, Sources: query.Sources{ByKey: map[string]query.Source{}}}
	if in.Target, err = check.ParseTarget(target); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(keysAndTexts); i += 2 {
		key, text := keysAndTexts[i], keysAndTexts[i+1]
		if _, ok := c.Lookup(key); !ok {
			t.Fatalf("there is no operation %s", key)
		}
		in.Sources.ByKey[key] = query.Source{SQL: text, Locate: func(offset int) problem.Position {
			line, column := sqltext.LineColumn(text, offset)
			return problem.Position{File: key, Line: line, Column: column}
		}}
	}
	set, problems := query.CompileSet(c, in.Sources)
	in.Set = set
	var scanned problem.List
	for _, p := range problems {
		if p.Rule != "missing-query" {
			scanned = append(scanned, p)
		}
	}
	return in, scanned
}

// texts runs all rules and writes each finding as "rule severity line:column".
func texts(t *testing.T, target string, keysAndTexts ...string) []string {
	t.Helper()
	in, scanned := input(t, target, keysAndTexts...)
	if scanned.Err() != nil {
		t.Fatalf("the query does not compile: %v", scanned)
	}
	var got []string
	for _, p := range check.Texts(in) {
		got = append(got, brief(p))
		if p.Message == "" || p.Fix == "" || p.Key == "" {
			t.Errorf("a finding without message, fix or key: %+v", p)
		}
		if _, _, ok := check.Find(p.Rule); !ok {
			t.Errorf("the rule %s is not in the list of rules", p.Rule)
		}
	}
	return got
}

func brief(p problem.Problem) string {
	return fmt.Sprintf("%s %s %d:%d", p.Rule, p.Severity, p.Line, p.Column)
}
