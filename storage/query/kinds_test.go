package query_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage/fault"
	"github.com/mortise-storage/mortise/storage/problem"
)

// declarations are the fields that have each kind.
var declarations = map[string]string{
	"bytes":   "optional bytes v = 1;",
	"text":    "optional string v = 1;",
	"int":     "optional int64 v = 1;",
	"float":   "optional double v = 1;",
	"bool":    "optional bool v = 1;",
	"time":    "google.protobuf.Timestamp v = 1;",
	"addr":    "optional bytes v = 1 [(mortise.field) = { kind: ADDR }];",
	"uuid":    "optional bytes v = 1 [(mortise.field) = { kind: UUID }];",
	"json":    "optional string v = 1 [(mortise.field) = { kind: JSON }];",
	"bytes[]": "repeated bytes v = 1;",
	"text[]":  "repeated string v = 1;",
	"int[]":   "repeated int64 v = 1;",
	"float[]": "repeated double v = 1;",
	"bool[]":  "repeated bool v = 1;",
	"time[]":  "repeated google.protobuf.Timestamp v = 1;",
	"addr[]":  "repeated bytes v = 1 [(mortise.field) = { kind: ADDR }];",
	"uuid[]":  "repeated bytes v = 1 [(mortise.field) = { kind: UUID }];",
	"json[]":  "repeated string v = 1 [(mortise.field) = { kind: JSON }];",
}

const kindTypes = `
	CREATE EXTENSION citext;
	CREATE TYPE colour AS ENUM ('red', 'blue');
	CREATE DOMAIN word AS varchar(5);
	CREATE DOMAIN tiny AS int2;
	CREATE DOMAIN tinier AS tiny CHECK (VALUE < 10);
	CREATE DOMAIN host AS inet;
	CREATE DOMAIN numbers AS int4[];
	CREATE DOMAIN shade AS colour;`

func keeping(kind string) string {
	return fmt.Sprintf(`
		service Shop {
			rpc Put(Kept) returns (Nothing) { option (mortise.operation) = { query: "shop.put_query" }; }
			rpc Get(Nothing) returns (Kept) { option (mortise.operation) = { query: "shop.get_query" result: SCALAR }; }
		}
		message Kept { %s }`, declarations[kind])
}

func newKeeper(t *testing.T, dsn, kind, column string, table int) (*engine, string) {
	t.Helper()
	name := fmt.Sprintf("kept_%d", table)
	testdb.Exec(t, dsn, fmt.Sprintf("CREATE TABLE %s (v %s)", name, column))
	return newEngine(t, dsn, keeping(kind), sources("shop.put_query", "INSERT INTO "+name+" (v) VALUES (@v)", "shop.get_query", "SELECT v FROM "+name)), name
}

