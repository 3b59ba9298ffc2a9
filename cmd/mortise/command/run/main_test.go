package run_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/cmd/mortise/command/run"
	"github.com/mortise-storage/mortise/internal/testdb"
)

func TestMain(m *testing.M) { commandtest.Main(m) }

const root = commandtest.Root

var example = commandtest.Example

func invoke(t testing.TB, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Invoke(t, run.New(), arguments...)
}

func must(t testing.TB, arguments ...string) string {
	t.Helper()
	return commandtest.Must(t, run.New(), arguments...)
}

func says(t testing.TB, status int, texts []string, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Says(t, run.New(), status, texts, arguments...)
}

func onTerminal(t *testing.T, arguments ...string) string {
	t.Helper()
	return commandtest.OnTerminal(t, run.New(), arguments...)
}

// contents is all that a database's tables hold.
func contents(t testing.TB, dsn string) string {
	t.Helper()
	conn := testdb.Conn(t, dsn)
	defer func() { _ = conn.Close(t.Context()) }()
	var text string
	err := conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(relname || ': ' || query_to_xml(
		format('SELECT * FROM %I.%I AS t ORDER BY t::text', nspname, relname), true, false, '')::text, E'\n' ORDER BY nspname, relname), '')
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
		WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A document is what --json prints.
type document struct {
	Operation  string
	Parameters map[string]any
	Columns    []struct{ Name, Kind string }
	Rows       []map[string]any
	Affected   *int64
	Answer     string
	Committed  bool
	LeftOut    []struct{ Column, Rule string } `json:"left_out"`
	Notes      []string
	Notices    []struct{ Severity, Message string }
	Error      *struct {
		Reason, SQLState string
		Problems         []struct {
			Rule, File, Key, Message, Fix string
			Line, Column                  int
		}
		Missing []string
		Example string
	}
}

func decode(t testing.TB, text string) document {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var d document
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}
