package document

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestExpand(t *testing.T) {
	tests := []struct {
		name, text, want string
		fromEnv          bool
	}{
		{"variable", "k: a ${V} b", "a value b", true},
		{"quoted", `k: "${V}"`, "value", true},
		{"twice", "k: ${V}${V}", "valuevalue", true},
		{"default not used", "k: ${V:-other}", "value", true},
		{"default", "k: ${NONE:-other text}", "other text", false},
		{"default for empty", "k: ${EMPTY:-other}", "other", false},
		{"empty", "k: x${EMPTY}", "x", true},
		{"empty default", "k: x${NONE:-}y", "xy", false},
		{"escape", "k: $${V} ${V}", "${V} value", true},
		{"escape at the end", "k: a$${", "a${", false},
		{"parameters", "k: $1 AND $2", "$1 AND $2", false},
		{"dollar quotes", "k: DO $$x$$ $tag$y$tag$", "DO $$x$$ $tag$y$tag$", false},
		{"dollar at the end", "k: a$", "a$", false},
		{"not expanded again", "k: ${NESTED}", "${V} $${V}", true},
		{"no YAML from the environment", "k: ${YAML}", "x\nj: 1 # no", true},
		{"literal", "k: |\n  ${V}\n", "value\n", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := parse(t, test.text, "V", "value", "EMPTY", "", "NESTED", "${V} $${V}", "YAML", "x\nj: 1 # no")
			if k := root.Get("k"); k.Value != test.want || k.FromEnv != test.fromEnv {
				t.Errorf("got %q, %v", k.Value, k.FromEnv)
			}
			if len(root.Entries) != 1 {
				t.Errorf("the variable became YAML: %+v", root.Entries)
			}
		})
	}
}

func TestExpandProblems(t *testing.T) {
	tests := []struct{ name, text, want, message string }{
		{"missing", "k: ab ${NO_ONE}", "1:7 error missing-variable k", "NO_ONE"},
		{"missing twice", "k: |\n  ${A}\n  x ${B}\n", "2:3 error missing-variable k\n3:5 error missing-variable k", ""},
		{"in a list", "k: [a, '${A}']", "1:9 error missing-variable k[1]", ""},
		{"not closed", "k: ab ${V and more", "1:7 error bad-variable k", ""},
		{"no name", "k: ${}", "1:4 error bad-variable k", ""},
		{"digit", "k: ${1}", "1:4 error bad-variable k", ""},
		{"other default", "k: ${V-x}", "1:4 error bad-variable k", ""},
		{"nested", "k: ${V:-${V}}", "1:4 error bad-variable k", ""},
		{"not UTF-8", "k: ${BAD}", "1:4 error encoding k", "BAD"},
		{"replacement character", "k: ${ODD}", "1:4 error encoding k", "ODD"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, found := Parse("q.yaml", []byte(test.text), variables("V", "v", "BAD", "\xff", "ODD", "\ufffd"))
			if got := brief(found); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			if !strings.Contains(found[0].Message, test.message) {
				t.Errorf("%q does not name %s", found[0].Message, test.message)
			}
			before := len(found)
			if _, ok := root.Get("k").Int(0, 1, &found); ok || len(found) > before && root.Get("k").Kind == Scalar {
				t.Errorf("a second problem for the same value: %v", found[before:])
			}
		})
	}
}

func TestExpandReportsNoFlood(t *testing.T) {
	_, found := Parse("q.yaml", []byte("k: "+strings.Repeat("${A}", 1000)), nil)
	if len(found) != maxFaults {
		t.Errorf("%d problems of one value", len(found))
	}
}

func TestInclude(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "add.sql", "\ufeff-- ${V} $${x}\r\nSELECT @a ä\n;")
	write(t, folder, "absolute.sql", "SELECT 2")
	main := write(t, folder, "q.yaml", "add: !file add.sql\nabs: !file ${DIR}/absolute.sql # note\nq: !file 'add.sql'\n")
	root, found := Load(main, variables("DIR", folder))
	if len(found) > 0 {
		t.Fatal(found)
	}
	add := root.Get("add")
	if add.Value != "-- ${V} $${x}\r\nSELECT @a ä\n;" {
		t.Errorf("got %q", add.Value)
	}
	sql := filepath.Join(folder, "add.sql")
	for offset, want := range map[int]string{0: ":1:1", strings.Index(add.Value, "@a"): ":2:8", len(add.Value): ":3:2", 999: ":3:2"} {
		if got := add.Locate(offset).String(); got != sql+want {
			t.Errorf("offset %d: got %s", offset, got)
		}
	}
	if got := add.Position.String() + " " + add.KeyPosition.String(); got != sql+":1:1 "+main+":1:1" {
		t.Errorf("positions %s", got)
	}
	if abs := root.Get("abs"); abs.Value != "SELECT 2" || abs.FromEnv || abs.Comment != "" || len(abs.SQLTraps()) > 0 {
		t.Errorf("got %+v", abs)
	}
	if got := strings.Join(root.Files(), " "); got != sql+" "+filepath.Join(folder, "absolute.sql")+" "+sql {
		t.Errorf("files %s", got)
	}
}

func TestIncludeProblems(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "latin.sql", "SELECT 1\n\xe4\n")
	write(t, folder, "nul.sql", "SELECT '\x00'")
	write(t, folder, "odd.sql", "\ufffd")
	write(t, folder, "large.sql", strings.Repeat("x", 1<<20+1))
	if err := os.Mkdir(filepath.Join(folder, "folder.sql"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.sql"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, file, rule, at, message string }{
		{"none.sql", "q.yaml", "file", "1:4", "does not exist"},
		{"folder.sql", "q.yaml", "file", "1:4", "is a folder"},
		{"pipe.sql", "q.yaml", "file", "1:4", "is not a regular file"},
		{"large.sql", "q.yaml", "file", "1:4", "is larger than"},
		{"latin.sql/x", "q.yaml", "file", "1:4", "cannot be read"},
		{"''", "q.yaml", "file", "1:4", "no file name"},
		{"latin.sql", "latin.sql", "encoding", "2:1", "not valid UTF-8"},
		{"nul.sql", "nul.sql", "control-character", "1:9", "NUL"},
		{"odd.sql", "odd.sql", "encoding", "1:1", "U+FFFD"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			main := write(t, folder, "q.yaml", "k: !file "+test.name+"\n")
			root, found := Load(main, nil)
			want := test.at + " error " + test.rule + " k"
			if brief(found) != want || found[0].File != filepath.Join(folder, test.file) || !strings.Contains(found[0].Message, test.message) {
				t.Errorf("got %v, want %s", found, want)
			}
			if _, ok := root.Get("k").Text(&found); ok {
				t.Error("the value counts as usable")
			}
		})
	}
}
