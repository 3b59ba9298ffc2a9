package query_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	trackerv1 "github.com/mortise-storage/mortise/api/mortise/tracker/v1"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

// Each shape of a result, and what an empty one means.
func TestShapesOfResults(t *testing.T) {
	dsn := testdb.Database(t, "CREATE TABLE items (id int8 PRIMARY KEY, name text)")
	e := newEngine(t, dsn, `
		service Shop {
			rpc None(Item) returns (Item) { option (mortise.operation) = { query: "shop.none_query" }; }
			rpc Row(Id) returns (Item) { option (mortise.operation) = { query: "shop.row_query" result: ROW empty: NOT_FOUND }; }
			rpc Scalar(Id) returns (Name) { option (mortise.operation) = { query: "shop.scalar_query" result: SCALAR }; }
			rpc Rows(Nothing) returns (Items) { option (mortise.operation) = { query: "shop.rows_query" result: ROWS empty: FAILED_PRECONDITION }; }
			rpc Add(Item) returns (Changed) { option (mortise.operation) = { query: "shop.add_query" result: AFFECTED empty: ALREADY_EXISTS }; }
		}
		message Id { int64 id = 1; } message Name { optional string name = 1; } message Item { int64 id = 1; Name name = 2; }
		message Items { repeated Item items = 1; } message Changed { optional int64 changed = 1; }`,
		sources("shop.none_query", "SELECT @id::int8, @name::text", "shop.row_query", "SELECT name, id FROM items WHERE id = @id",
			"shop.scalar_query", "SELECT name FROM items WHERE id = @id", "shop.rows_query", "SELECT * FROM items ORDER BY id DESC",
			"shop.add_query", "INSERT INTO items VALUES (@id, @name) ON CONFLICT DO NOTHING"))
	if e.problems.Err() != nil {
		t.Fatal(e.problems)
	}
	for _, step := range []struct {
		key, request, want string
		reason             fault.Reason
	}{
		{"shop.rows_query", "", "", fault.Precondition},
		{"shop.row_query", "id: 1", "", fault.DoesNotExist},
		{"shop.scalar_query", "id: 1", "", ""},
		{"shop.none_query", `id: 1 name: {name: "x"}`, "", ""},
		{"shop.add_query", `id: 1 name: {name: "one"}`, "changed:1", ""},
		{"shop.add_query", `id: 2`, "changed:1", ""},
		{"shop.add_query", `id: 1`, "", fault.AlreadyExists},
		{"shop.row_query", "id: 1", `id:1 name:{name:"one"}`, ""},
		{"shop.row_query", "id: 2", `id:2`, ""},
		{"shop.scalar_query", "id: 1", `name:"one"`, ""},
		{"shop.rows_query", "", `items:{id:2} items:{id:1 name:{name:"one"}}`, ""},
	} {
		got, err := e.call(t, step.key, step.request)
		if got != step.want || fault.ReasonOf(err) != step.reason {
			t.Errorf("%s of %s: %s, %v; expected %s %s", step.key, step.request, got, err, step.want, step.reason)
		}
	}
}

// A request that asks for what the operator's query does not do is refused; one that does not ask is
// answered.
func TestCapabilities(t *testing.T) {
	const contract = `
		service Shop { rpc Find(Filter) returns (Found) { option (mortise.operation) = { query: "shop.find_query" result: SCALAR }; } }
		message Filter { int64 id = 1; optional int64 limit = 2 [(mortise.field) = { capability: true }];
			repeated string tags = 3 [(mortise.field) = { capability: true }]; bool deep = 4 [(mortise.field) = { capability: true }]; }
		message Found { int64 n = 1; }`
	dsn := testdb.Database(t)
	able := newEngine(t, dsn, contract, sources("shop.find_query", "SELECT @id + coalesce(@limit, 0) + cardinality(@tags::text[]) + CASE WHEN @deep THEN 1 ELSE 0 END"))
	unable := newEngine(t, dsn, contract, sources("shop.find_query", "SELECT @id::int8"))
	for _, c := range []struct{ request, asks string }{
		{"id: 5", ""}, {"id: 5 limit: 0", "limit"}, {`id: 5 tags: "a"`, "tags"}, {"id: 5 deep: true", "deep"}, {"id: 5 deep: false", ""},
	} {
		if got, err := able.call(t, "shop.find_query", c.request); err != nil || !strings.HasPrefix(got, "n:") {
			t.Errorf("%s: %s, %v", c.request, got, err)
		}
		_, err := unable.call(t, "shop.find_query", c.request)
		if c.asks == "" && err != nil {
			t.Errorf("%s: %v", c.request, err)
		}
		if c.asks != "" && (fault.ReasonOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "the request sets "+c.asks+",")) {
			t.Errorf("%s: %v", c.request, err)
		}
	}
}

