package sqltext

import "fmt"

// statement is the structure of a text that has exactly one statement.
type statement struct {
	tokens     []Token // the statement's significant tokens, without semicolons
	start, end int     // byte offsets in the source: what is left after cutting
}

// checkStatement finds the statement in the tokens, and what is wrong with its structure.
func checkStatement(source string, tokens []Token) (statement, findings) {
	var found findings
	checkBrackets(source, tokens, &found)
	statements, start := split(source, tokens)
	for i, one := range statements {
		checkTransaction(source, one, &found)
		if i == 1 {
			found.error(RuleSeveralStatements, one[0].Start, "a second statement starts here; a query is one statement",
				"remove one of them, or put both into one with WITH")
		}
	}
	if len(statements) == 0 {
		found.error(RuleEmpty, 0, "the query is empty", "write a statement, or remove the key")
		return statement{}, found
	}
	first := statements[0]
	return statement{tokens: first, start: start, end: first[len(first)-1].End}, found
}

// split returns the significant tokens of each statement that is not empty, and where the text of the
// first one starts: at the beginning, with its comments, or behind the semicolons before it.
func split(source string, tokens []Token) (statements [][]Token, start int) {
	var current []Token
	for _, t := range significant(tokens) {
		if !t.is(source, ";") {
			current = append(current, t)
			continue
		}
		if current != nil {
			statements = append(statements, current)
			current = nil
		} else if len(statements) == 0 {
			start = t.End
		}
	}
	if current != nil {
		statements = append(statements, current)
	}
	return statements, start
}

// checkBrackets reports the first parenthesis or bracket that has no partner.
func checkBrackets(source string, tokens []Token, found *findings) {
	var open []Token
	for _, t := range tokens {
		if t.Kind != Punctuation {
			continue
		}
		switch c := source[t.Start]; c {
		case '(', '[':
			open = append(open, t)
		case ')', ']':
			if len(open) == 0 {
				found.error(RuleUnbalanced, t.Start, fmt.Sprintf("%q closes nothing", c), "remove it, or open what it should close")
				return
			}
			if last := source[open[len(open)-1].Start]; (last == '(') != (c == ')') {
				found.error(RuleUnbalanced, t.Start, fmt.Sprintf("%q cannot close %q", c, last), "close them in reverse order")
				return
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		found.error(RuleUnbalanced, last.Start, fmt.Sprintf("%q is never closed", source[last.Start]), "close it")
	}
}

// transactionControl has the commands that begin or end a transaction or a part of it. Where the
// command has another use, the second word tells.
var transactionControl = map[string]string{
	"BEGIN": "", "COMMIT": "", "ROLLBACK": "", "SAVEPOINT": "", "RELEASE": "", "END": "", "ABORT": "",
	"START": "TRANSACTION", "PREPARE": "TRANSACTION",
}

// checkTransaction reports a statement that would end or begin the transaction it is run in.
func checkTransaction(source string, tokens []Token, found *findings) {
	command := firstKeyword(source, tokens)
	second, ok := transactionControl[command]
	if !ok || second != "" && (len(tokens) < 2 || !tokens[1].keyword(source, second)) {
		return
	}
	found.error(RuleTransaction, tokens[0].Start, command+" is not allowed in a query",
		"remove it: each call already runs in a transaction of its own, or in one with the calls that belong to it")
}

// firstKeyword returns the statement's first word in upper case, looking into the parentheses that may
// be around a SELECT. It is empty if the statement does not start with a word.
func firstKeyword(source string, tokens []Token) string {
	for _, t := range tokens {
		if t.Kind == Identifier {
			return upperASCII(t.text(source))
		}
		if !t.is(source, "(") {
			break
		}
	}
	return ""
}

// hasReturning reports whether the statement itself, not one inside of it, has a RETURNING clause.
func hasReturning(source string, tokens []Token) bool {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.is(source, "("), t.is(source, "["):
			depth++
		case t.is(source, ")"), t.is(source, "]"):
			depth--
		case depth == 0 && t.keyword(source, "RETURNING"):
			label := i > 0 && (tokens[i-1].is(source, ".") || tokens[i-1].keyword(source, "AS"))
			if !label {
				return true
			}
		}
	}
	return false
}
