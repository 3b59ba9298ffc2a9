package sqltext

import (
	"errors"
	"strings"
	"testing"
)

// tokenText writes tokens as their texts with a bar between them; spaces are left out.
func tokenText(source string, tokens []Token) string {
	var texts []string
	for _, t := range tokens {
		if t.Kind != Space {
			texts = append(texts, t.text(source))
		}
	}
	return strings.Join(texts, " | ")
}

// The operators follow PostgreSQL's manual, "Operators" in the chapter on lexical structure.
func TestTokenizeOperators(t *testing.T) {
	for source, want := range map[string]string{
		"a=-1":         "a | = | - | 1",
		"a=+-+b":       "a | = | + | - | + | b",
		"a@-1":         "a | @- | 1",
		"a<>-+b":       "a | <> | - | + | b",
		"a||-b":        "a | ||- | b",
		"a-=b":         "a | -= | b",
		"a+--b":        "a | + | --b",
		"a*/*c*/-b":    "a | * | /*c*/ | - | b",
		"x=@id":        "x | =@ | id",
		"x <@ @id":     "x | <@ | @ | id",
		"j#>>'{a}'":    "j | #>> | '{a}'",
		"a::int":       "a | :: | int",
		"arr[1:2]":     "arr | [ | 1 | : | 2 | ]",
		"f(a:=1,b=>2)": "f | ( | a | := | 1 | , | b | => | 2 | )",
	} {
		tokens, err := Tokenize(source)
		if got := tokenText(source, tokens); got != want || err != nil {
			t.Errorf("%q:\n got %s (%v)\nwant %s", source, got, err, want)
		}
	}
}

func TestTokenizeKinds(t *testing.T) {
	for source, want := range map[string]Kind{
		" \t\r\n\f\v":            Space,
		"-- x '":                 LineComment,
		"/* /* */ ' */":          BlockComment,
		"été$1_":                 Identifier,
		`"a""b"`:                 QuotedIdentifier,
		`u&"a"`:                  QuotedIdentifier,
		"'a''b'":                 String,
		"'a' --c\n\n 'b'":        String,
		"U&'a'":                  String,
		"n'a'":                   String,
		`E'\'' -- '` + "\n'\\''": EscapeString,
		"$$ $a$ $$":              DollarString,
		"$été$ $$ $été$":         DollarString,
		"1_000.5e-1_0":           Number,
		".5":                     Number,
		"0xF_f":                  Number,
		"0b_1":                   Number,
		"0o7":                    Number,
		"$12":                    Position,
		"<=>":                    Operator,
		"::":                     Punctuation,
		"..":                     Punctuation,
		"{":                      Other,
		"$":                      Other,
	} {
		tokens, err := Tokenize(source)
		if err != nil || len(tokens) != 1 || tokens[0].Kind != want {
			t.Errorf("%q: %v (%v), want one %v", source, tokens, err, want)
		}
	}
}

func TestTokenizeUnterminated(t *testing.T) {
	for source, want := range map[string]SyntaxError{
		"a 'b":       {2, "string literal"},
		`a E'b\'`:    {2, "string literal"},
		"'a'\n'b":    {0, "string literal"},
		`"`:          {0, "quoted identifier"},
		"a/*/* */":   {1, "block comment"},
		"1 $a$ $A$ ": {2, "dollar-quoted literal"},
	} {
		_, err := Tokenize(source)
		var got *SyntaxError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q: %v, want %v", source, err, &want)
		}
		checkLossless(t, source)
	}
}

// Long texts must be read in linear time. With a step that is quadratic this test does not end.
func TestLongRuns(t *testing.T) {
	const n = 1 << 18
	for _, piece := range []string{"+", "+-", "@", "''", "'a'\n", "$a", "(", "/*", "-- \n", "=@"} {
		source := "SELECT " + strings.Repeat(piece, n/len(piece))
		checkLossless(t, source)
		Compile(source, fuzzDeclared)
	}
	compiled, found := Compile("SELECT 1="+strings.Repeat("+-", n/2)+"@a", fuzzDeclared)
	if compiled == nil || !strings.HasSuffix(compiled.Text, "+-$1") {
		t.Errorf("a parameter behind many signs: %v", found)
	}
}
