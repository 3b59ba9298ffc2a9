package show_test

import (
	"encoding/json"
	"testing"

	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/cmd/mortise/command/show"
)

func TestMain(m *testing.M) { commandtest.Main(m) }

const root = commandtest.Root

var example = commandtest.Example

func invoke(t testing.TB, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Invoke(t, show.New(), arguments...)
}

func must(t testing.TB, arguments ...string) string {
	t.Helper()
	return commandtest.Must(t, show.New(), arguments...)
}

func says(t testing.TB, status int, texts []string, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Says(t, show.New(), status, texts, arguments...)
}

func onTerminal(t *testing.T, arguments ...string) string {
	t.Helper()
	return commandtest.OnTerminal(t, show.New(), arguments...)
}

// A document is what --json prints.
type document struct {
	Statements []statement
	Problems   []struct {
		Rule, File, Key, Message string
		Line, Column             int
	}
}

type statement struct {
	Operation, File, SQL, Text string
	Line                       int
	Arguments                  []struct {
		Number                int
		Parameter, Kind, Type string
		Line, Column          int
	}
	Unused  []string
	Columns []struct {
		Name, Type, Column, Kind string
		RowBound                 bool `json:"row_bound"`
	}
	Result    string
	MaxRows   int64 `json:"max_rows"`
	Bound     string
	Limit     string
	LimitFrom string `json:"limit_from"`
	Described bool
	Name      string `json:"prepared_name"`
	Mode      string `json:"statement_mode"`
	Server    string
}

func decode(t testing.TB, text string) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}
