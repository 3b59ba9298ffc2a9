package document

import (
	"strings"
	"testing"
)

func TestSyntax(t *testing.T) {
	tests := []struct{ name, text, want, message string }{
		{"second colon", "a: 1\nb: x: y\n", "2:5 error yaml-syntax", `": "`},
		{"second colon in the first line", "b: x: y\n", "1:5 error yaml-syntax", `": "`},
		{"cast with a space", "q: SELECT a:: int\n", "1:13 error yaml-syntax", `": "`},
		{"too deep", "a: 1\n  b: 2\n", "2:0 error yaml-syntax", "indented"},
		{"at", "a: 1\nb: @x\n", "2:4 error yaml-syntax", "cannot start"},
		{"backtick in a list", "a:\n  - `x`\n", "2:5 error yaml-syntax", "cannot start"},
		{"percent", "a: %x\n", "1:4 error yaml-syntax", "cannot start"},
		{"tab", "a:\n\tb: 1\n", "2:1 error yaml-tab", "tab"},
		{"tab behind spaces", "x: 1\na:\n  b: 1\n \tc: 2\n", "4:2 error yaml-tab", "tab"},
		{"tab in a literal", "a: 1\nb: |\n\tx\n", "3:1 error yaml-tab", "tab"},
		{"tab in a plain text", "a: x\n\ty\n", "2:1 error yaml-tab", "tab"},
		{"open quote", "a: 1\nb: \"x\nc: 2\n", "2:0 error yaml-syntax", "never closed"},
		{"open single quote", "a: 1\nb: 'it's'\nc: 2\n", "2:0 error yaml-syntax", ""},
		{"unknown escape", "a: 1\nb: \"\\d\"\n", "2:0 error yaml-syntax", "escape"},
		{"incomplete escape", "a: 1\nb: \"\\u12\"\n", "2:0 error yaml-syntax", "escape"},
		{"open bracket", "a: 1\nb: [x\nc: 2\n", "2:0 error yaml-syntax", ""},
		{"open brace", "a: 1\n\nb: {x: 1, y: 2\n", "3:0 error yaml-syntax", "not closed"},
		{"less indented", "a:\n    b: 1\n  c: 2\nd: 3\n", "3:0 error yaml-syntax", "does not fit"},
		{"less indented, far down", "z: {a: 1,\n  b: 2}\nx: 1\na:\n    b: 1\n  c: 2\nd: 3\n", "6:0 error yaml-syntax", "does not fit"},
		{"cut in the middle", "a: SELECT x # why\n  FROM t\nb: 1\n", "2:0 error yaml-syntax", "does not fit"},
		{"neither key nor text", "a: 1\nb\nc: 2\n", "2:0 error yaml-syntax", "neither a key"},
		{"unknown anchor", "a: 1\nb: *x\n", "2:0 error yaml-syntax", "no anchor"},
		{"star", "a: 1\nb: *\n", "2:0 error yaml-syntax", "alias"},
		{"text behind the bar", "a: 1\nb: | x\n", "2:0 error yaml-syntax", "| or >"},
		{"item behind a key", "a: 1\nb: - x\n", "2:0 error yaml-syntax", "list item"},
		{"unknown tag handle", "a: 1\nb: !x!y z\n", "2:0 error yaml-syntax", "tag"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, found := Parse("q.yaml", []byte(test.text), nil)
			if root != nil || brief(found) != test.want {
				t.Fatalf("got\n%s\nwant\n%s\n%v", brief(found), test.want, found)
			}
			p := found[0]
			if !strings.Contains(p.Message, test.message) || p.Fix == "" || strings.Contains(p.String(), "yaml: ") {
				t.Errorf("got %s", p)
			}
		})
	}
}
