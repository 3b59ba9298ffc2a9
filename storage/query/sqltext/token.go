package sqltext

import "fmt"

// Kind is the lexical class of a token.
type Kind uint8

// The kinds of tokens. Space and the two comments are the ones that mean nothing to the server.
const (
	Space            Kind = iota
	LineComment           // -- to the end of the line, without the line break
	BlockComment          // /* */, nested ones included
	Identifier            // a name or keyword without quotes
	QuotedIdentifier      // ".." or U&".."
	String                // '..', B'..', X'..', N'..' or U&'..', with its continuation lines
	EscapeString          // E'..', with its continuation lines
	DollarString          // $$..$$ or $tag$..$tag$
	Number                // 1, 1_000, 1.5e-3, 0x1F
	Position              // $n
	Operator              // a run of operator characters, as PostgreSQL would read it
	Punctuation           // , ; ( ) [ ] . .. : :: :=
	Other                 // anything that cannot occur in SQL outside of literals, such as { or a lone $
	parameter             // @name; only after resolving, because it takes the declared names to tell
)

var kindNames = [...]string{
	"space", "line comment", "block comment", "identifier", "quoted identifier", "string",
	"escape string", "dollar string", "number", "position", "operator", "punctuation", "other",
	"parameter",
}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", k)
}

// A Token is a piece of a text: the bytes from Start up to, not including, End.
type Token struct {
	Kind       Kind
	Start, End int
}

// Text returns the token's bytes in the text that it was read from.
func (t Token) Text(source string) string { return source[t.Start:t.End] }

// Means says whether the token means something to the server: it is neither space nor comment.
func (t Token) Means() bool { return !t.insignificant() }

// text returns the token's bytes in the text that it was read from.
func (t Token) text(source string) string { return source[t.Start:t.End] }

// is reports whether the token is the given punctuation.
func (t Token) is(source, punctuation string) bool {
	return t.Kind == Punctuation && t.text(source) == punctuation
}

// keyword reports whether the token is the given keyword, which must be in upper case.
func (t Token) keyword(source, word string) bool {
	return t.Kind == Identifier && len(word) == t.End-t.Start && upperASCII(t.text(source)) == word
}

// insignificant reports whether the server would skip the token.
func (t Token) insignificant() bool { return t.Kind <= BlockComment }

// endsOperand reports whether the token can be the last one of an operand (or the name of a table),
// so that an @ right behind it reads as an infix operator or as an index hint.
func (t Token) endsOperand(source string) bool {
	switch t.Kind {
	case Identifier, QuotedIdentifier, String, EscapeString, DollarString, Number, Position, parameter:
		return true
	case Punctuation:
		return t.is(source, ")") || t.is(source, "]")
	default:
		return false
	}
}

// A SyntaxError says that a literal, quoted identifier or comment is never closed.
type SyntaxError struct {
	Offset int    // byte offset of its first character
	What   string // for example "string literal"
}

// Error names the construct and its byte offset.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("unterminated %s at byte offset %d", e.What, e.Offset)
}

// significant returns the tokens that mean something to the server.
func significant(tokens []Token) []Token {
	kept := make([]Token, 0, len(tokens))
	for _, t := range tokens {
		if !t.insignificant() {
			kept = append(kept, t)
		}
	}
	return kept
}

// upperASCII maps the letters a to z to upper case and nothing else: Unicode's mapping would turn
// letters such as ſ into parts of keywords.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - ('a' - 'A')
		}
	}
	return string(b)
}
