package document

import (
	"strings"
	"testing"
)

// TestLocate puts marks into values, «1», and looks for each in the file: Locate must lead from a
// mark in the value to that mark in the file.
func TestLocate(t *testing.T) {
	tests := []struct{ name, text string }{
		{"plain", "k: a «1» b «2»\n"},
		{"plain with wide characters", "k: é日本 «1» 😀 «2»\n"},
		{"plain, deep", "x:\n    y:\n        - k: a «1»\n"},
		{"plain on the next line", "k:\n  a «1»\n"},
		{"plain over lines", "k: a «1»\n  b «2»   \n\n\n   c «3»\nj: 1\n"},
		{"plain behind a tag and an anchor", "k: !!str &x  a «1»\nj: *x\n"},
		{"plain below a tag", "k: !!str # note\n\n  a «1»\n"},
		{"plain in a list in brackets", "k: [x, a «1» b, 'c «2»']\n"},
		{"plain in braces", "k: {x: a «1»\n  b «2», y: «3»}\n"},
		{"single quotes", "k: 'a «1» it''s «2» '''' «3»'\n"},
		{"single quotes over lines", "k: 'a «1»  \n\n   it''s «2»\n  «3»'\n"},
		{"double quotes", `k: "a «1» \"b\" \t \x41 \u00e9 «2» \U0001F600\\ «3» \_\L\N\P «4»"` + "\n"},
		{"double quotes over lines", "k: \"a «1» \\\n    b «2»\n\n    \\  c «3» \\\n\n\n  d «4»\n  \"\n"},
		{"double quotes, leading break", "k: \"\n  a «1»\"\n"},
		{"literal", "k: |\n  a «1»\n  b «2»\nj: 1\n"},
		{"literal with deeper lines", "k: |\n  a «1»\n\n    b «2»\n   \n  «3»\n"},
		{"literal with leading blank lines", "k: |\n\n \n   a «1»\n   b «2»\n"},
		{"literal, stripped", "x:\n  k: |-\n     a «1»\n     b «2»\n\n  j: 1\n"},
		{"literal, kept", "x:\n  k: |+ # why\n     a «1»\n     b «2»\n\n\n  j: 1\n"},
		{"literal with an indicator", "x:\n  k: |2\n       a «1»\n    b «2»\n"},
		{"literal with both indicators", "x:\n  k: |1-\n      a «1»\n   b «2»\n"},
		{"literal, indicators in the other order", "k: |+2\n     a «1»\n  b «2»\n"},
		{"literal in a list", "k:\n- |\n a «1»\n - b «2»\n- x\n"},
		{"literal with tabs", "k: |\n  b\t«1»\n  \ta «2»\n"},
		{"literal behind a tag", "k: !!str |\n  a «1»\n"},
		{"literal at the end of the file", "k: |\n  a «1»\n  b «2»"},
		{"literal with wide characters", "k: |\n  -- ärger\n  日本 «1»\n"},
		{"literal with CR LF", "k: |\r\n  a «1»\r\n  b «2»\r\nj: 1\r\n"},
		{"plain with CR LF", "k: a «1»\r\n  b «2»\r\n\r\n  c «3»\r\n"},
		{"lone CR", "k: |\r  a «1»\r  b «2»\r"},
		{"byte order mark", "\ufeffk: a «1»\n"},
		{"folded", "k: >\n  a «1»\n  b «2»\n\n  c «3»\nj: 1\n"},
		{"folded with deeper lines", "k: >-\n  a «1»\n     b «2»\n     c «3»\n  d «4»\n\n\n  e «5»\n"},
		{"folded with an indicator", "x:\n  k: >2+\n       a «1»\n    b «2»\n\n"},
		{"folded with equal lines", "k: >\n  x\n  x\n\n  x x\n  x «1» x\n  x «2»\n"},
		{"variable", "k: ${A} «1» ${B:-«2»} $${x} «3»\n"},
		{"variable in a literal", "k: |\n  ${A} «1»\n  ${A}«2»${A}\n  «3»\n"},
		{"variable in double quotes", `k: "\t${A}\t«1»\"${B:-d}\"«2»"` + "\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := parse(t, test.text, "A", "a long value\nwith lines")
			file := newSource("q.yaml", strings.TrimPrefix(test.text, byteOrderMark))
			marks := 0
			walk(root, func(n *Node) {
				if n.Kind == Scalar && !n.place.exact {
					t.Errorf("%s: the value was not followed", n.Key)
				}
				for from := 0; ; {
					i := strings.Index(n.Value[from:], "«")
					if i < 0 {
						break
					}
					from += i
					mark := n.Value[from : from+5]
					if got, want := n.Locate(from), file.position(strings.Index(file.text, mark)); got != want {
						t.Errorf("%s: got %v, want %v", mark, got, want)
					}
					from += 5
					marks++
				}
			})
			if want := strings.Count(test.text, "«") - strings.Count(test.text, "*x"); marks < want {
				t.Errorf("%d marks found, %d written", marks, want)
			}
		})
	}
}

// walk calls visit for every value of a tree.
func walk(n *Node, visit func(*Node)) {
	visit(n)
	for _, e := range n.Entries {
		walk(e.Value, visit)
	}
	for _, item := range n.Items {
		walk(item, visit)
	}
}

func TestLocateEdges(t *testing.T) {
	tests := []struct {
		name, text string
		offset     int
		want       string
	}{
		{"before the beginning", "k: abc\n", -3, "q.yaml:1:4"},
		{"end", "k: abc\n", 3, "q.yaml:1:7"},
		{"behind the end", "k: abc\n", 99, "q.yaml:1:7"},
		{"end of a literal", "k: |\n  ab\n  cd\nj: 1\n", 6, "q.yaml:3:5"},
		{"line break of a literal", "k: |\n  ab\n  cd\nj: 1\n", 2, "q.yaml:2:5"},
		{"end of a kept literal", "k: |+\n  ab\n\n\nj: 1\n", 5, "q.yaml:4:1"},
		{"end of a stripped literal", "k: |-\n  ab\n\nj: 1\n", 2, "q.yaml:2:5"},
		{"end of a folded text", "k: >\n  ab\n  cd\nj: 1\n", 6, "q.yaml:3:5"},
		{"joined line", "k: ab\n  cd\n", 2, "q.yaml:1:6"},
		{"inside a character", "k: é\n", 1, "q.yaml:1:4"},
		{"inside an escape", `k: "a\u00e9b"`, 2, "q.yaml:1:6"},
		{"behind an escape", `k: "a\u00e9b"`, 3, "q.yaml:1:12"},
		{"inside a variable", "k: a ${V} b\n", 4, "q.yaml:1:6"},
		{"behind a variable", "k: a ${V} b\n", 8, "q.yaml:1:11"},
		{"end of a variable", "k: a ${V}\n", 8, "q.yaml:1:10"},
		{"empty text", "k: ''\n", 0, "q.yaml:1:5"},
		{"empty expansion", "k: ${E:-}\n", 0, "q.yaml:1:4"},
		{"only blank lines", "k: |+\n\n\nj: 1\n", 1, "q.yaml:3:1"},
		{"group", "k: {a: 1}\n", 5, "q.yaml:1:4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := parse(t, test.text, "V", "12345")
			if got := root.Get("k").Locate(test.offset).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := (*Node)(nil).Locate(3); got.Line != 0 {
		t.Errorf("nil is at %v", got)
	}
}
