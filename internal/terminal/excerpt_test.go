package terminal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/problem"
)

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("a", 150) + "X" + strings.Repeat("b", 50)
	file := filepath.Join(t.TempDir(), "q.yaml")
	text := "first\n\tSELECT é, x\r\n" + long + "\n\xff\n" +
		"c: postgres://me:s3cret@host/db\nc: host=h password=s3cret dbname=d\nc: \"host=h password='s3 cr\\'et' user=u\"\nc: postgres://h/d?user=me&password=s3cret&x=1\nc: postgres://me:s3:cr@et@host/db # x"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		line, column int
		want         string
	}{
		{"the first column", 1, 1, "    1 | first\n        ^"},
		{"tabs and other alphabets are one column each", 2, 12, "    2 |  SELECT é, x\n                   ^"},
		{"behind the end", 1, 90, "    1 | first\n             ^"},
		{"a long line is cut around the column", 3, 151, "    3 | …" + strings.Repeat("a", 60) + "X" + strings.Repeat("b", 39) + "…\n" + strings.Repeat(" ", 8+61) + "^"},
		{"no text", 4, 1, ""},
		{"no such line", 99, 1, ""},
		{"no column", 1, 0, ""},
		{"a password in a URL", 5, 4, "    5 | c: postgres://me:***@host/db\n           ^"},
		{"a password in a DSN", 6, 4, "    6 | c: host=h password=*** dbname=d\n           ^"},
		{"a password in quotes", 7, 4, "    7 | c: \"host=h password=*** user=u\"\n           ^"},
		{"a password in a URL's query", 8, 4, "    8 | c: postgres://h/d?user=me&password=***&x=1\n           ^"},
		{"a password with an @", 9, 4, "    9 | c: postgres://me:***@host/db # x\n           ^"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := (&terminal.Excerpts{}).Excerpt(problem.Position{File: file, Line: c.line, Column: c.column}, false)
			if got != c.want {
				t.Errorf("got\n%s\nexpected\n%s", got, c.want)
			}
		})
	}
}

func TestPrintProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "q.yaml")
	if err := os.WriteFile(file, []byte("a: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	terminal.PrintProblems(&b, problem.List{
		{Severity: problem.Error, Rule: "r1", Position: problem.Position{File: file, Line: 1, Column: 4}, Key: "a", Message: "wrong\nin two lines", Fix: "repair it"},
		{Severity: problem.Info, Rule: "r2", Message: "everywhere"},
	})
	want := file + ":1:4  error    a  [r1]\n    1 | a: b\n           ^\n    wrong\n    in two lines\n    fix: repair it\n" +
		strings.Repeat(" ", len(file)+4) + "  info       [r2]\n    everywhere\n"
	if b.String() != want {
		t.Errorf("got\n%s\nexpected\n%s", b.String(), want)
	}
}
