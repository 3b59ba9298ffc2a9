package sqltext

import "testing"

func TestCut(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1":                      "SELECT 1",
		"SELECT 1 ;\n":                  "SELECT 1",
		"SELECT 1 -- c":                 "SELECT 1",
		"SELECT 1; -- c\n;/* ; */ ; \t": "SELECT 1",
		" -- c\nSELECT ';' ":            " -- c\nSELECT ';'",
		"SELECT 1; SELECT 2;":           "SELECT 1; SELECT 2",
		" ; -- c":                       "",
		"":                              "",
		"SELECT 1 /* c ; ":              "SELECT 1 /* c ; ",
	} {
		if got := Cut(text); got != want {
			t.Errorf("Cut(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	const base, clause = "SELECT count(*) FROM peers; -- all of them", " WHERE info_hash = @info_hash;"
	joined := Join(base, clause)
	if want := "SELECT count(*) FROM peers\n WHERE info_hash = @info_hash;"; joined != want {
		t.Fatalf("joined to %q", joined)
	}
	compiled, found := Compile(joined, []Parameter{{Name: "info_hash", Identity: true}})
	if compiled == nil || len(found) != 0 {
		t.Fatal(found)
	}
	if want := "SELECT count(*) FROM peers\n WHERE info_hash = $1"; compiled.Text != want {
		t.Errorf("compiled to %q", compiled.Text)
	}
	// A place in the clause can be told from one in base.
	cut := len(Cut(base))
	at := compiled.Origin(len(compiled.Text) - 2)
	if at <= cut || clause[at-cut-1:] != "@info_hash;" {
		t.Errorf("the parameter is at %d, with the base cut at %d", at, cut)
	}
}

// A clause that would start a statement of its own is refused after joining.
func TestJoinStatement(t *testing.T) {
	if compiled, _ := Compile(Join("SELECT 1", "; DELETE FROM t"), nil); compiled != nil {
		t.Errorf("compiled to %q", compiled.Text)
	}
}
