package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// What a statement and its plan tell people: where arguments stand, and which columns are read.
func TestDescribed(t *testing.T) {
	dsn := testdb.Database(t, "CREATE TABLE item (sku text PRIMARY KEY, cents int8, extra text)")
	e := newEngine(t, dsn, `
		service Shop {
			rpc Put(Item) returns (Changed) { option (mortise.operation) = { query: "shop.put_query" result: AFFECTED max_rows: 1 }; }
			rpc Get(Sku) returns (Item) { option (mortise.operation) = { query: "shop.get_query" result: ROW }; }
			rpc Price(Sku) returns (Cents) { option (mortise.operation) = { query: "shop.price_query" result: SCALAR }; }
			rpc Call(Sku) returns (Changed) { option (mortise.operation) = { query: "shop.call_query" result: AFFECTED }; }
		}
		message Sku { string sku = 1; }
		message Item { string sku = 1; optional int64 cents = 2; }
		message Cents { int64 cents = 1; }
		message Changed { optional int64 affected = 1; }`,
		map[string]query.Source{
			"shop.put_query": {SQL: "UPDATE item SET cents = @cents\nWHERE sku = @sku AND @cents::int8 > 0",
				Locate: func(offset int) problem.Position { return problem.Position{File: "f", Line: 1, Column: offset + 1} }},
			"shop.get_query":   {SQL: "SELECT extra, cents AS price, SKU FROM item WHERE sku = @sku", Columns: map[string]string{"cents": "price"}},
			"shop.price_query": {SQL: "SELECT cents, extra FROM item WHERE sku = @sku"},
			"shop.call_query":  {SQL: "SELECT 'x' AS other, 1 AS affected WHERE @sku <> ''"},
		})
	if len(e.problems) > 0 {
		t.Fatal(e.problems)
	}
	for key, want := range map[string]struct {
		reads   string
		wrapped bool
	}{
		"shop.put_query":   {"affected -", true},
		"shop.get_query":   {"- cents sku", false},
		"shop.price_query": {"cents -", false},
		"shop.call_query":  {"- affected", false},
	} {
		op, _ := e.contract.Lookup(key)
		plan := e.Set().Statement(op).Plan()
		var names []string
		for _, column := range plan.Reads() {
			if column == nil {
				names = append(names, "-")
				continue
			}
			names = append(names, column.Name)
		}
		if got := strings.Join(names, " "); got != want.reads || plan.Wrapped() != want.wrapped {
			t.Errorf("%s reads %s, wrapped %v; expected %s, %v", key, got, plan.Wrapped(), want.reads, want.wrapped)
		}
	}
	put, _ := e.contract.Lookup("shop.put_query")
	get, _ := e.contract.Lookup("shop.get_query")
	statement := e.Set().Statement(put)
	var places []string
	for number := range 4 {
		places = append(places, fmt.Sprint(statement.ArgumentPosition(number)))
	}
	if want := []string{"", "f:1:25", "f:1:44", ""}; !slices.Equal(places, want) {
		t.Errorf("the arguments stand at %q; expected %q", places, want)
	}
	if got := e.Set().Statement(get).ColumnName(get.Columns[1]); got != "price" {
		t.Errorf("the column cents is called %s", got)
	}
}
