package run_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/internal/testdb"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

const hash = "info_hash=00112233445566778899aabbccddeeff00112233"

// peer is the words for one peer.
func peer(words ...string) []string {
	return append([]string{"-p", hash, "-p", "peer_id=text:-XX0001-abcdefghijkl", "-p", "address=192.0.2.1", "-p", "port=6881"}, words...)
}

// What --commit keeps is there in the next run; without it the tables are as they were.
func TestCommitAndRollback(t *testing.T) {
	dsn := commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")))
	count := func() string {
		t.Helper()
		return must(t, "tracker.peer.count_query", "-c", example)
	}
	before := contents(t, dsn)
	out := must(t, append([]string{"tracker.peer.add_query", "-c", example, "-p", "is_seeder=true"}, peer()...)...)
	if !strings.Contains(out, "affected: 1\nrolled back (--commit keeps it), ") {
		t.Errorf("add says\n%s", out)
	}
	if after := contents(t, dsn); after != before {
		t.Errorf("the trial left something behind: %s", after)
	}
	if out := count(); !strings.Contains(out, "\n      0         0\n1 row\nrolled back, ") {
		t.Errorf("count says\n%s", out)
	}
	out = must(t, append([]string{"tracker.peer.add_query", "-c", example, "-p", "is_seeder=true", "--commit"}, peer()...)...)
	if !strings.Contains(out, "affected: 1\ncommitted, ") {
		t.Errorf("add says\n%s", out)
	}
	kept := contents(t, dsn)
	if !strings.Contains(kept, "192.0.2.1") {
		t.Errorf("the commit kept nothing: %s", kept)
	}
	if out := count(); !strings.Contains(out, "\n      1         0\n1 row\n") {
		t.Errorf("count says\n%s", out)
	}
	out = must(t, append([]string{"tracker.peer.del_query", "-c", example, "-p", "is_seeder=true"}, peer()...)...)
	if !strings.Contains(out, "affected: 1\nrolled back") {
		t.Errorf("del says\n%s", out)
	}
	if after := contents(t, dsn); after != kept {
		t.Errorf("the trial of a delete changed the table: %s", after)
	}
}

// What the service derives is derived here: the time of the call, and the family.
func TestDerivedValues(t *testing.T) {
	dsn := commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")))
	must(t, "peer.add", "-c", example, "-p", hash, "-p", "peer_id=text:-XX0001-abcdefghijkl", "-p", "address=2001:db8::1", "-p", "port=1", "-p", "is_seeder=no", "--commit")
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(t.Context()) }()
	var v6, recent bool
	if err := conn.QueryRow(t.Context(), "SELECT is_v6, created BETWEEN now() - interval '5 minutes' AND now() FROM tracker_peers").Scan(&v6, &recent); err != nil {
		t.Fatal(err)
	}
	if !v6 || !recent {
		t.Errorf("is_v6 %v, created recently %v", v6, recent)
	}
}

// Every operation of every query set runs with values that the contract allows, alone and with all optional
// ones, and leaves the tables as they were.
func TestEveryOperation(t *testing.T) {
	contract, err := storage.Contract()
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range querySets(t) {
		t.Run(name, func(t *testing.T) {
			dsn := commandtest.Database(t, commandtest.Read(t, set[0]))
			config, problems := mortise.LoadWith(set[1], contract)
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			before, ran := contents(t, dsn), 0
			for _, op := range contract.Operations() {
				_, given := config.Storage.Sources.ByKey[op.Key]
				if byDefault := op.Spec.GetDefaultQuery() != "" && config.Storage.Settings[op.Section] != nil; given || byDefault {
					checkRan(t, op.Key, set[1], literal.ExampleWords(op))
					checkRan(t, op.Key, set[1], allWords(op))
					ran++
				}
			}
			if after := contents(t, dsn); after != before {
				t.Errorf("something was left behind:\n%s\nbefore:\n%s", after, before)
			}
			if ran < 10 {
				t.Errorf("only %d operations ran", ran)
			}
		})
	}
}

// querySets are the schema and the queries of each set, by its name.
func querySets(t *testing.T) map[string][2]string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(root, "schemas", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	sets := map[string][2]string{"default": {filepath.Join(root, "schema.sql"), example}}
	for _, folder := range folders {
		sets[filepath.Base(folder)] = [2]string{filepath.Join(folder, "schema.sql"), filepath.Join(folder, "queries.yaml")}
	}
	return sets
}

