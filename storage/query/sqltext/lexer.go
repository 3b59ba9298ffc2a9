package sqltext

import "strings"

// Tokenize splits a text into tokens. They follow each other without gaps, so their texts joined are
// the text again. The error is nil or a *[SyntaxError]; then the last token is the construct that is
// never closed, up to the end of the text. Nothing else is an error at this level.
//
// The text should be valid UTF-8. Bytes from 0x80 on are letters, as for PostgreSQL.
func Tokenize(sql string) ([]Token, error) {
	l := lexer{src: sql}
	var tokens []Token
	for l.pos < len(sql) {
		start := l.pos
		kind := l.next()
		tokens = append(tokens, Token{Kind: kind, Start: start, End: l.pos})
	}
	if l.err != nil {
		return tokens, l.err
	}
	return tokens, nil
}

// lexer is the state of one run over a text.
type lexer struct {
	src   string
	pos   int
	signs int // up to this offset there are only + and -, each an operator of its own
	err   *SyntaxError
}

// next moves behind the token that starts at pos and returns its kind.
func (l *lexer) next() Kind {
	switch c := l.src[l.pos]; {
	case l.pos < l.signs:
		l.pos++
		return Operator
	case isSpace(c):
		l.skip(isSpace)
		return Space
	case l.has("--"):
		l.skip(isNotNewline)
		return LineComment
	case l.has("/*"):
		return l.blockComment()
	case c == '\'':
		return l.literal(0, String)
	case c == '"':
		return l.quotedIdentifier(0)
	case isIdentifierStart(c):
		return l.word()
	case c == '$':
		return l.dollar()
	case isDigit(c), c == '.' && isDigit(l.at(1)):
		l.number()
		return Number
	case isOperatorByte(c):
		first, run := operatorRun(l.src[l.pos:])
		l.pos, l.signs = l.pos+first, l.pos+run
		return Operator
	default:
		return l.punctuation()
	}
}

// at returns the byte i positions further on, or 0 behind the end.
func (l *lexer) at(i int) byte {
	if l.pos+i < len(l.src) {
		return l.src[l.pos+i]
	}
	return 0
}

// has reports whether the rest of the text starts with prefix.
func (l *lexer) has(prefix string) bool { return strings.HasPrefix(l.src[l.pos:], prefix) }

// skip moves over the bytes that belong to a class.
func (l *lexer) skip(class func(byte) bool) {
	for l.pos < len(l.src) && class(l.src[l.pos]) {
		l.pos++
	}
}

// unterminated records that the construct which starts at start has no end, and moves to the end.
func (l *lexer) unterminated(start int, what string) {
	l.err = &SyntaxError{Offset: start, What: what}
	l.pos = len(l.src)
}

// word reads an identifier or keyword, or a literal that starts with a letter.
func (l *lexer) word() Kind {
	switch c := l.at(0) | 0x20; {
	case c == 'e' && l.at(1) == '\'':
		return l.literal(1, EscapeString)
	case (c == 'b' || c == 'x' || c == 'n') && l.at(1) == '\'':
		return l.literal(1, String)
	case c == 'u' && l.at(1) == '&' && l.at(2) == '\'':
		return l.literal(2, String)
	case c == 'u' && l.at(1) == '&' && l.at(2) == '"':
		return l.quotedIdentifier(2)
	}
	l.skip(isIdentifierPart)
	return Identifier
}

// literal reads a string literal whose opening quote is prefix bytes further on. A literal goes on
// in the next one if only white space with a line break is between them; the rules for escapes stay
// those of its first part.
func (l *lexer) literal(prefix int, kind Kind) Kind {
	start := l.pos
	l.pos += prefix + 1
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\\' && kind == EscapeString:
			l.pos = min(l.pos+2, len(l.src))
		case c == '\'' && l.at(1) == '\'':
			l.pos += 2
		case c == '\'':
			l.pos++
			next := continuation(l.src, l.pos)
			if next < 0 {
				return kind
			}
			l.pos = next
		default:
			l.pos++
		}
	}
	l.unterminated(start, "string literal")
	return kind
}