// Each kind fits several types of the database: a value comes back as it went in, and what is stored
// is what other programs expect there.
func TestKindsFitTypes(t *testing.T) {
	dsn := testdb.Database(t, kindTypes)
	for i, c := range []struct {
		kind, column string
		value        string // protobuf's text form
		stored       string // the database's text form
		back         string // what comes back, if it is not the value
	}{
		{kind: "bytes", column: "bytea", value: `v: "\000\377'\\"`, stored: `\x00ff275c`},
		{kind: "bytes", column: "bytea", value: `v: ""`, stored: `\x`},
		{kind: "bytes", column: "bytea", value: ``, stored: `NULL`},
		{kind: "bytes", column: "text", value: `v: "p\303\244p"`, stored: `päp`},
		{kind: "bytes", column: "varchar(9)", value: `v: ""`, stored: ``},
		{kind: "bytes", column: "uuid", value: `v: "0123456789abcdef"`, stored: `30313233-3435-3637-3839-616263646566`},
		{kind: "text", column: "text", value: `v: "päp \n"`, stored: "päp \n"},
		{kind: "text", column: "varchar(3)", value: `v: "päp"`, stored: "päp"},
		{kind: "text", column: "char(5)", value: `v: "ab"`, stored: "ab", back: `v: "ab   "`},
		{kind: "text", column: "name", value: `v: "ab"`, stored: "ab"},
		{kind: "text", column: "colour", value: `v: "blue"`, stored: "blue"},
		{kind: "text", column: "shade", value: `v: "blue"`, stored: "blue"},
		{kind: "text", column: "citext", value: `v: "BlUe"`, stored: "BlUe"},
		{kind: "text", column: "word", value: `v: "word"`, stored: "word"},
		{kind: "text", column: "bytea", value: `v: "pä"`, stored: `\x70c3a4`},
		{kind: "text", column: "text", value: ``, stored: "NULL"},
		{kind: "int", column: "int2", value: `v: -32768`, stored: "-32768"},
		{kind: "int", column: "int4", value: `v: 2147483647`, stored: "2147483647"},
		{kind: "int", column: "int8", value: `v: -9223372036854775808`, stored: "-9223372036854775808"},
		{kind: "int", column: "numeric", value: `v: 9223372036854775807`, stored: "9223372036854775807"},
		{kind: "int", column: "numeric", value: `v: -10000`, stored: "-10000"},
		{kind: "int", column: "numeric(20,3)", value: `v: 5`, stored: "5.000"},
		{kind: "int", column: "tinier", value: `v: 9`, stored: "9"},
		{kind: "float", column: "float8", value: `v: 0.1`, stored: "0.1"},
		{kind: "float", column: "float8", value: `v: -inf`, stored: "-Infinity"},
		{kind: "float", column: "float4", value: `v: 0.5`, stored: "0.5"},
		{kind: "float", column: "numeric", value: `v: 1234.5`, stored: "1234.5"},
		{kind: "float", column: "numeric", value: `v: nan`, stored: "NaN"},
		{kind: "float", column: "int8", value: `v: -3`, stored: "-3"},
		{kind: "bool", column: "bool", value: `v: true`, stored: "true"},
		{kind: "bool", column: "bool", value: `v: false`, stored: "false"},
		{kind: "time", column: "timestamptz", value: `v: {seconds: 1719876896 nanos: 789012000}`, stored: "2024-07-01 23:34:56.789012+00"},
		{kind: "time", column: "timestamptz", value: `v: {seconds: 1 nanos: 1999}`, stored: "1970-01-01 00:00:01.000001+00", back: `v: {seconds: 1 nanos: 1000}`},
		{kind: "time", column: "timestamp", value: `v: {seconds: 1719876896 nanos: 789012000}`, stored: "2024-07-01 23:34:56.789012"},
		{kind: "time", column: "timestamp", value: `v: {seconds: -62135596800}`, stored: "0001-01-01 00:00:00"},
		{kind: "time", column: "timestamp", value: `v: {seconds: 253402300799}`, stored: "9999-12-31 23:59:59"},
		{kind: "time", column: "timestamp(0)", value: `v: {seconds: 5 nanos: 1000}`, stored: "1970-01-01 00:00:05", back: `v: {seconds: 5}`},
		{kind: "time", column: "int8", value: `v: {seconds: 1719876896 nanos: 789012000}`, stored: "1719876896", back: `v: {seconds: 1719876896}`},
		{kind: "time", column: "int8", value: `v: {seconds: -1 nanos: 500000000}`, stored: "-1", back: `v: {seconds: -1}`},
		{kind: "time", column: "int4", value: `v: {seconds: 1719876896}`, stored: "1719876896"},
		{kind: "time", column: "timestamptz", value: ``, stored: "NULL"},
		{kind: "addr", column: "inet", value: `v: "\300\000\002\001"`, stored: "192.0.2.1/32"},
		{kind: "addr", column: "inet", value: mapped, stored: "192.0.2.1/32", back: `v: "\300\000\002\001"`},
		{kind: "addr", column: "inet", value: v6, stored: "2001:db8::1/128"},
		{kind: "addr", column: "cidr", value: v6, stored: "2001:db8::1/128"},
		{kind: "addr", column: "host", value: v6, stored: "2001:db8::1/128"},
		{kind: "addr", column: "bytea", value: mapped, stored: `\xc0000201`, back: `v: "\300\000\002\001"`},
		{kind: "addr", column: "bytea", value: v6, stored: `\x20010db8000000000000000000000001`},
		{kind: "addr", column: "text", value: mapped, stored: "192.0.2.1", back: `v: "\300\000\002\001"`},
		{kind: "addr", column: "varchar(45)", value: v6, stored: "2001:db8::1"},
		{kind: "uuid", column: "uuid", value: `v: "0123456789abcdef"`, stored: `30313233-3435-3637-3839-616263646566`},
		{kind: "uuid", column: "text", value: `v: "0123456789abcdef"`, stored: `30313233-3435-3637-3839-616263646566`},
		{kind: "uuid", column: "bytea", value: `v: "0123456789abcdef"`, stored: `\x30313233343536373839616263646566`},
		{kind: "json", column: "json", value: `v: "{\"a\":  1}"`, stored: `{"a":  1}`},
		{kind: "json", column: "jsonb", value: `v: "{\"a\":  1}"`, stored: `{"a": 1}`, back: `v: "{\"a\": 1}"`},
		{kind: "json", column: "text", value: `v: "[]"`, stored: "[]"},
		{kind: "json", column: "bytea", value: `v: "[]"`, stored: `\x5b5d`},
		{kind: "bytes[]", column: "bytea[]", value: `v: ["\000", "", "\377\376"]`, stored: `{"\\x00","\\x","\\xfffe"}`},
		{kind: "bytes[]", column: "bytea[]", value: ``, stored: `{}`},
		{kind: "bytes[]", column: "text[]", value: `v: "a,b"`, stored: `{"a,b"}`},
		{kind: "text[]", column: "text[]", value: `v: ["a", "", "NULL", "\"{"]`, stored: `{a,"","NULL","\"{"}`},
		{kind: "text[]", column: "varchar(3)[]", value: `v: "abc"`, stored: `{abc}`},
		{kind: "int[]", column: "int8[]", value: `v: [1, -2, 9223372036854775807]`, stored: `{1,-2,9223372036854775807}`},
		{kind: "int[]", column: "int2[]", value: `v: [1, -2]`, stored: `{1,-2}`},
		{kind: "int[]", column: "numeric[]", value: `v: [10000, -2]`, stored: `{10000,-2}`},
		{kind: "int[]", column: "numbers", value: `v: [1, -2]`, stored: `{1,-2}`},
		{kind: "int[]", column: "tiny[]", value: `v: [1, -2]`, stored: `{1,-2}`},
		{kind: "float[]", column: "float8[]", value: `v: [0.5, 1e300]`, stored: `{0.5,1e+300}`},
		{kind: "bool[]", column: "bool[]", value: `v: [true, false]`, stored: `{t,f}`},
		{kind: "time[]", column: "timestamptz[]", value: `v: {seconds: 5} v: {seconds: 6}`, stored: `{"1970-01-01 00:00:05+00","1970-01-01 00:00:06+00"}`},
		{kind: "time[]", column: "int8[]", value: `v: {seconds: 5}`, stored: `{5}`},
		{kind: "addr[]", column: "inet[]", value: `v: ["\300\000\002\001", "\300\000\002\002"]`, stored: `{192.0.2.1,192.0.2.2}`},
		{kind: "uuid[]", column: "uuid[]", value: `v: "0123456789abcdef"`, stored: `{30313233-3435-3637-3839-616263646566}`},
		{kind: "json[]", column: "jsonb[]", value: `v: ["{}", "[1]"]`, stored: `{"{}",[1]}`},
	} {
		t.Run(fmt.Sprintf("%s as %s, %s", c.kind, c.column, c.value), func(t *testing.T) {
			e, table := newKeeper(t, dsn, c.kind, c.column, i)
			if err := e.problems.Err(); err != nil {
				t.Fatal(err)
			}
			if _, err := e.call(t, "shop.put_query", c.value); err != nil {
				t.Fatal(err)
			}
			if got := selected(t, dsn+" timezone=UTC", "SELECT v::text FROM "+table); strings.TrimRight(got, " ") != strings.TrimRight(c.stored, " ") {
				t.Errorf("stored %q; expected %q", got, c.stored)
			}
			got, err := e.call(t, "shop.get_query", "")
			back := c.back
			if back == "" {
				back = c.value
			}
			if want := e.canonical(t, "shop.put_query", back); err != nil || got != want {
				t.Errorf("came back as %s, %v; expected %s", got, err, want)
			}
		})
	}
}

