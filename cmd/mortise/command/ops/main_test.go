package ops_test

import (
	"encoding/json"
	"testing"

	"github.com/mortise-storage/mortise/cmd/mortise/command/commandtest"
	"github.com/mortise-storage/mortise/cmd/mortise/command/ops"
)

func TestMain(m *testing.M) { commandtest.Main(m) }

var example = commandtest.Example

func invoke(t testing.TB, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Invoke(t, ops.New(), arguments...)
}

func must(t testing.TB, arguments ...string) string {
	t.Helper()
	return commandtest.Must(t, ops.New(), arguments...)
}

func says(t testing.TB, status int, texts []string, arguments ...string) commandtest.Result {
	t.Helper()
	return commandtest.Says(t, ops.New(), status, texts, arguments...)
}

func onTerminal(t *testing.T, arguments ...string) string {
	t.Helper()
	return commandtest.OnTerminal(t, ops.New(), arguments...)
}

// A document is what --json prints.
type document struct {
	File       string
	Operations []operationEntry
}

type operationEntry struct {
	Key, Section, Method, Description, Extends, Result, Empty, Need, Without, Retry, Heat, State string

	Internal   bool
	Parameters []struct {
		Number                         int
		Name, Kind, Rules, Derived     string
		Optional, Identity, Capability bool
		Description                    string
	}
	Columns []struct {
		Name, Kind, Rules string
		RenamedBy         []string `json:"renamed_by"`
	}
	MaxRows int64 `json:"max_rows"`
	Keys    []struct{ Key, Meaning string }
	Place   *struct {
		File         string
		Line, Column int
	}
}

func decode(t testing.TB, text string) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}
