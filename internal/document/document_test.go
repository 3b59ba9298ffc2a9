package document

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/storage/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// variables is an environment.
func variables(pairs ...string) func(string) (string, bool) {
	set := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}
}

// brief formats problems as "line:column severity rule key", one a line.
func brief(l problem.List) string {
	var lines []string
	for _, p := range l {
		line := fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Severity, p.Rule)
		if p.Key != "" {
			line += " " + p.Key
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// parse parses a document that must have no problems.
func parse(t *testing.T, text string, env ...string) *Node {
	t.Helper()
	root, found := Parse("q.yaml", []byte(text), variables(env...))
	if len(found) > 0 {
		t.Fatalf("unexpected problems in %q:\n%v", text, found)
	}
	return root
}

// write makes a file in a folder of the test and returns its path.
func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTree(t *testing.T) {
	root := parse(t, `# how peers are stored
tracker:
  Peer:
    add_query: SELECT 1
    hosts: [one, "two"]
ping: 5
`)
	if got := fmt.Sprintln(root.Kind, root.Entries[0].Name, root.Entries[1].Name, len(root.Entries)); got != "a group of keys tracker ping 2\n" {
		t.Errorf("root: %s", got)
	}
	add := root.Get("TRACKER").Get("peer").Get("add_Query")
	if add == nil {
		t.Fatal("keys are not found whatever their case")
	}
	if add.Key != "tracker.Peer.add_query" || add.Value != "SELECT 1" || add.Kind != Scalar {
		t.Errorf("got %q = %q, %v", add.Key, add.Value, add.Kind)
	}
	if got := add.KeyPosition.String() + " " + add.Position.String(); got != "q.yaml:4:5 q.yaml:4:16" {
		t.Errorf("positions: %s", got)
	}
	hosts := root.Get("tracker").Get("peer").Get("hosts")
	if hosts.Kind != Sequence || hosts.Items[1].Key != "tracker.Peer.hosts[1]" || hosts.Items[1].Position.String() != "q.yaml:5:18" {
		t.Errorf("list: %+v", hosts.Items[1])
	}
	if root.Get("absent") != nil || root.Get("absent").Get("deeper") != nil || root.Get("ping").Get("x") != nil {
		t.Error("an absent key has a value")
	}
}

func TestAlias(t *testing.T) {
	root := parse(t, "a: &x\n  t: 5s\nb: *x\nc: &y [1, 2]\nd: *y\n")
	b := root.Get("b").Get("t")
	if b.Key != "b.t" || b.Value != "5s" || b.Position.Line != 2 || root.Get("b").KeyPosition.Line != 3 {
		t.Errorf("got %+v", b)
	}
	if d := root.Get("d"); len(d.Items) != 2 || d.Items[1].Value != "2" {
		t.Errorf("got %+v", d)
	}
}

func TestProblems(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'h'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	tests := []struct{ name, text, want string }{
		{"nothing", "", "0:0 error empty-file"},
		{"blank", " \n\n", "0:0 error empty-file"},
		{"only comments", "# a\n# b\n", "0:0 error empty-file"},
		{"only a marker", "---\n", "0:0 error empty-file"},
		{"not UTF-8", "a: 1\nb: \xff\nc: \xfe\n", "2:4 error encoding"},
		{"UTF-16", "\xff\xfea\x00", "0:0 error encoding"},
		{"replacement character", "a: é\ufffd\n", "1:5 error encoding"},
		{"NUL", "a: b\x00c\n", "1:5 error control-character"},
		{"escape character", "a: b\x1b\n", "1:5 error control-character"},
		{"line separator", "a: b\u2028c\n", "1:5 error control-character"},
		{"both kinds", "a: \xff\nb: \x00\n", "1:4 error encoding\n2:4 error control-character"},
		{"too large", "a: " + strings.Repeat("x", 1<<20), "0:0 error file"},
		{"a list", "- a\n", "1:1 error wrong-type"},
		{"a text", "a\n", "1:1 error wrong-type"},
		{"two documents", "a: 1\n---\nb: 2\n", "2:1 error several-documents"},
		{"broken second document", "a: 1\n---\nb: [\n", "0:0 error several-documents"},
		{"end marker", "---\na: 1\n...\n", ""},
		{"byte order mark", "\ufeffa: 1\na: 2\n", "2:1 error duplicate-key a"},
		{"same key", "a: 1\nb: 2\na: 3\n", "3:1 error duplicate-key a"},
		{"same key in other case", "t:\n  Add: 1\n  aDD: 2\n", "3:3 error duplicate-key t.aDD"},
		{"same key in two groups", "s: {x: 1}\nt: {x: 1}\n", ""},
		{"merge key", "a: &a {x: 1}\nb:\n  <<: *a\n", "3:3 error merge-key b"},
		{"list as key", "? [a]\n: 1\n", "1:3 error bad-key"},
		{"empty key", `"": 1`, "1:1 error bad-key"},
		{"null key", "a: 1\n~: 1\n", "2:1 error bad-key"},
		{"alias as key", "a: &a b\n*a : 1\n", "2:1 error bad-key"},
		{"odd key", "a:\n  b c: ${X}\n", `2:8 error missing-variable a."b c"`},
		{"no value", "a:\nb: ~\n", "1:1 warning empty-value a\n2:1 warning empty-value b"},
		{"tag", "a: !secret x\n", "1:4 error unknown-tag a"},
		{"tag for a group", "a: !file {b: 1}\n", "1:4 error unknown-tag a"},
		{"core tag", "a: !!str 5\nb: !!map {c: 1}\n", ""},
		{"binary", "a: !!binary aGk=\n", "1:4 error unknown-tag a"},
		{"bad escape", `a: "x\0y"` + "\n" + `b: "\uFFFD"`, "1:6 error encoding a\n2:5 error encoding b"},
		{"cycle", "a: &a\n  b: *a\n", "2:6 error alias-cycle a.b"},
		{"cycle behind an alias", "a: &a [x, *a]\nb: *a\n", "1:11 error alias-cycle a[1]\n1:11 error alias-cycle b[1]"},
		{"depth", "a: " + strings.Repeat("[", 150) + strings.Repeat("]", 150), "1:104 error too-large a" + strings.Repeat("[0]", 100)},
		{"alias bomb", bomb, "1:12 error too-large e[0][5][2][5][2]"},
		{"alias bomb of texts", "t: &t " + strings.Repeat("x", 1<<19) + "\nl: [*t,*t,*t,*t,*t,*t,*t,*t,*t]\n", "1:4 error too-large l[6]"},
		{"everything at once", "a: ${A}\nb:\nA: 1\nc: !x y\n",
			"1:4 error missing-variable a\n2:1 warning empty-value b\n3:1 error duplicate-key A\n4:4 error unknown-tag c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, found := Parse("q.yaml", []byte(test.text), nil)
			if got := brief(found); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			for _, p := range found {
				if p.Message == "" || p.File != "q.yaml" {
					t.Errorf("incomplete problem: %+v", p)
				}
			}
		})
	}
}

func TestDuplicateNamesTheFirst(t *testing.T) {
	_, found := Parse("q.yaml", []byte("a: 1\n\nA: 2\n"), nil)
	if len(found) != 1 || !strings.Contains(found[0].Message, `"A"`) || !strings.Contains(found[0].Message, "line 1") {
		t.Errorf("got %v", found)
	}
}

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	path := write(t, folder, "m.yaml", "a: ${HOME_OF_PEERS}\n")
	root, found := Load(path, variables("HOME_OF_PEERS", "x"))
	if len(found) > 0 || root.Get("a").Value != "x" || root.Get("a").Position.File != path {
		t.Errorf("got %+v, %v", root, found)
	}
	for _, bad := range []string{folder, filepath.Join(folder, "none.yaml"), filepath.Join(path, "below.yaml")} {
		root, found := Load(bad, nil)
		if root != nil || brief(found) != "0:0 error file" || found[0].File != bad {
			t.Errorf("%s: got %v", bad, found)
		}
	}
}

