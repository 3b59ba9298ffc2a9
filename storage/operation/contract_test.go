package operation_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage/operation"
)

// compile compiles the text of a .proto file at run time, as for an operator's own contract.
func compile(t *testing.T, text string) []protoreflect.FileDescriptor {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "test.proto")
	head := `syntax = "proto3"; package test.v1; import "mortise/annotation/annotation.proto"; import "google/protobuf/timestamp.proto";` + "\n"
	if err := os.WriteFile(path, []byte(head+text), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := mortise.CompileContract(t.Context(), []string{folder}, path)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func load(t *testing.T, text string) *operation.Contract {
	t.Helper()
	contract, err := operation.Load(compile(t, text)...)
	if err != nil {
		t.Fatal(err)
	}
	return contract
}

const section = `option (mortise.section) = { name: "shop" profiles: "cart" profiles: "cart till" };`

// one is a file with one operation on messages In and Out.
func one(annotation, messages string) string {
	return section + `service Shop { rpc Do(In) returns (Out) { option (mortise.operation) = { ` + annotation + ` }; } }` + messages
}

const plain = ` message In { string name = 1; } message Out { optional int64 affected = 1; }`

func TestLoad(t *testing.T) {
	contract := load(t, section+`
		service Shop {
			rpc Put(Item) returns (Changed) { option (mortise.operation) = {
				query: "shop.cart.put_query" result: AFFECTED empty: NOT_FOUND need: REQUIRED retry: IDEMPOTENT lane: "sku" max_rows: 1 timeout: "1500ms" }; }
			rpc Checkout(Item) returns (Changed);
		}
		service Steps {
			option (mortise.internal) = true;
			rpc List(Filter) returns (stream Item) { option (mortise.operation) = { query: "shop.till.query" result: ROWS }; }
			rpc ListOf(Filter) returns (Items) { option (mortise.operation) = { query: "shop.till.of_clause" result: ROWS extends: "shop.till.query" }; }
			rpc Sweep(Nothing) returns (Nothing) { option (mortise.operation) = { query: "shop.sweep_query" heat: BACKGROUND unless: "shop.till.query" }; }
		}
		message Nothing {}
		message Item { string sku = 1; Price price = 2; repeated bytes codes = 3; string note = 4 [(mortise.field) = { ignore: true }]; }
		message Items { repeated Item items = 1; }
		message Price { int64 cents = 1; optional double rate = 2; }
		message Filter { optional bytes owner = 1 [(mortise.field) = { kind: UUID name: "who" }]; google.protobuf.Timestamp since = 2;
			bytes from = 3 [(mortise.field) = { kind: ADDR }]; string extra = 4 [(mortise.field) = { kind: JSON }]; bool all = 5; }
		message Changed { optional int64 changed = 1; }
		message Settings { option (mortise.settings) = "shop";
			string currency = 1 [(mortise.setting) = { key: "currency" default: "EUR" }];
			bool open = 2 [(mortise.setting) = { key: "till.open" }]; }`)

	if got := names(contract.Services()); !slices.Equal(got, []string{"Shop"}) {
		t.Errorf("services %q", got)
	}
	s, ok := contract.Section("shop")
	if !ok || len(contract.Sections()) != 1 || !slices.Equal(s.Groups(), []string{"", "cart", "till"}) {
		t.Fatalf("section %+v", s)
	}
	if len(s.Profiles) != 2 || !slices.Equal(s.Profiles[0], []string{"cart"}) || !slices.Equal(s.Profiles[1], []string{"cart", "till"}) {
		t.Errorf("profiles %q", s.Profiles)
	}
	if len(s.Settings) != 2 || s.Settings[1].Key != "till.open" || s.Settings[1].Group != "till" || s.Settings[0].Group != "" {
		t.Errorf("settings %+v", s.Settings)
	}
	for _, c := range []struct {
		key, method, name, group, label, timeoutKey string
		parameters, columns                         []string
		internal, background                        bool
	}{
		{"shop.cart.put_query", "/test.v1.Shop/Put", "put", "cart", "cart.put", "shop.cart.put_timeout",
			[]string{"sku:text", "cents:int", "rate:float?", "codes:bytes[]"}, []string{"changed:int?"}, false, false},
		{"shop.till.query", "/test.v1.Steps/List", "", "till", "till", "shop.till.timeout",
			[]string{"who:uuid?", "since:time?", "from:addr", "extra:json", "all:bool"}, []string{"sku:text", "cents:int", "rate:float?", "codes:bytes[]"}, true, false},
		{"shop.till.of_clause", "/test.v1.Steps/ListOf", "of", "till", "till.of", "shop.till.of_timeout",
			[]string{"who:uuid?", "since:time?", "from:addr", "extra:json", "all:bool"}, []string{"sku:text", "cents:int", "rate:float?", "codes:bytes[]"}, true, false},
		{"shop.sweep_query", "/test.v1.Steps/Sweep", "sweep", "", "sweep", "shop.sweep_timeout", nil, nil, true, true},
	} {
		op, ok := contract.Lookup(c.key)
		if !ok || contract.Method(c.method) != op {
			t.Fatalf("%s: %v, and the method %s is %v", c.key, op, c.method, contract.Method(c.method))
		}
		if op.Section != "shop" || op.Name != c.name || op.Group != c.group || op.Label() != c.label || op.SiblingKey("timeout") != c.timeoutKey ||
			op.Internal != c.internal || op.Background() != c.background {
			t.Errorf("%s: name %q, group %q, label %q, %q, internal %v, background %v", c.key, op.Name, op.Group, op.Label(), op.SiblingKey("timeout"), op.Internal, op.Background())
		}
		if got := parameters(op); !slices.Equal(got, c.parameters) {
			t.Errorf("%s has the parameters %q", c.key, got)
		}
		if got := columns(op); !slices.Equal(got, c.columns) {
			t.Errorf("%s has the columns %q", c.key, got)
		}
	}
	put, _ := contract.Lookup("shop.cart.put_query")
	clause, _ := contract.Lookup("shop.till.of_clause")
	base, _ := contract.Lookup("shop.till.query")
	if put.Timeout != 1500*time.Millisecond || put.Spec.GetMaxRows() != 1 || clause.Extends != base {
		t.Errorf("timeout %s, bound %d, %v extended", put.Timeout, put.Spec.GetMaxRows(), clause.Extends)
	}
	if got := clause.ColumnKeys(clause.Columns[1]); !slices.Equal(got, []string{"cents_column"}) {
		t.Errorf("a clause's column is renamed by %q", got)
	}
	if got := put.ColumnKeys(put.Columns[0]); !slices.Equal(got, []string{"put_changed_column", "changed_column"}) {
		t.Errorf("a column is renamed by %q", got)
	}
	if contract.Method("/test.v1.Shop/Checkout") != nil {
		t.Error("a composed method is an operation")
	}
}

func names(services []protoreflect.ServiceDescriptor) []string {
	var all []string
	for _, s := range services {
		all = append(all, string(s.Name()))
	}
	return all
}

func parameters(op *operation.Operation) []string {
	var all []string
	for i, p := range op.Parameters {
		if p.Index != i {
			all = append(all, "wrong index")
		}
		all = append(all, p.Name+":"+p.TypeName())
	}
	return all
}

func columns(op *operation.Operation) []string {
	var all []string
	for i, c := range op.Columns {
		if c.Index != i {
			all = append(all, "wrong index")
		}
		all = append(all, c.Name+":"+c.TypeName())
	}
	return all
}

// Mistakes in a contract are found when it is loaded, with the method or field that has them.
func TestMistakesInAContract(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"unknown lane":                         {one(`query: "shop.put_query" lane: "nam"`, plain), `test.v1.Shop.Do: lane "nam" is no parameter`},
		"one part":                             {one(`query: "put_query"`, plain), `query "put_query": expected section.group.op_query or section.op_query`},
		"four parts":                           {one(`query: "shop.a.b.put_query"`, plain), `query "shop.a.b.put_query": expected`},
		"other ending":                         {one(`query: "shop.cart.put"`, plain), `must end in _query or _clause`},
		"empty part":                           {one(`query: "shop..put_query"`, plain), `each part must begin with a lower-case letter`},
		"no name":                              {one(`query: "shop.cart._query"`, plain), `each part must begin with a lower-case letter`},
		"capitals":                             {one(`query: "shop.Cart.put_query"`, plain), `each part must begin with a lower-case letter`},
		"query without a group":                {one(`query: "shop.query"`, plain), `a key that is just query needs a group`},
		"another section":                      {one(`query: "store.put_query"`, plain), `store.put_query is not in the section that the file declares`},
		"clause that extends nothing":          {one(`query: "shop.put_clause"`, plain), `ends in _clause exactly if the operation extends another`},
		"query that extends":                   {one(`query: "shop.put_query" extends: "shop.put_query"`, plain), `ends in _clause exactly if the operation extends another`},
		"extends unknown":                      {one(`query: "shop.put_clause" extends: "shop.get_query"`, plain), `shop.put_clause extends shop.get_query, which is not declared`},
		"extends itself":                       {one(`query: "shop.put_clause" extends: "shop.put_clause"`, plain), `shop.put_clause extends itself`},
		"unless unknown":                       {one(`query: "shop.put_query" unless: "shop.x_query"`, plain), `shop.put_query names shop.x_query, which is not declared`},
		"timeout":                              {one(`query: "shop.put_query" timeout: "soon"`, plain), `timeout: time: invalid duration`},
		"AFFECTED, not optional":               {one(`query: "shop.put_query" result: AFFECTED`, ` message In {} message Out { int64 n = 1; }`), `the response must be one optional int64`},
		"AFFECTED, int32":                      {one(`query: "shop.put_query" result: AFFECTED`, ` message In {} message Out { optional int32 n = 1; }`), `the response must be one optional int64`},
		"AFFECTED, two fields":                 {one(`query: "shop.put_query" result: AFFECTED`, ` message In {} message Out { optional int64 n = 1; bool b = 2; }`), `the response must be one optional int64`},
		"AFFECTED, nothing":                    {one(`query: "shop.put_query" result: AFFECTED`, ` message In {} message Out {}`), `the response must be one optional int64`},
		"SCALAR, two fields":                   {one(`query: "shop.put_query" result: SCALAR`, ` message In {} message Out { int64 n = 1; bool b = 2; }`), `the response must have one field`},
		"ROWS, no list":                        {one(`query: "shop.put_query" result: ROWS`, plain), `the response must be a stream, or hold one repeated message`},
		"ROWS, list of numbers":                {one(`query: "shop.put_query" result: ROWS`, ` message In {} message Out { repeated int64 n = 1; }`), `the response must be a stream, or hold one repeated message`},
		"doubled parameter":                    {one(`query: "shop.put_query"`, ` message In { string a = 1; Inner inner = 2; } message Inner { int64 a = 1; } message Out {}`), `parameter @a is declared twice`},
		"doubled column":                       {one(`query: "shop.put_query" result: ROW`, ` message In {} message Out { string a = 1; int64 b = 2 [(mortise.field) = { name: "A" }]; }`), `column A is declared twice`},
		"name of a parameter":                  {one(`query: "shop.put_query"`, ` message In { string a = 1 [(mortise.field) = { name: "a-b" }]; } message Out {}`), `"a-b" cannot be the name of a parameter`},
		"a capital's parameter":                {one(`query: "shop.put_query"`, ` message In { string Name = 1; } message Out {}`), `"Name" cannot be the name of a parameter`},
		"enum":                                 {one(`query: "shop.put_query"`, ` enum E { Z = 0; } message In { E e = 1; } message Out {}`), `field test.v1.In.e: a field of type enum has no kind`},
		"unsigned 64 bits":                     {one(`query: "shop.put_query"`, ` message In { uint64 n = 1; } message Out {}`), `a field of type uint64 has no kind`},
		"list of messages":                     {one(`query: "shop.put_query"`, ` message In { repeated Out l = 1; } message Out {}`), `a field of type message has no kind`},
		"map":                                  {one(`query: "shop.put_query"`, ` message In { map<string, string> m = 1; } message Out {}`), `field test.v1.In.m: a map has no kind`},
		"message in itself":                    {one(`query: "shop.put_query"`, ` message In { In again = 1; } message Out {}`), `field test.v1.In.again: a message cannot hold itself`},
		"message in itself, by way of another": {one(`query: "shop.put_query"`, ` message In { Mid mid = 1; } message Mid { In again = 1; } message Out {}`), `field test.v1.Mid.again: a message cannot hold itself`},
		"family of no address":                 {one(`query: "shop.put_query"`, ` message In { bytes a = 1; bool v6 = 2 [(mortise.field) = { derive: IS_V6 of: "a" }]; } message Out {}`), `@v6 is derived from "a", which is no address`},
		"family of nothing":                    {one(`query: "shop.put_query"`, ` message In { bool v6 = 2 [(mortise.field) = { derive: IS_V6 of: "b" }]; } message Out {}`), `@v6 is derived from "b", which is no address`},
		"clock of a number":                    {one(`query: "shop.put_query"`, ` message In { optional int64 t = 1 [(mortise.field) = { derive: NOW }]; } message Out {}`), `@t cannot be the time of the call`},
		"nothing if no list":                   {one(`query: "shop.put_query" nothing_if_empty: "name"`, plain), `nothing_if_empty "name" is no list`},
		"nothing if unknown":                   {one(`query: "shop.put_query" nothing_if_empty: "x"`, plain), `nothing_if_empty "x" is no list`},
		"no section":                           {`service Shop { rpc Do(In) returns (In) { option (mortise.operation) = { query: "shop.put_query" }; } } message In {}`, `shop.put_query is not in the section that the file declares`},
		"doubled key": {section + `service A { rpc X(In) returns (In) { option (mortise.operation) = { query: "shop.put_query" }; } rpc Y(In) returns (In) { option (mortise.operation) = { query: "shop.put_query" }; } } message In {}`,
			`test.v1.A.Y: shop.put_query is already declared by test.v1.A.X`},
		"internal without annotation": {section + `service A { option (mortise.internal) = true; rpc X(In) returns (In); } message In {}`, `test.v1.A.X: a method of an internal service needs (mortise.operation)`},
		"setting without key":         {section + `message S { option (mortise.settings) = "shop"; bool b = 1; }`, `test.v1.S.b: a setting needs a key`},
		"setting with a long key":     {section + `message S { option (mortise.settings) = "shop"; bool b = 1 [(mortise.setting) = { key: "a.b.c" }]; }`, `setting "a.b.c": expected key or group.key`},
		"doubled setting":             {section + `message S { option (mortise.settings) = "shop"; bool a = 1 [(mortise.setting) = { key: "x" }]; bool b = 2 [(mortise.setting) = { key: "x" }]; }`, `setting "x" is declared twice`},
		"settings of another section": {section + `message S { option (mortise.settings) = "store"; }`, `test.v1.S: are the settings of store, and the file declares the section shop`},
		"settings without section":    {`message S { option (mortise.settings) = "shop"; }`, `test.v1.S: the file declares no section`},
		"settings twice":              {section + `message S { option (mortise.settings) = "shop"; } message U { option (mortise.settings) = "shop"; }`, `test.v1.U: test.v1.S already holds the settings of shop`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := operation.Load(compile(t, c.text)...)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v; expected %q in it", err, c.says)
			}
		})
	}
}

// Clauses that extend each other in a circle are reported, and do not hang whoever follows them.
func TestClausesInACircle(t *testing.T) {
	_, err := operation.Load(compile(t, section+`service A {
		rpc X(In) returns (In) { option (mortise.operation) = { query: "shop.x_clause" extends: "shop.y_clause" }; }
		rpc Y(In) returns (In) { option (mortise.operation) = { query: "shop.y_clause" extends: "shop.x_clause" }; } } message In {}`)...)
	if err == nil || !strings.Contains(err.Error(), "extends itself, by way of") {
		t.Errorf("got %v", err)
	}
}

// All mistakes are reported at once.
func TestMistakesAreReportedTogether(t *testing.T) {
	_, err := operation.Load(compile(t, section+`service A {
		rpc X(In) returns (In) { option (mortise.operation) = { query: "shop.x" }; }
		rpc Y(In) returns (In) { option (mortise.operation) = { query: "shop.y_query" lane: "z" }; } }
		message In {} message S { option (mortise.settings) = "shop"; bool b = 1; }`)...)
	for _, part := range []string{"contract: ", "test.v1.A.X", "test.v1.A.Y", "test.v1.S.b"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}
