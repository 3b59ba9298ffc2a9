package document

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mortise-storage/mortise/storage/problem"
)

// FuzzParse checks on any text that nothing panics, that every position lies in the file, that
// each scalar could be followed in the file, and that Locate never goes back to an earlier line
// and finds in a literal block exactly the characters of the value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nA: 2\n", "a: ${A} ${B:-c} $${d}\n", "k: |2-\n    a\n   b\n\n", "k: >+\n  a\n    b\n\n  c\n",
		"k: \"a \\x41 \\\n  b\n\n c\"\n", "k: 'it''s\n  b'\n", "k: a #> b\n", "a: &a [*a]\n", "- ? a\n  : b\n", "a: !file x.sql\n",
		"a: !!str |\n\n x\r\n", "a: {b: c #d\n}\n", "\ta: 1\n", "a: b: c\n", "<<: {a: 1}\n", "---\na: 1\n---\n", "k: a -- b\n  c\n", "# c\nk:\n  # d\n  x\n",
		"k: !!str # c\n  \"x\"\n", "k: |\r a\r b\r", "k: x\n  #> y\n", "k:\n- |\n a\n-\n", "? |\n a\n: b\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file") {
			return // not the files of the machine that runs this
		}
		root, found := Parse("q.yaml", []byte(text), variables("A", "x\n--y", "C", "'"))
		if root == nil && found.Count(problem.Error) == 0 {
			t.Fatalf("neither a tree nor a problem")
		}
		source := newSource("q.yaml", strings.TrimPrefix(text, byteOrderMark))
		found = append(found, everything(root)...)
		for _, p := range found {
			checkPosition(t, source, p.Position)
		}
		if root != nil {
			walk(root, func(n *Node) { checkNode(t, source, n) })
		}
	})
}

func checkPosition(t *testing.T, s *source, p problem.Position) {
	t.Helper()
	if p.Line < 0 || p.Line > len(s.starts) || p.Column < 0 || p.Line == 0 && p.Column > 0 {
		t.Fatalf("%v is not in the file", p)
	}
	if p.Line > 0 && p.Column > utf8.RuneCountInString(s.lineText(p.Line))+1 {
		t.Fatalf("%v is behind the end of its line", p)
	}
}

func checkNode(t *testing.T, s *source, n *Node) {
	t.Helper()
	checkPosition(t, s, n.Position)
	checkPosition(t, s, n.KeyPosition)
	if n.Kind == Scalar && !n.place.exact {
		t.Fatalf("%s = %q was not followed", n.Key, n.Value)
	}
	line := 0
	for offset := -1; offset <= len(n.Value)+1; offset++ {
		p := n.Locate(offset)
		checkPosition(t, s, p)
		if p.Line < line {
			t.Fatalf("%s: offset %d of %q is in line %d, after one in line %d", n.Key, offset, n.Value, p.Line, line)
		}
		line = p.Line
	}
	if n.Kind != Scalar || !strings.HasPrefix(s.text[min(len(s.text), s.offset(n.Position.Line, n.Position.Column)):], "|") {
		return
	}
	for i, r := range n.place.decoded {
		p := n.place.position(i)
		at := s.offset(p.Line, p.Column)
		if got, _ := utf8.DecodeRuneInString(s.text[at:]); r != '\n' && got != r {
			t.Fatalf("%s: offset %d of %q is %q in the file", n.Key, i, n.place.decoded, got)
		}
	}
}
