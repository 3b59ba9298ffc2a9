package document

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mortise-storage/mortise/storage/problem"
)

func TestGetters(t *testing.T) {
	text := func(n *Node, l *problem.List) (any, bool) { return n.Text(l) }
	list := func(n *Node, l *problem.List) (any, bool) { return n.TextList(l) }
	small := func(n *Node, l *problem.List) (any, bool) { return n.Int(-5, 5000, l) }
	natural := func(n *Node, l *problem.List) (any, bool) { return n.Int(0, math.MaxInt64, l) }
	boolean := func(n *Node, l *problem.List) (any, bool) { return n.Bool(l) }
	duration := func(n *Node, l *problem.List) (any, bool) { return n.Duration(l) }
	tests := []struct {
		name   string
		getter func(*Node, *problem.List) (any, bool)
		value  string
		want   any    // nil if there is no value
		found  string // problems
		says   string // part of message or fix
	}{
		{"text", text, "SELECT 1", "SELECT 1", "", ""},
		{"number as text", text, "010", "010", "", ""},
		{"empty text", text, "''", "", "", ""},
		{"group as text", text, "{a: 1}", nil, "1:4 error wrong-type k", "expected a text, found a group of keys"},
		{"list as text", text, "[a]", nil, "1:4 error wrong-type k", "found a list"},
		{"int", small, "-3", int64(-3), "", ""},
		{"quoted int", small, "'12'", int64(12), "", ""},
		{"int from the environment", small, "${N}", int64(42), "", ""},
		{"int with underscores", small, "1_000", int64(1000), "", ""},
		{"zero", small, "0", int64(0), "", ""},
		{"too small", small, "-6", nil, "1:4 error out-of-range k", "from -5 to 5000, found \"-6\""},
		{"too large", small, "5001", nil, "1:4 error out-of-range k", ""},
		{"far too large", natural, "9223372036854775808", nil, "1:4 error out-of-range k", "at least 0"},
		{"negative", natural, "-1", nil, "1:4 error out-of-range k", "at least 0"},
		{"octal or not", small, "010", nil, "1:4 error wrong-type k", "leading zeros"},
		{"fraction", small, "1.5", nil, "1:4 error wrong-type k", "found \"1.5\""},
		{"hexadecimal", small, "0x10", nil, "1:4 error wrong-type k", ""},
		{"word", small, "many", nil, "1:4 error wrong-type k", "found \"many\""},
		{"word from the environment", small, "${S}", nil, "1:4 error wrong-type k", "found another text"},
		{"nothing", small, "''", nil, "1:4 error wrong-type k", "an empty text"},
		{"true", boolean, "True", true, "", ""},
		{"false", boolean, "'false'", false, "", ""},
		{"yes", boolean, "yes", nil, "1:4 error wrong-type k", "write true"},
		{"off", boolean, "off", nil, "1:4 error wrong-type k", "write false"},
		{"one", boolean, "1", nil, "1:4 error wrong-type k", "expected true or false"},
		{"duration", duration, "1h30m", 90 * time.Minute, "", ""},
		{"zero duration", duration, "0", time.Duration(0), "", ""},
		{"negative duration", duration, "-1s", -time.Second, "", ""},
		{"bare number", duration, "180", nil, "1:4 error duration-unit k", "write 180s for seconds or 180m"},
		{"bare fraction", duration, "1.5", nil, "1:4 error duration-unit k", ""},
		{"bare number from the environment", duration, "${N}", nil, "1:4 error duration-unit k", "write 3m or 180s"},
		{"days", duration, "3d", nil, "1:4 error wrong-type k", "such as 3m"},
		{"no duration", duration, "[3m]", nil, "1:4 error wrong-type k", "found a list"},
		{"list", list, "[a, 'b c', 3]", []string{"a", "b c", "3"}, "", ""},
		{"empty list", list, "[]", []string{}, "", ""},
		{"text as list", list, "a", nil, "1:4 error wrong-type k", "after a dash"},
		{"bad items", list, "[a, ~, {b: 1}]", nil, "1:8 error empty-value k[1]\n1:11 error wrong-type k[2]", ""},
		{"no value", text, "", nil, "1:1 warning empty-value k", "counts as absent"},
		{"missing variable", duration, "${NONE}", nil, "1:4 error missing-variable k", ""},
		{"item with missing variable", list, "['${NONE}']", nil, "1:6 error missing-variable k[0]", ""},
		{"unknown tag", list, "!x [a]", nil, "1:4 error unknown-tag k", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, found := Parse("q.yaml", []byte("k: "+test.value+"\n"), variables("N", "42", "S", "secret"))
			got, ok := test.getter(root.entry("k"), &found)
			if ok != (test.want != nil) || ok && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.want) {
				t.Errorf("got %#v, %v", got, ok)
			}
			if brief(found) != test.found {
				t.Errorf("got\n%s\nwant\n%s", brief(found), test.found)
			}
			if !strings.Contains(found.Error(), test.says) {
				t.Errorf("%q does not say %q", found.Error(), test.says)
			}
		})
	}
}

func TestAbsentHasNoProblem(t *testing.T) {
	var found problem.List
	root := parse(t, "k: 1\n")
	for i, ok := range []bool{
		func() bool { _, ok := root.Get("x").Text(&found); return ok }(),
		func() bool { _, ok := root.Get("x").Int(0, 1, &found); return ok }(),
		func() bool { _, ok := root.Get("x").Bool(&found); return ok }(),
		func() bool { _, ok := root.Get("x").Duration(&found); return ok }(),
		func() bool { _, ok := root.Get("x").TextList(&found); return ok }(),
		root.Get("x").IsMapping(&found),
	} {
		if ok {
			t.Errorf("getter %d has a value", i)
		}
	}
	if found = append(found, root.Get("x").Unknown(nil)...); len(found) > 0 {
		t.Error(found)
	}
}

func TestIsMapping(t *testing.T) {
	root := parse(t, "a: {b: 1}\nc: text\n")
	var found problem.List
	if !root.Get("a").IsMapping(&found) || len(found) > 0 {
		t.Error(found)
	}
	if root.Get("c").IsMapping(&found) || brief(found) != "2:4 error wrong-type c" {
		t.Error(found)
	}
}

func TestUnknown(t *testing.T) {
	root := parse(t, "t:\n  ADD_query: 1\n  add_qurey: 2\n  gc_interval: 3m\n  whatever: 4\n")
	found := root.Get("t").Unknown([]string{"add_query", "del_query"}, "tracker.GC_interval", "tracker.peer.del_query")
	want := "3:3 error unknown-key t.add_qurey\n4:3 error unknown-key t.gc_interval\n5:3 error unknown-key t.whatever"
	if brief(found) != want {
		t.Fatalf("got\n%s\nwant\n%s", brief(found), want)
	}
	for i, want := range []string{"did you mean add_query?", "this key belongs under tracker", ""} {
		if found[i].Fix != want {
			t.Errorf("%d: got fix %q, want %q", i, found[i].Fix, want)
		}
	}
	if want := `there is no key "whatever" in t`; found[2].Message != want {
		t.Errorf("got %q", found[2].Message)
	}
	// An empty value does not hide that the key is unknown.
	root, _ = Parse("q.yaml", []byte("x:\n"), nil)
	if got := brief(root.Unknown(nil)); got != "1:1 error unknown-key x" {
		t.Errorf("got %s", got)
	}
}