// allWords gives the optional parameters values, too.
func allWords(op *operation.Operation) []string {
	words := literal.ExampleWords(op)
	for _, p := range op.Parameters {
		if p.Optional {
			words = append(words, p.Name+"="+literal.Example(p))
		}
	}
	return words
}

// checkRan runs the command. The tables may refuse made-up values, but nothing may be wrong with the query.
func checkRan(t *testing.T, key, file string, words []string) {
	t.Helper()
	arguments := []string{key, "-c", file, "--json"}
	for _, word := range words {
		arguments = append(arguments, "-p", word)
	}
	got := invoke(t, arguments...)
	d := decode(t, got.Stdout)
	if d.Operation != arguments[0] || got.Stderr != "" {
		t.Errorf("mortise run %s: %s%s", strings.Join(arguments, " "), got.Stdout, got.Stderr)
	}
	// The tables may refuse made-up values: of a type, or because they refer to nothing.
	if got.Status != 0 && (d.Error == nil || d.Error.Reason != "REJECTED" && d.Error.SQLState != "23503") {
		t.Errorf("mortise run %s: status %d, %s", strings.Join(arguments, " "), got.Status, got.Stdout)
	}
}

// What --json holds is what the table shows, and both are what is stored.
func TestJSONAndTable(t *testing.T) {
	commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")), `
		INSERT INTO tracker_peers SELECT '\x00112233445566778899aabbccddeeff00112233', substr(sha256(n::text::bytea), 1, 20),
			('192.0.2.' || n)::inet, 6880 + n, true, false, now() FROM generate_series(1, 5) AS n`)
	arguments := []string{"tracker.announce.query", "-c", example, "-p", hash, "-p", "is_seeder=yes", "-p", "is_v6=no", "-p", "count=10"}
	table := strings.Split(strings.TrimSpace(must(t, arguments...)), "\n")
	d := decode(t, must(t, append(arguments, "--json")...))
	if len(d.Rows) != 5 || !slices.Contains(table, "5 rows") {
		t.Fatalf("%d rows in JSON; the table is\n%s", len(d.Rows), strings.Join(table, "\n"))
	}
	var names []string
	for _, column := range d.Columns {
		names = append(names, column.Name)
	}
	if got := strings.Fields(table[0]); !slices.Equal(got, names) {
		t.Errorf("the table's columns are %v; in JSON %v", got, names)
	}
	var shown, encoded []string
	for _, line := range table[2:7] {
		shown = append(shown, strings.Join(strings.Fields(line), " "))
	}
	for _, row := range d.Rows {
		encoded = append(encoded, fmt.Sprintf("%v %v %v", row["peer_id"], row["address"], row["port"]))
	}
	slices.Sort(shown)
	slices.Sort(encoded)
	if !slices.Equal(shown, encoded) {
		t.Errorf("the table shows\n%s\nJSON holds\n%s", strings.Join(shown, "\n"), strings.Join(encoded, "\n"))
	}
	// sha256('1') begins so.
	if want := "6b86b273ff34fce19d6b804eff5a3f5747ada4ea 192.0.2.1 6881"; !slices.Contains(encoded, want) {
		t.Errorf("no row %s in\n%s", want, strings.Join(encoded, "\n"))
	}
	if d.Parameters["count"].(interface{ String() string }).String() != "10" || d.Parameters["info_hash"] != strings.TrimPrefix(hash, "info_hash=") || d.Parameters["alive_since"] != nil {
		t.Errorf("the parameters are %v", d.Parameters)
	}
}

// Bytes are written and shown in hexadecimal; text with characters that a terminal obeys is shown harmlessly.
func TestBytesAndText(t *testing.T) {
	commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")))
	put := func(words ...string) {
		t.Helper()
		arguments := []string{"data.add", "-c", example, "--commit", "-p", "context=c"}
		for _, word := range words {
			arguments = append(arguments, "-p", word)
		}
		must(t, arguments...)
	}
	put("key=00ff", "value=0x1B5b33316d")
	put(`key=\x01`, "value=text:plain")
	put("key=02", "value=null")
	put("key=03", "value=")
	for key, want := range map[string]string{"00ff": "1b5b33316d", "01": "706c61696e", "02": "null", "text:\x03": "0x"} {
		out := must(t, "data.get", "-c", example, "-p", "context=c", "-p", "key="+key)
		if lines := strings.Split(out, "\n"); lines[2] != want || !strings.Contains(out, "\n1 row\n") {
			t.Errorf("key %s: got\n%s", key, out)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("a pipe is coloured: %q", out)
		}
	}
	says(t, 0, []string{"no row\n", "a host is answered NOT_FOUND\n"}, "data.get", "-c", example, "-p", "context=c", "-p", "key=04")
	if d := decode(t, must(t, "data.get", "-c", example, "-p", "context=c", "-p", "key=04", "--json")); d.Answer != "NOT_FOUND" || len(d.Rows) != 0 {
		t.Errorf("got %+v", d)
	}
	says(t, 0, []string{"affected: 2\nrolled back"}, "data.del", "-c", example, "-p", "context=c", "-p", "key=00ff,01,05")
	says(t, 0, []string{"no query is sent"}, "data.del", "-c", example, "-p", "context=c", "-p", "key=")
}

// A contract that is compiled at run time has its operations run as well.
func TestOwnContract(t *testing.T) {
	commandtest.Database(t, "CREATE TABLE item (sku text PRIMARY KEY, tags text[], price float8, note jsonb)", "INSERT INTO item VALUES (E'a\\x1b[31m', '{x,\"y,z\"}', 0.5, '{\"a\": 1}')")
	folder := t.TempDir()
	proto, file := filepath.Join(folder, "shop.proto"), filepath.Join(folder, "shop.yaml")
	for path, text := range map[string]string{
		proto: `syntax = "proto3"; package test.v1; import "mortise/annotation/annotation.proto";
			option (mortise.section) = { name: "shop" };
			service Shop { rpc List(Filter) returns (stream Item) { option (mortise.operation) = { query: "shop.list_query" result: ROWS }; } }
			message Filter { repeated string skus = 1; }
			message Item { string sku = 1; repeated string tags = 2; double price = 3; string note = 4 [(mortise.field) = { kind: JSON }]; optional int64 size = 5 [(mortise.field) = { may_be_missing: true }]; }`,
		file: "connection_string: ${MORTISE_DATABASE}\nshop:\n  list_query: |\n    SELECT sku, tags, price, note FROM item WHERE sku = ANY (@skus)\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	arguments := []string{"shop.list_query", "-c", file, "--contract", proto, "-p", `skus=b,"a\u001b[31m"`}
	out := must(t, arguments...)
	if want := []string{`"a\u001b[31m"`, `x,"y,z"`, "0.5", `{"a":`, "1}"}; !slices.Equal(strings.Fields(strings.Split(out, "\n")[2]), want) {
		t.Errorf("got\n%s", out)
	}
	if strings.Contains(out, "size") {
		t.Errorf("a column that is not there is shown:\n%s", out)
	}
	d := decode(t, must(t, append(arguments, "--json")...))
	if len(d.Rows) != 1 || d.Rows[0]["sku"] != "a\x1b[31m" || fmt.Sprintf("%v %v %v", d.Rows[0]["tags"], d.Rows[0]["price"], d.Rows[0]["note"]) != "[x y,z] 0.5 map[a:1]" {
		t.Errorf("JSON holds %v", d.Rows)
	}
}

// On a terminal there are colours, unless they are not wanted, and long values are cut.
func TestOnTerminal(t *testing.T) {
	commandtest.Database(t, commandtest.Read(t, filepath.Join(root, "schema.sql")), "INSERT INTO tracker_kv VALUES ('c', '\\x01', decode(repeat('ab', 500), 'hex'))")
	arguments := []string{"data.get", "-c", example, "-p", "context=c", "-p", "key=01"}
	if out := must(t, arguments...); !strings.Contains(out, "\n"+strings.Repeat("ab", 500)+"\n") {
		t.Errorf("a pipe gets\n%s", out)
	}
	out := onTerminal(t, arguments...)
	if !strings.Contains(out, strings.Repeat("ab", 50)+"… (1000 characters)\n") || !strings.Contains(out, "\x1b[1m1 row\x1b[0m\n") {
		t.Errorf("a terminal shows\n%q", out)
	}
	if out := onTerminal(t, "data.get", "-c", example, "-p", "key=zz"); !strings.Contains(out, "\x1b[1mFor example:\x1b[0m\n") {
		t.Errorf("a terminal shows\n%q", out)
	}
	t.Setenv("NO_COLOR", "1")
	if out := onTerminal(t, arguments...); strings.Contains(out, "\x1b") {
		t.Errorf("without colours a terminal shows\n%q", out)
	}
}