// With an empty list there is nothing to do: each shape is answered as if nothing was found or changed.
func TestNothingIfEmpty(t *testing.T) {
	dsn := testdb.Database(t)
	e := newEngine(t, dsn, `
		service Shop {
			rpc Changed(Ids) returns (Number) { option (mortise.operation) = { query: "shop.changed_query" result: AFFECTED nothing_if_empty: "ids" }; }
			rpc None(Ids) returns (Nothing) { option (mortise.operation) = { query: "shop.none_query" nothing_if_empty: "ids" }; }
			rpc Rows(Ids) returns (Items) { option (mortise.operation) = { query: "shop.rows_query" result: ROWS nothing_if_empty: "ids" }; }
			rpc Scalar(Ids) returns (Text) { option (mortise.operation) = { query: "shop.scalar_query" result: SCALAR nothing_if_empty: "ids" }; }
		}
		message Ids { repeated int64 ids = 1; } message Number { optional int64 n = 1; }
		message Text { string text = 1; } message Items { repeated Text items = 1; }`,
		sources("shop.changed_query", "SELECT 1 / cardinality(@ids::int8[]) AS n", "shop.none_query", "SELECT 1 / cardinality(@ids::int8[])",
			"shop.rows_query", "SELECT (1 / cardinality(@ids::int8[]))::text AS text", "shop.scalar_query", "SELECT (1 / cardinality(@ids::int8[]))::text"))
	for key, want := range map[string][2]string{
		"shop.changed_query": {"n:0", "n:1"}, "shop.none_query": {"", ""}, "shop.rows_query": {"", `items:{text:"1"}`}, "shop.scalar_query": {"", `text:"1"`},
	} {
		for i, request := range []string{"", "ids: 7"} {
			if got, err := e.call(t, key, request); err != nil || got != want[i] {
				t.Errorf("%s of %q: %s, %v; expected %s", key, request, got, err, want[i])
			}
		}
	}
}