// TestSecrets puts a secret into every place where a message might repeat it.
func TestSecrets(t *testing.T) {
	texts := []string{
		"connection_string: {hunter2: }\n",
		"connection_string: {hunter2: 1, hunter2: 2}\n",
		"connection_string: [hunter2, ~]\n",
		"password: hunter2\npassword: hunter2\n",
		"api_token: !hunter2 x\n",
		"secret: *hunter2\n",
		"dsn: !file hunter2\n",
		"dsn: !file ${V}\n",
		"query: !file ${V}.sql\n",
		"connection_string: host=hunter2 password: hunter2\n",
		"connection-string: \"hunter2\n",
		"password: @hunter2\n",
		"password: hunter2 #>hunter2\n",
		"group: {postgres://u:hunter2@h/d}\n",
		"number: ${V}\n",
		"number: postgres://u:hunter2@h\n",
		"password: hunter2${MISSING}\n",
		"password: hunter2\x00\n",
		"x: ${hunter2\n",
		"x: ${!hunter2}\n",
		"tokens: {a: {b: hunter2}}\n",
	}
	for _, text := range texts {
		root, found := Parse("q.yaml", []byte(text), variables("V", "hunter2"))
		found = append(found, everything(root)...)
		if len(found) == 0 {
			t.Errorf("%q: no problem", text)
		}
		for _, p := range found {
			if strings.Contains(p.String(), "hunter2") {
				t.Errorf("%q: the secret is in %q", text, p.String())
			}
		}
	}
}

// everything asks each node of a tree for everything, most of which is wrong.
func everything(n *Node) problem.List {
	if n == nil {
		return nil
	}
	found := append(n.SQLTraps(), n.Unknown([]string{"known"}, "other.hosts")...)
	n.Text(&found)
	n.Int(0, 0, &found)
	n.Bool(&found)
	n.Duration(&found)
	n.TextList(&found)
	n.IsMapping(&found)
	for _, e := range n.Entries {
		found = append(found, everything(e.Value)...)
	}
	for _, item := range n.Items {
		found = append(found, everything(item)...)
	}
	return found
}