const (
	mapped = `v: "\000\000\000\000\000\000\000\000\000\000\377\377\300\000\002\001"`
	v6     = `v: "\040\001\015\270\000\000\000\000\000\000\000\000\000\000\000\001"`
)

// A value that its type cannot hold is refused without being sent, and the next call works.
func TestValuesThatDoNotFit(t *testing.T) {
	dsn := testdb.Database(t, kindTypes)
	for i, c := range []struct{ kind, column, value string }{
		{"bytes", "text", `v: "\377"`},
		{"bytes", "uuid", `v: "123456789012345"`},
		{"int", "int2", `v: 32768`},
		{"int", "int4", `v: -2147483649`},
		{"int", "tiny", `v: 40000`},
		{"time", "int4", `v: {seconds: 2147483648}`},
		{"int[]", "int2[]", `v: [1, 40000]`},
		{"bytes[]", "text[]", `v: ["a", "\377"]`},
		{"float", "int8", `v: 1.5`},
		{"float", "int8", `v: nan`},
		{"float", "int8", `v: inf`},
		{"float", "int8", `v: 9223372036854775808`},
		{"float", "int4", `v: 2147483648`},
	} {
		t.Run(c.kind+" as "+c.column, func(t *testing.T) {
			e, table := newKeeper(t, dsn, c.kind, c.column, i)
			_, err := e.call(t, "shop.put_query", c.value)
			if fault.ReasonOf(err) != fault.Rejected || fault.SQLStateOf(err) != "" || !strings.Contains(err.Error(), "v does not fit the database's type") {
				t.Errorf("got %v", err)
			}
			if got := selected(t, dsn, "SELECT count(*)::text FROM "+table); got != "0" {
				t.Errorf("%s rows are stored", got)
			}
			if _, err := e.call(t, "shop.get_query", ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// Stored values that are not of the kind fail the call, with the column, and without the value.
func TestStoredValuesOfAnotherKind(t *testing.T) {
	dsn := testdb.Database(t, kindTypes)
	for i, c := range []struct{ kind, column, stored, says string }{
		{"text", "bytea", `'\xff80'`, "column v is not valid UTF-8"},
		{"int", "numeric", `1.5`, "column v is not a whole number of 64 bits"},
		{"int", "numeric", `1e30`, "column v is not a whole number of 64 bits"},
		{"int", "numeric", `'NaN'`, "column v is not a whole number of 64 bits"},
		{"time", "timestamptz", `'infinity'`, "column v is not a finite time"},
		{"time", "timestamp", `'-infinity'`, "column v is not a finite time"},
		{"time", "timestamp", `'0044-03-15 BC'`, "column v must be a time between the years 1 and 9999"},
		{"time", "int8", `9223372036854775807`, "column v must be a time between the years 1 and 9999"},
		{"addr", "inet", `'192.0.2.0/24'`, "column v is a network, not an address"},
		{"addr", "text", `'example.org'`, "column v is no address"},
		{"addr", "bytea", `'\x01'`, "column v has neither 4 nor 16 bytes"},
		{"uuid", "text", `'30313233'`, "column v is no UUID"},
		{"uuid", "bytea", `'\x01'`, "column v must be 16 bytes"},
		{"int[]", "int4[]", `'{1,NULL}'`, "column v is not an array of one dimension without NULL"},
		{"int[]", "int4[]", `'{{1},{2}}'`, "column v is not an array of one dimension without NULL"},
	} {
		t.Run(c.kind+" in "+c.column+", "+c.stored, func(t *testing.T) {
			e, table := newKeeper(t, dsn, c.kind, c.column, i)
			testdb.Exec(t, dsn, "INSERT INTO "+table+" VALUES ("+c.stored+")")
			got, err := e.call(t, "shop.get_query", "")
			if fault.ReasonOf(err) != fault.BadResult || !strings.Contains(err.Error(), "shop.get_query: "+c.says) {
				t.Errorf("got %s, %v; expected %q", got, err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), strings.Trim(c.stored, "'")) {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

// Types that cannot hold a kind are found when the statement is described, for the parameter and for
// the column.
func TestTypesThatDoNotFit(t *testing.T) {
	dsn := testdb.Database(t, kindTypes)
	table := 0
	for kind, columns := range map[string][]string{
		"bytes":  {"int4", "inet", "jsonb", "bytea[]", "bool"},
		"text":   {"int4", "uuid", "jsonb", "timestamptz", "text[]"},
		"int":    {"text", "float8", "bool", "timestamptz", "int4[]", "money"},
		"float":  {"text", "bool", "float8[]"},
		"bool":   {"int4", "text", "bool[]"},
		"time":   {"date", "text", "numeric", "int2", "interval", "timestamptz[]"},
		"addr":   {"int8", "uuid", "macaddr", "inet[]"},
		"uuid":   {"int8", "inet"},
		"json":   {"int4", "uuid"},
		"int[]":  {"int4", "text", "text[]"},
		"text[]": {"text", "int4[]", "colour[]"},
	} {
		for _, column := range columns {
			table++
			t.Run(kind+" as "+column, func(t *testing.T) {
				e, _ := newKeeper(t, dsn, kind, column, table)
				rules := map[string]bool{}
				for _, p := range e.problems {
					if p.Severity == problem.Error && strings.Contains(p.Message, kind) {
						rules[p.Rule] = true
					}
				}
				if !rules["parameter-type"] || !rules["column-type"] {
					t.Errorf("problems: %s", e.problems)
				}
			})
		}
	}
}
