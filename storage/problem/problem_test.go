package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/mortise-storage/mortise/storage/problem"
)

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		p    problem.Problem
		want string
	}{
		{problem.Problem{Severity: problem.Error, Position: problem.Position{File: "q.yaml", Line: 3, Column: 7}, Key: "a.b_query", Message: "wrong", Fix: "do it"},
			"q.yaml:3:7: error: a.b_query: wrong; do it"},
		{problem.Problem{Severity: problem.Warning, Position: problem.Position{File: "q.yaml", Line: 3}, Message: "odd"}, "q.yaml:3: warning: odd"},
		{problem.Problem{Severity: problem.Info, Position: problem.Position{File: "q.yaml", Column: 7}, Message: "note"}, "q.yaml: info: note"},
		{problem.Problem{Severity: problem.Info, Position: problem.Position{Line: 3, Column: 7}, Message: "note"}, "3:7: info: note"},
		{problem.Problem{Severity: problem.Error, Message: "nowhere"}, "error: nowhere"},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("got %q; expected %q", got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	raw, err := json.Marshal(problem.Problem{Severity: problem.Warning, Rule: "r", Position: problem.Position{File: "q.yaml", Line: 3}, Message: "m"})
	if want := `{"severity":"warning","rule":"r","file":"q.yaml","line":3,"message":"m"}`; err != nil || string(raw) != want {
		t.Errorf("got %s, %v; expected %s", raw, err, want)
	}
}

func TestListIsAnErrorOnlyWithAnError(t *testing.T) {
	mild := problem.List{{Severity: problem.Warning, Message: "a"}, {Severity: problem.Info, Message: "b"}}
	if err := mild.Err(); err != nil {
		t.Errorf("warnings are an error: %v", err)
	}
	if err := (problem.List)(nil).Err(); err != nil {
		t.Errorf("nothing is an error: %v", err)
	}
	grave := append(mild, problem.Problem{Severity: problem.Error, Message: "c"})
	err := fmt.Errorf("opening: %w", grave.Err())
	if got := problem.From(err); len(got) != 3 || got.Error() != "warning: a\ninfo: b\nerror: c" {
		t.Errorf("got %q", got)
	}
	if got := problem.From(errors.New("other")); got != nil {
		t.Errorf("got %v", got)
	}
	if grave.Count(problem.Info) != 3 || grave.Count(problem.Warning) != 2 || grave.Count(problem.Error) != 1 {
		t.Error("counted wrongly")
	}
}

func TestSort(t *testing.T) {
	at := func(file string, line, column int, message string) problem.Problem {
		return problem.Problem{Position: problem.Position{File: file, Line: line, Column: column}, Message: message}
	}
	list := problem.List{at("b", 1, 1, "6"), at("a", 10, 1, "5"), at("a", 2, 9, "3"), at("a", 2, 9, "4"), at("a", 2, 1, "2"), at("", 0, 0, "1")}
	list.Sort()
	got := ""
	for _, p := range list {
		got += p.Message
	}
	if got != "123456" {
		t.Errorf("order %s", got)
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name       string
		candidates []string
		want       string
	}{
		{"adress", []string{"peer_id", "address", "port"}, "address"},
		{"ADDRESS", []string{"address"}, "address"},
		{"por", []string{"peer_id", "port"}, "port"},
		{"info_hsah", []string{"info_hash", "info"}, "info_hash"},
		{"x", []string{"y"}, "y"},
		{"peer", []string{"swarm", "hash"}, ""},
		{"", []string{"ab"}, ""},
		{"a", nil, ""},
		{"del_qurey", []string{"add_query", "del_query"}, "del_query"},
		{"абв", []string{"абг"}, "абг"},
	} {
		if got := problem.Nearest(c.name, c.candidates); got != c.want {
			t.Errorf("nearest to %q in %q is %q; expected %q", c.name, c.candidates, got, c.want)
		}
	}
}