// continuation returns the offset behind the opening quote that continues a literal whose closing
// quote is right before pos, or -1 if it ends there. Line comments count as white space here.
func continuation(src string, pos int) int {
	l, newline := lexer{src: src, pos: pos}, false
	for l.pos < len(src) {
		switch c := src[l.pos]; {
		case isSpace(c):
			newline = newline || !isNotNewline(c)
			l.pos++
		case l.has("--"):
			l.skip(isNotNewline)
		case c == '\'' && newline:
			return l.pos + 1
		default:
			return -1
		}
	}
	return -1
}

// quotedIdentifier reads an identifier whose opening quote is prefix bytes further on.
func (l *lexer) quotedIdentifier(prefix int) Kind {
	start := l.pos
	l.pos += prefix + 1
	for l.pos < len(l.src) {
		if l.src[l.pos] != '"' {
			l.pos++
			continue
		}
		if l.at(1) != '"' {
			l.pos++
			return QuotedIdentifier
		}
		l.pos += 2
	}
	l.unterminated(start, "quoted identifier")
	return QuotedIdentifier
}

// blockComment reads a comment with the comments nested in it.
func (l *lexer) blockComment() Kind {
	start, depth := l.pos, 0
	for l.pos < len(l.src) {
		switch {
		case l.has("/*"):
			depth++
			l.pos += 2
		case l.has("*/"):
			depth--
			l.pos += 2
			if depth == 0 {
				return BlockComment
			}
		default:
			l.pos++
		}
	}
	l.unterminated(start, "block comment")
	return BlockComment
}

// dollar reads what starts with a dollar sign: $n, a dollar-quoted literal, or the sign alone.
func (l *lexer) dollar() Kind {
	start := l.pos
	l.pos++
	if isDigit(l.at(0)) {
		l.skip(isDigit)
		return Position
	}
	if isIdentifierStart(l.at(0)) {
		l.skip(func(c byte) bool { return c != '$' && isIdentifierPart(c) })
	}
	if l.at(0) != '$' {
		l.pos = start + 1
		return Other
	}
	l.pos++
	end := strings.Index(l.src[l.pos:], l.src[start:l.pos])
	if end < 0 {
		l.unterminated(start, "dollar-quoted literal")
		return DollarString
	}
	l.pos += end + (l.pos - start)
	return DollarString
}

// number reads a numeric literal in the form of PostgreSQL 16 and later, which has other bases and
// underscores. What older servers would read differently they refuse, or it has no quote in it.
func (l *lexer) number() {
	if l.at(0) == '0' && l.radix() {
		return
	}
	l.digits(isDigit)
	if l.at(0) == '.' && l.at(1) != '.' {
		l.pos++
		l.digits(isDigit)
	}
	if l.at(0)|0x20 != 'e' {
		return
	}
	sign := 0
	if c := l.at(1); c == '+' || c == '-' {
		sign = 1
	}
	if isDigit(l.at(1 + sign)) {
		l.pos += 1 + sign
		l.digits(isDigit)
	}
}

// radix reads 0x1F, 0o17 or 0b11, and reports whether there was one.
func (l *lexer) radix() bool {
	var class func(byte) bool
	switch l.at(1) | 0x20 {
	case 'x':
		class = func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
	case 'o':
		class = func(c byte) bool { return '0' <= c && c <= '7' }
	case 'b':
		class = func(c byte) bool { return c == '0' || c == '1' }
	default:
		return false
	}
	if !class(l.at(2)) && (l.at(2) != '_' || !class(l.at(3))) {
		return false
	}
	l.pos += 2
	if l.at(0) == '_' {
		l.pos++
	}
	l.digits(class)
	return true
}

// digits reads digits with single underscores between them.
func (l *lexer) digits(class func(byte) bool) {
	if !class(l.at(0)) {
		return
	}
	for class(l.at(0)) || l.at(0) == '_' && class(l.at(1)) {
		l.pos++
	}
}

// punctuation reads a sign that is neither an operator nor the start of something longer.
func (l *lexer) punctuation() Kind {
	for _, pair := range [...]string{"::", ":=", ".."} {
		if l.has(pair) {
			l.pos += 2
			return Punctuation
		}
	}
	c := l.at(0)
	l.pos++
	if strings.IndexByte(",;()[].:", c) >= 0 {
		return Punctuation
	}
	return Other
}

func isSpace(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r'
}

func isNotNewline(c byte) bool { return c != '\n' && c != '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isIdentifierStart(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= 0x80
}

func isIdentifierPart(c byte) bool { return isIdentifierStart(c) || isDigit(c) || c == '$' }
