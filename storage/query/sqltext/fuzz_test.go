package sqltext

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// fuzzDeclared are the parameters of the fuzzed texts: short names are hit often.
var fuzzDeclared = []Parameter{{Name: "a", Identity: true}, {Name: "b"}, {Name: "id"}, {Name: "e"}, {Name: "info_hash"}}

// checkInvariants checks what must hold for every text.
func checkInvariants(t *testing.T, source string, declared []Parameter) {
	t.Helper()
	checkLossless(t, source)
	compiled, found := Compile(source, declared)
	for _, f := range found {
		if f.Offset < 0 || f.Offset > len(source) || f.Rule == "" || f.Message == "" || f.Fix == "" {
			t.Errorf("%q: bad finding %+v", source, f)
		}
	}
	if refused := findings(found).fatal(); refused != (compiled == nil) {
		t.Fatalf("%q: fatal is %v, compiled is %v", source, refused, compiled)
	}
	if compiled == nil {
		return
	}
	for i, arg := range compiled.Args {
		if arg < 0 || arg >= len(declared) || slices.Contains(compiled.Args[:i], arg) {
			t.Errorf("%q: bad Args %v", source, compiled.Args)
		}
	}
	if (len(compiled.Args) == 0) != (compiled.Style == None) {
		t.Errorf("%q: style %v with Args %v", source, compiled.Style, compiled.Args)
	}
	checkOffsets(t, source, compiled)
	checkRecompiles(t, compiled, declared)
}

// checkLossless checks that the tokens, joined, are the text.
func checkLossless(t *testing.T, source string) {
	t.Helper()
	tokens, err := Tokenize(source)
	end := 0
	for _, token := range tokens {
		if token.Start != end || token.End <= token.Start {
			t.Fatalf("%q: token %v does not follow offset %d", source, token, end)
		}
		end = token.End
	}
	if end != len(source) {
		t.Fatalf("%q: tokens end at %d (%v)", source, end, err)
	}
}

// checkOffsets checks that each character of the text comes from the same character of the source, or
// from the start of a parameter.
func checkOffsets(t *testing.T, source string, c *Compiled) {
	t.Helper()
	last, position := -1, 0
	for i, r := range c.Text {
		position++
		offset := c.Origin(i)
		if offset < last || offset >= len(source) {
			t.Fatalf("%q: offset %d maps to %d, after %d", source, i, offset, last)
		}
		// Each call counts characters from the start: all of them only in short texts.
		if position < 200 {
			if reported, ok := c.SourceOffset(position); !ok || reported != offset {
				t.Fatalf("%q: position %d maps to %d (%v), want %d", source, position, reported, ok, offset)
			}
		}
		replaced := source[offset] == '@' || source[offset] == '$'
		if got, _ := utf8.DecodeRuneInString(source[offset:]); got != r && !(replaced && (r == '$' || isDigit(byte(r)))) {
			t.Fatalf("%q: %q at %d comes from %q at %d", source, r, i, got, offset)
		}
		last = offset
	}
	if end, ok := c.SourceOffset(position + 1); !ok || end != c.sourceEnd {
		t.Errorf("%q: the end maps to %d (%v), want %d", source, end, ok, c.sourceEnd)
	}
	if offset, ok := c.SourceOffset(position + 2); ok {
		t.Errorf("%q: a position behind the end maps to %d", source, offset)
	}
}

// checkRecompiles checks that the text is a fixed point: what the scanner took for parameters, the
// server takes for parameters too.
func checkRecompiles(t *testing.T, c *Compiled, declared []Parameter) {
	t.Helper()
	var used []Parameter
	for _, arg := range c.Args {
		used = append(used, Parameter{Name: "p_" + declared[arg].Name})
	}
	again, found := Compile(c.Text, used)
	if again == nil {
		t.Fatalf("%q does not compile again: %v", c.Text, found)
	}
	if again.Text != c.Text || len(again.Args) != len(c.Args) || again.Command != c.Command ||
		again.SingleRowInsert != c.SingleRowInsert || again.HasReturning != c.HasReturning {
		t.Errorf("compiled again:\n got %+v\nwant %+v", again, c)
	}
	if Cut(c.Text) != c.Text {
		t.Errorf("%q can be cut further", c.Text)
	}
}

func FuzzCompile(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, source string) {
		checkInvariants(t, source, fuzzDeclared)
		checkInvariants(t, source, nil)
		checkJoin(t, source)
	})
}

// checkJoin checks that a clause behind a text that compiles is neither swallowed nor a statement.
func checkJoin(t *testing.T, source string) {
	t.Helper()
	if compiled, _ := Compile(source, fuzzDeclared); compiled == nil || compiled.Style == Positional {
		return
	}
	joined := Join(source, "AND x = @info_hash")
	compiled, found := Compile(joined, fuzzDeclared)
	if compiled == nil || !slices.Contains(compiled.Args, 4) {
		t.Errorf("%q: the clause is lost: %v", joined, found)
	}
}

// FuzzAgainstDriver compares with pgx's own rewriting, where both agree by design (see the package's
// documentation).
func FuzzAgainstDriver(f *testing.F) {
	addSeeds(f)
	names := pgx.NamedArgs{}
	for i, p := range fuzzDeclared {
		names[p.Name] = i
	}
	f.Fuzz(func(t *testing.T, source string) {
		compiled, _ := Compile(source, fuzzDeclared)
		if compiled == nil || compiled.Style == Positional || differsByDesign(source) {
			return
		}
		// pgx keeps what is cut off before and behind the statement.
		sent := source[compiled.Origin(0):compiled.sourceEnd]
		text, values, err := names.RewriteQuery(context.Background(), nil, sent, nil)
		if err != nil {
			t.Fatal(err)
		}
		var args []int
		for _, value := range values {
			index, ok := value.(int)
			if !ok {
				t.Fatalf("%q: the driver has a name that we do not have: %q", source, text)
			}
			args = append(args, index)
		}
		if text != compiled.Text || !slices.Equal(args, compiled.Args) {
			t.Errorf("%q:\nours   %q %v\ndriver %q %v", source, compiled.Text, compiled.Args, text, args)
		}
	})
}

// differsByDesign reports whether a text that compiles has a form that the driver reads differently.
func differsByDesign(source string) bool {
	tokens, _ := Tokenize(source)
	for i, token := range tokens {
		text := token.text(source)
		if token.Kind == EscapeString && continued(text) {
			return true
		}
		if i+1 == len(tokens) {
			continue
		}
		next := tokens[i+1]
		if token.Kind == Number && (next.Kind == Identifier || next.Kind == String || next.Kind == EscapeString) {
			return true
		}
		if token.Kind != Operator || !strings.HasSuffix(text, "@") {
			continue
		}
		operatorOfRun := text != "@" && (endsInAt[text] || !mayTouchParameter(text[:len(text)-1]))
		operatorOfOperand := text == "@" && i > 0 && tokens[i-1].endsOperand(source)
		if operatorOfRun || operatorOfOperand || isIdentifierStart(source[next.Start]) && next.Kind != Identifier {
			return true
		}
	}
	return false
}

// continued reports whether an escape literal goes on on another line.
func continued(text string) bool {
	first, _ := Tokenize(strings.NewReplacer("\n", " ", "\r", " ").Replace(text))
	return len(first) != 1
}

// addSeeds adds the sources of the corpus.
func addSeeds(f *testing.F) {
	for _, c := range readCorpus(f) {
		f.Add(c.source)
	}
	f.Add("SELECT @a,@b FROM t@t_idx WHERE id=@id AND x <@ @info_hash -- \\\n;")
}
