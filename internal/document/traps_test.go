package document

import "testing"

func TestSQLTraps(t *testing.T) {
	tests := []struct{ name, value, comment, want string }{
		{"no comment", "SELECT a#>b, c#d", "", ""},
		{"json path", "SELECT a #> '{b}' FROM t", "#> '{b}' FROM t", "1:13 error cut-query k"},
		{"json text", "SELECT é #>> '{b}'", "#>> '{b}'", "1:13 error cut-query k"},
		{"json delete", "UPDATE t SET a = a #- '{b}'", "#- '{b}'", "1:23 error cut-query k"},
		{"hstore", "SELECT a #= b", "#= b", "1:13 error cut-query k"},
		{"geometry", "SELECT a ## b", "## b", "1:13 error cut-query k"},
		{"remark", "SELECT 1 # liveness", "# liveness", "1:13 warning cut-query k"},
		{"remark after RETURNING *", "DELETE FROM t RETURNING * # all", "# all", "1:30 warning cut-query k"},
		{"xor", "SELECT a FROM t WHERE b = # c", "# c", "1:30 error cut-query k"},
		{"after AND", "SELECT 1 WHERE a and # c", "# c", "1:25 error cut-query k"},
		{"after a comma", "SELECT a, # c", "# c", "1:14 error cut-query k"},
		{"after a name that ends in a keyword", "SELECT 1 FROM brand # c", "# c", "1:24 warning cut-query k"},
		{"open parenthesis", "SELECT f(a # b)", "# b)", "1:15 error cut-query k"},
		{"closed parenthesis", "SELECT f(a) # b", "# b", "1:16 warning cut-query k"},
		{"parenthesis in a literal", "SELECT '(' # b", "# b", "1:15 warning cut-query k"},
		{"open literal", "SELECT 'a # b'", "# b'", "1:14 error cut-query k"},
		{"open dollar quote", "DO $x$ a # b$x$", "# b$x$", "1:13 error cut-query k"},
		{"open comment", "SELECT /* a # b */ 1", "# b */ 1", "1:16 error cut-query k"},
		{"keyword in a literal", "SELECT 'x AND' # b", "# b", "1:19 warning cut-query k"},
		{"remark on the next line", "SELECT 1\n  # remark", "# remark", ""},
		{"operator on the next line", "SELECT a\n  #> b", "#> b", "2:3 error cut-query k"},
		{"unfinished before the next line", "SELECT a FROM t WHERE\n  # remark", "# remark", "2:3 error cut-query k"},
		{"comment of the next key", "SELECT a FROM\n#> b", "", ""},
		{"over lines", "SELECT a\n  FROM t # why", "# why", "2:10 warning cut-query k"},
		{"quoted", "'SELECT a #> b' # why", "", ""},
		{"literal block", "| # why\n  SELECT a #> b -- x\n  FROM t", "", ""},

		{"dashes at the end", "SELECT 1 -- one", "", ""},
		{"plain joined", "SELECT 1 -- one\n  FROM t", "", "1:13 error joined-comment k"},
		{"plain joined twice", "SELECT 1 --one\n  FROM t --two\n  WHERE x", "", "1:13 error joined-comment k"},
		{"plain, in the last line", "SELECT 1\n  FROM t -- all", "", "2:10 warning joined-comment k"},
		{"plain with a blank line", "SELECT 1 -- one\n\n  FROM t", "", "1:13 warning joined-comment k"},
		{"folded", ">\n  SELECT 1\n  -- one\n  FROM t\n", "", "3:3 error joined-comment k"},
		{"folded, in the last line", ">\n  SELECT 1\n  -- one\n", "", "3:3 warning joined-comment k"},
		{"folded, one line", ">\n  SELECT 1 -- one\n", "", ""},
		{"folded with deeper lines", ">\n  SELECT 1\n    -- one\n    FROM t\n", "", "3:5 warning joined-comment k"},
		{"folded without", ">\n  SELECT 1\n  FROM t\n", "", ""},
		{"double quotes", "\"SELECT 1 -- one\n  FROM t\"", "", "1:14 error joined-comment k"},
		{"double quotes with line break", `"SELECT 1 -- one\n FROM t"`, "", ""},
		{"single quotes", "'SELECT ''a'' -- one\n  FROM t'", "", "1:18 error joined-comment k"},
		{"in a literal", "SELECT '--\n  a'", "", ""},
		{"in a literal with quotes", "SELECT 'it''s --\n  a'", "", ""},
		{"in an escape literal", `SELECT E'\'--` + "\n  a'", "", ""},
		{"behind a literal with backslash", `SELECT '\' --` + "\n  a", "", "1:15 error joined-comment k"},
		{"in an identifier", "SELECT \"--\n  a\"", "", ""},
		{"in a dollar quote", "DO $a$ --\n  $$ $a$", "", ""},
		{"behind a parameter", "SELECT $1 --\n  a, $2", "", "1:14 error joined-comment k"},
		{"in a comment", "SELECT /* /* */ --\n  */ a", "", ""},
		{"behind a comment", "SELECT /* /* */ */ --\n  a", "", "1:23 error joined-comment k"},
		{"both", "SELECT 1 -- one\n  FROM t #> x", "#> x", "2:10 error cut-query k\n1:13 error joined-comment k"},
		{"variable", "${V}\n  SELECT 1", "", ""},
		{"dashes behind a variable", "SELECT ${V} --\n  a", "", "1:16 error joined-comment k"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := parse(t, "k: "+test.value+"\nj: 1\n", "V", "--")
			k := root.Get("k")
			if k.Comment != test.comment {
				t.Errorf("comment %q, want %q", k.Comment, test.comment)
			}
			found := k.SQLTraps()
			if got := brief(found); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			for _, p := range found {
				if p.Fix == "" || p.Message == "" || p.File == "" {
					t.Errorf("incomplete: %+v", p)
				}
			}
		})
	}
}

func TestSQLTrapsElsewhere(t *testing.T) {
	root := parse(t, "a: [x #> y\n  , z]\nb: {c: SELECT 1 #> x\n  }\nd:\n  - SELECT a\n    #> b\n")
	if got := brief(root.Get("a").Items[0].SQLTraps()); got != "1:7 error cut-query a[0]" {
		t.Errorf("in brackets: %s", got)
	}
	if got := brief(root.Get("b").Get("c").SQLTraps()); got != "3:17 error cut-query b.c" {
		t.Errorf("in braces: %s", got)
	}
	if got := brief(root.Get("d").Items[0].SQLTraps()); got != "7:5 error cut-query d[0]" {
		t.Errorf("in a list: %s", got)
	}
	if got := append(root.SQLTraps(), (*Node)(nil).SQLTraps()...); len(got) > 0 {
		t.Errorf("a group has traps: %v", got)
	}
}