// A write that answers with rows is bounded too, and its rows come through.
func TestBoundOfAWriteThatReturnsRows(t *testing.T) {
	const contract = `
		service Shop {
			rpc Take(Id) returns (Item) { option (mortise.operation) = { query: "shop.take_query" result: ROW empty: NOT_FOUND max_rows: 1 }; }
			rpc NameOf(Id) returns (Name) { option (mortise.operation) = { query: "shop.name_query" result: SCALAR max_rows: 1 }; }
			rpc Few(Id) returns (Items) { option (mortise.operation) = { query: "shop.few_query" result: ROWS max_rows: 2 }; }
		}
		message Id { int64 id = 1; } message Name { string name = 1; } message Item { int64 id = 1; string name = 2; } message Items { repeated Item items = 1; }`
	dsn := testdb.Database(t, "CREATE TABLE items (id int8, name text); INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 9) AS n")
	exact := newEngine(t, dsn, contract, sources("shop.take_query", "DELETE FROM items WHERE id = @id RETURNING name, id, name AS again",
		"shop.name_query", "DELETE FROM items WHERE id = @id RETURNING name", "shop.few_query", "DELETE FROM items WHERE id IN (@id::int8, @id::int8 + 1) RETURNING *"))
	loose := newEngine(t, dsn, contract, sources("shop.take_query", "DELETE FROM items WHERE id >= @id RETURNING name, id",
		"shop.name_query", "DELETE FROM items WHERE id >= @id RETURNING name, name", "shop.few_query", "DELETE FROM items WHERE id >= @id RETURNING *"))
	for _, e := range []*engine{exact, loose} {
		if e.problems.Err() != nil {
			t.Fatal(e.problems)
		}
	}
	for key, hits := range map[string]string{"shop.take_query": "9", "shop.name_query": "9", "shop.few_query": "9"} {
		_, err := loose.call(t, key, "id: 1")
		if fault.ReasonOf(err) != fault.RowBound || !strings.Contains(err.Error(), "hits "+hits+" rows") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if got := selected(t, dsn, "SELECT count(*)::text FROM items"); got != "9" {
		t.Fatalf("%s items are left", got)
	}
	for _, c := range []struct {
		key, id, want string
		reason        fault.Reason
	}{
		{"shop.take_query", "id: 1", `id:1 name:"item 1"`, ""},
		{"shop.take_query", "id: 1", "", fault.DoesNotExist},
		{"shop.name_query", "id: 2", `name:"item 2"`, ""},
		{"shop.few_query", "id: 3", `items:{id:3 name:"item 3"} items:{id:4 name:"item 4"}`, ""},
	} {
		if got, err := exact.call(t, c.key, c.id); got != c.want || fault.ReasonOf(err) != c.reason {
			t.Errorf("%s: %s, %v; expected %s %s", c.key, got, err, c.want, c.reason)
		}
	}
}

// Bad rows fail the call unless the contract says that they are skipped.
func TestBadRowsFailTheCall(t *testing.T) {
	dsn := testdb.Database(t)
	e := newEngine(t, dsn, `
		service Shop { rpc All(Nothing) returns (Items) { option (mortise.operation) = { query: "shop.all_query" result: ROWS }; } }
		message Item { int32 id = 1; } message Items { repeated Item items = 1; }`,
		sources("shop.all_query", "SELECT n AS id FROM (VALUES (1::int8), (NULL), (5000000000)) AS v (n)"))
	_, err := e.call(t, "shop.all_query", "")
	if fault.ReasonOf(err) != fault.BadResult || !strings.Contains(err.Error(), "column id is NULL") {
		t.Errorf("got %v", err)
	}
}

// A call for which there is no query, or no operation, is an error of its own kind.
func TestNoStatement(t *testing.T) {
	e := newEngine(t, testdb.Database(t), `
		service Shop { rpc A(Nothing) returns (Nothing) { option (mortise.operation) = { query: "shop.a_query" without: "nothing happens" }; }
			rpc B(Nothing) returns (Nothing) { option (mortise.operation) = { query: "shop.b_query" default_query: "SELECT 1" }; } }`, sources("shop.b_query", "SELECT 2"))
	_, err := e.call(t, "shop.a_query", "")
	if want := "shop.a_query: no query is configured for it; add this key to the query file (without it nothing happens)"; err == nil || err.Error() != want {
		t.Errorf("got %v; expected %s", err, want)
	}
	_, err = e.Begin().Call("/test.v1.Shop/C", nil)
	var known *fault.Error
	if !errors.As(err, &known) || known.Reason != fault.Internal {
		t.Errorf("got %v", err)
	}
	if e.Begin().Statement("/test.v1.Shop/C") != nil || e.Begin().Statement("/test.v1.Shop/A") != nil || e.Begin().Statement("/test.v1.Shop/B") == nil {
		t.Error("statements are there, or not, against the file")
	}
}

// A flight tells the first error of its groups, and a failed group keeps nothing of its answers.
func TestFlight(t *testing.T) {
	e := newEngine(t, testdb.Database(t), `
		service Shop { rpc Div(Number) returns (Number) { option (mortise.operation) = { query: "shop.div_query" result: SCALAR }; } }
		message Number { int64 n = 1; }`, sources("shop.div_query", "SELECT 6 / @n::int8"))
	op, _ := e.contract.Lookup("shop.div_query")
	number := func(n int64) *query.Call {
		request := op.NewRequest()
		m := request.ProtoReflect()
		m.Set(m.Descriptor().Fields().ByName("n"), protoreflect.ValueOfInt64(n))
		call, err := e.Begin().Call(op.FullMethod, request)
		if err != nil {
			t.Fatal(err)
		}
		return call
	}
	calls := []*query.Call{number(1), number(0), number(2), number(3)}
	flight := query.Calls(calls[0]).Then(calls[1], calls[2]).Then().Then(calls[3])
	if len(flight.Groups) != 3 {
		t.Fatalf("%d groups", len(flight.Groups))
	}
	e.Run(t.Context(), flight)
	for i, want := range []string{"n:6", "", "", "n:2"} {
		got := ""
		if calls[i].Found() {
			got = inText(calls[i].Rows[0])
		}
		if failed := calls[i].Err != nil; got != want || failed != (want == "") {
			t.Errorf("call %d: %s, %v; expected %q", i, got, calls[i].Err, want)
		}
	}
	if err := flight.Err(); fault.ReasonOf(err) != fault.Rejected || fault.SQLStateOf(err) != "22012" {
		t.Errorf("the flight's error is %v", err)
	}
	if err := flight.Groups[2].Err(); err != nil {
		t.Errorf("the last group's error is %v", err)
	}
}

// A snapshot is one set with its settings, whatever is put into use while a call is made of it.
func TestSnapshot(t *testing.T) {
	const contract = `
		service Shop { rpc A(Nothing) returns (Number) { option (mortise.operation) = { query: "shop.a_query" result: SCALAR }; } }
		message Number { int64 n = 1; }`
	dsn := testdb.Database(t)
	e, other := newEngine(t, dsn, contract, sources("shop.a_query", "SELECT 1")), newEngine(t, dsn, contract, sources("shop.a_query", "SELECT 2"))
	op, _ := e.contract.Lookup("shop.a_query")
	first := &trackerv1.Settings{GcLimit: 1}
	set, problems := query.CompileSet(e.contract, query.Sources{ByKey: sources("shop.a_query", "SELECT 1"),
		Settings: map[string]proto.Message{"shop": first}})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	e.Use(set)
	snapshot := e.Begin()
	e.Use(other.Set())
	if snapshot.Set() != set || snapshot.Settings("shop") != proto.Message(first) || snapshot.Settings("other") != nil {
		t.Error("the snapshot changed")
	}
	call, err := snapshot.Call(op.FullMethod, op.NewRequest())
	if err != nil || call.Statement != set.Statement(op) || snapshot.Statement(op.FullMethod) != set.Statement(op) {
		t.Errorf("the call is of another set: %v", err)
	}
	if now := e.Begin(); now.Set() != other.Set() || now.Settings("shop") != nil {
		t.Error("the next snapshot is not of the new set")
	}
}
