package sqltext

import "strings"

// Cut returns the text without the semicolons, spaces and comments at its end. A text with an
// unterminated literal or comment is returned as it is: [Compile] reports it.
func Cut(text string) string {
	tokens, err := Tokenize(text)
	if err != nil {
		return text
	}
	for i := len(tokens) - 1; i >= 0; i-- {
		if t := tokens[i]; !t.insignificant() && !t.is(text, ";") {
			return text[:t.End]
		}
	}
	return ""
}

// Join appends a clause to a query: what is left of base after [Cut], a line break, and the clause.
// So neither a semicolon nor a comment at the end of base swallows the clause. In the result, byte
// offsets up to and including len(Cut(base)) belong to base, and an offset o beyond that is
// o-len(Cut(base))-1 in clause. Compile base alone first, so that its own errors are found there.
func Join(base, clause string) string {
	var b strings.Builder
	b.WriteString(Cut(base))
	b.WriteByte('\n')
	b.WriteString(clause)
	return b.String()
}
