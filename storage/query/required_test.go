package query_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/query"
)

const requiringContract = `
	service Shop {
		rpc Log(Name) returns (Changed) { option (mortise.operation) = { query: "shop.log_query" result: AFFECTED }; }
		rpc Change(Item) returns (Changed) { option (mortise.operation) = { query: "shop.change_query" result: AFFECTED max_rows: 1 }; }
		rpc ChangeAll(Item) returns (Changed) { option (mortise.operation) = { query: "shop.change_all_query" result: AFFECTED }; }
	}
	message Name { string name = 1; } message Item { int64 id = 1; string name = 2; } message Changed { optional int64 changed = 1; }`

// A write that must hit a row takes its whole group back with it if it does not, however its count is
// known, and is an ordinary write if it does.
func TestRequired(t *testing.T) {
	const change, changeAll = "shop.change_query", "shop.change_all_query"
	for name, c := range map[string]struct {
		key, sql string
		twoSteps bool
	}{
		"UPDATE":             {change, "UPDATE items SET name = @name WHERE id = @id", false},
		"UPDATE, unbounded":  {changeAll, "UPDATE items SET name = @name WHERE id = @id", false},
		"RETURNING":          {change, "UPDATE items SET name = @name WHERE id = @id RETURNING id", false},
		"DELETE":             {changeAll, "DELETE FROM items WHERE id = @id AND @name <> ''", false},
		"INSERT":             {change, "INSERT INTO changes VALUES (@id, @name) ON CONFLICT (id) DO NOTHING", false},
		"INSERT of a SELECT": {change, "INSERT INTO changes SELECT id, @name FROM items WHERE id = @id", false},
		"WITH in front":      {change, "WITH i AS (SELECT @id::int8 AS id) UPDATE items SET name = @name FROM i WHERE items.id = i.id", false},
		"WITH, unbounded":    {changeAll, "WITH i AS (SELECT @id::int8 AS id) UPDATE items SET name = @name FROM i WHERE items.id = i.id", true},
		"write inside WITH":  {change, "WITH u AS (UPDATE items SET name = @name WHERE id = @id RETURNING 1) SELECT count(*) AS changed FROM u", true},
		"function":           {change, "SELECT change(@id, @name) AS changed", true},
		"MERGE":              {change, "MERGE INTO items USING (SELECT @id::int8 AS id) AS i ON items.id = i.id WHEN MATCHED THEN UPDATE SET name = @name", true},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testdb.Database(t, `CREATE TABLE items (id int8 PRIMARY KEY, name text); CREATE TABLE changes (id int8 PRIMARY KEY, name text);
				CREATE TABLE logged (name text); INSERT INTO items VALUES (1, 'one'); INSERT INTO changes VALUES (2, 'two');
				CREATE FUNCTION change(which int8, called text) RETURNS int8 LANGUAGE sql AS
					$$ WITH u AS (UPDATE items SET name = called WHERE id = which RETURNING 1) SELECT count(*) FROM u $$;`)
			other, text := changeAll, "UPDATE items SET name = @name WHERE id = @id"
			if c.key == changeAll {
				other = change
			}
			e := newEngine(t, dsn, requiringContract, sources("shop.log_query", "INSERT INTO logged VALUES (@name)", c.key, c.sql, other, text))
			if e.problems.Err() != nil {
				t.Fatal(e.problems)
			}
			// An item that is there, one that is not, and the first once more: its statements are known by now.
			for _, step := range []struct {
				id   int
				hits bool
			}{{2, false}, {1, true}, {2, false}} {
				log, call := e.make(t, "shop.log_query", `name: "x"`), e.make(t, c.key, fmt.Sprintf(`id: %d name: "new"`, step.id)).Require()
				if call.Plan().TwoSteps != c.twoSteps {
					t.Errorf("two steps: %t", call.Plan().TwoSteps)
				}
				behind := e.make(t, "shop.log_query", `name: "behind"`)
				e.Run(t.Context(), query.Calls(log, call).Then(behind))
				if behind.Err != nil {
					t.Errorf("the group behind: %v", behind.Err)
				}
				if step.hits {
					if log.Err != nil || call.Err != nil || call.Affected != 1 || !call.Counted {
						t.Errorf("item %d: %v, %v, %d rows", step.id, log.Err, call.Err, call.Affected)
					}
					continue
				}
				for _, one := range []*query.Call{log, call} {
					if fault.ReasonOf(one.Err) != fault.DoesNotExist || fault.OperationOf(one.Err) != c.key || one.Culprit != (one == call) {
						t.Errorf("item %d: %v, the culprit: %t", step.id, one.Err, one.Culprit)
					}
				}
			}
			if n := selected(t, dsn, "SELECT count(*) FILTER (WHERE name = 'x') || ' and ' || count(*) FILTER (WHERE name = 'behind') FROM logged"); n != "1 and 3" {
				t.Errorf("%s rows are stored", n)
			}
		})
	}
}

// make prepares a call of an operation, with a request in protobuf's text form.
func (e *engine) make(t *testing.T, key, request string) *query.Call {
	t.Helper()
	op, ok := e.contract.Lookup(key)
	if !ok {
		t.Fatalf("no operation %s", key)
	}
	message := op.NewRequest()
	if err := prototext.Unmarshal([]byte(request), message); err != nil {
		t.Fatal(err)
	}
	call, err := e.Begin().Call(op.FullMethod, message)
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// A query that does not tell its number is taken to have hit its row.
func TestRequiredWithoutANumber(t *testing.T) {
	dsn := testdb.Database(t, `CREATE FUNCTION change(bigint, text) RETURNS void LANGUAGE sql AS ''`)
	e := newEngine(t, dsn, requiringContract, sources("shop.log_query", "SELECT @name::text", "shop.change_query", "SELECT change(@id, @name)",
		"shop.change_all_query", "SELECT @id::int8, @name::text"))
	call := e.make(t, "shop.change_query", "id: 1").Require()
	if e.Run(t.Context(), query.Calls(call)); call.Err != nil || call.Counted {
		t.Errorf("%v, counted: %t", call.Err, call.Counted)
	}
}

// When the schema changes under it, the form of a statement that must hit a row is made anew with the
// statement.
func TestRequiredAfterAChangeOfTheSchema(t *testing.T) {
	dsn := testdb.Database(t, `CREATE TABLE items (id int8 PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'one')`)
	e := newEngine(t, dsn, requiringContract, sources("shop.log_query", "SELECT @name::text", "shop.change_query", "UPDATE items SET name = @name WHERE id = @id",
		"shop.change_all_query", "SELECT @id::int8, @name::text"))
	for _, alter := range []string{"SELECT 1", "ALTER TABLE items ALTER name TYPE bytea USING NULL"} {
		testdb.Exec(t, dsn, alter)
		for id, want := range map[int]fault.Reason{1: "", 2: fault.DoesNotExist} {
			call := e.make(t, "shop.change_query", fmt.Sprintf(`id: %d name: "new"`, id)).Require()
			e.Run(t.Context(), query.Calls(call))
			if fault.ReasonOf(call.Err) != want {
				t.Errorf("after %s, item %d: %v", alter, id, call.Err)
			}
		}
	}
	if name := selected(t, dsn, "SELECT convert_from(name, 'UTF8') FROM items"); name != "new" {
		t.Errorf("the name is %s", name)
	}
}
