package sqltext

// notSets holds words that may stand before a parenthesis in a VALUES list without making more than one
// row: words of the language, types with a length, and common functions that return one value.
var notSets = wordSet(`
	ALL AND ANY ARRAY AS BETWEEN CASE CAST COALESCE DISTINCT ELSE EXISTS EXTRACT FROM GREATEST ILIKE IN IS
	LEAST LIKE NOT NULLIF OR OVERLAY POSITION ROW SOME SUBSTRING SYMMETRIC THEN TRIM WHEN
	BIT BPCHAR CHAR CHARACTER DECIMAL FLOAT INTERVAL NUMERIC TIME TIMESTAMP TIMESTAMPTZ TIMETZ VARBIT
	VARCHAR VARYING
	ABS ABBREV BTRIM CEIL CLOCK_TIMESTAMP CONCAT CONVERT_FROM CONVERT_TO CURRVAL DATE_PART DATE_TRUNC DECODE
	ENCODE FAMILY FLOOR FORMAT GEN_RANDOM_UUID HOST JSONB_BUILD_ARRAY JSONB_BUILD_OBJECT LENGTH LOWER LPAD LTRIM
	MAKE_INTERVAL MD5 NEXTVAL NOW OCTET_LENGTH RANDOM REPLACE ROUND RPAD RTRIM SET_MASKLEN SHA224 SHA256 SHA384
	SHA512 STATEMENT_TIMESTAMP SUBSTR TO_CHAR TO_JSONB TO_TIMESTAMP TO_TSVECTOR TRANSACTION_TIMESTAMP TRUNC UPPER`)

// singleRowInsert reports whether the statement has the form
//
//	INSERT INTO table [AS alias] [(columns)] [OVERRIDING ..] VALUES (..) | DEFAULT VALUES
//	[ON CONFLICT ..] [RETURNING ..]
//
// and so touches at most one row of its table. It says no where it cannot tell: a function that returns
// a set makes several rows of one VALUES list on PostgreSQL, and nearly any function may be one.
func singleRowInsert(source string, tokens []Token) bool {
	c := cursor{source: source, tokens: tokens}
	if !c.keyword("INSERT") || !c.keyword("INTO") || !c.table() {
		return false
	}
	if c.keyword("AS") && !c.name() {
		return false
	}
	c.group()
	if c.keyword("OVERRIDING") {
		c.i += 2
	}
	if c.keyword("DEFAULT") {
		return c.keyword("VALUES") && c.insertEnds()
	}
	if !c.keyword("VALUES") {
		return false
	}
	start := c.i
	return c.group() && !mayMakeRows(source, tokens[start:c.i]) && c.insertEnds()
}

// cursor reads a statement's significant tokens from left to right.
type cursor struct {
	source string
	tokens []Token
	i      int
}

// keyword moves over the given keyword if it is next.
func (c *cursor) keyword(word string) bool {
	if c.i < len(c.tokens) && c.tokens[c.i].keyword(c.source, word) {
		c.i++
		return true
	}
	return false
}

// sign moves over the token with the given text if it is next.
func (c *cursor) sign(text string) bool {
	if c.i < len(c.tokens) && c.tokens[c.i].text(c.source) == text {
		c.i++
		return true
	}
	return false
}

// name moves over an identifier if one is next.
func (c *cursor) name() bool {
	if c.i < len(c.tokens) && isName(c.tokens[c.i]) {
		c.i++
		return true
	}
	return false
}

// table moves over the name of a table. One part of it may be a placeholder such as {shard}.
func (c *cursor) table() bool {
	for {
		placeholder := c.sign("{")
		if !c.name() || placeholder && !c.sign("}") {
			return false
		}
		if !c.sign(".") {
			return true
		}
	}
}

// group moves over a parenthesis with all that is in it, if one is next.
func (c *cursor) group() bool {
	if c.i >= len(c.tokens) || !c.tokens[c.i].is(c.source, "(") {
		return false
	}
	c.i = closing(c.source, c.tokens, c.i) + 1
	return true
}

// insertEnds reports whether nothing but ON CONFLICT and RETURNING follows.
func (c *cursor) insertEnds() bool {
	return c.i == len(c.tokens) || c.keyword("ON") || c.keyword("RETURNING")
}

// closing returns the index of the parenthesis that closes the one at i, or of the last token.
func closing(source string, tokens []Token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		if tokens[i].is(source, "(") {
			depth++
		} else if tokens[i].is(source, ")") {
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(tokens) - 1
}

// mayMakeRows reports whether a VALUES list has a call that may return a set. A scalar subquery cannot:
// more than one row of it is an error.
func mayMakeRows(source string, tokens []Token) bool {
	for i := 0; i+1 < len(tokens); i++ {
		t, next := tokens[i], tokens[i+1]
		if t.is(source, "(") && (next.keyword(source, "SELECT") || next.keyword(source, "WITH")) {
			i = closing(source, tokens, i)
			continue
		}
		if !isName(t) || !next.is(source, "(") {
			continue
		}
		qualified := i > 0 && tokens[i-1].is(source, ".")
		if qualified || t.Kind != Identifier || !notSets[upperASCII(t.text(source))] {
			return true
		}
	}
	return false
}

func isName(t Token) bool { return t.Kind == Identifier || t.Kind == QuotedIdentifier }
