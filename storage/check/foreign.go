package check

import (
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// What others find before the rules of this package are applied, described here so that there is one
// list of all rules.

var scannerRules = []Rule{
	{sqltext.RuleInvalidText, "A character that must not be in a query", "The text is not valid UTF-8, or has U+0000 or U+FFFD in it. A driver may cut the statement off at such a byte, so that a DELETE loses its WHERE. Save the file as UTF-8.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleUnterminated, "A literal, quoted name or comment without an end", "Everything behind it belongs to it, so the statement is another one than it looks.", problem.Error, "", "PostgreSQL manual, Lexical Structure"},
	{sqltext.RuleUnbalanced, "Parentheses or brackets that do not match", "One is opened and not closed, or closed and not opened.", problem.Error, "", "PostgreSQL manual, Lexical Structure"},
	{sqltext.RuleEmpty, "The query is empty", "There is nothing but spaces, comments or semicolons. Remove the key if the operation should not be there.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleSeveralStatements, "More than one statement", "A query is one statement: with parameters or a result the server takes no more. Put both into one with WITH, or into a function.", problem.Error, "", "PostgreSQL manual, Extended Query"},
	{sqltext.RuleTransaction, "A command that begins or ends a transaction", "Each call runs in a transaction of its own, together with the calls that belong to it. A COMMIT inside would end that too early and leave the connection in a state that nobody expects.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleUnknownParameter, "A parameter that the operation does not have", "Only names that the operation declares are parameters. A misspelt name that was taken for NULL would match no row or, worse, change the wrong ones.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleAmbiguous, "An @ that can be read in two ways", "It is the end of an operator (<@, @@) in front of a column, or the beginning of a parameter. A space decides.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleTouching, "A parameter with letters right behind it", "Two words run into each other, and one of them is a parameter. Put what belongs between them.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleColonParameter, ":name instead of @name", "Other tools write parameters with a colon. Here they begin with @.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleStrayDollar, "A $ that starts nothing", "It is neither a position ($1) nor the beginning of a dollar quote.", problem.Error, "", "PostgreSQL manual, Lexical Structure"},
	{sqltext.RulePosition, "A position that stands for no parameter", "Positions are counted from $1 in the contract's order, up to the number of parameters.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleMixed, "Names and positions in one query", "A query has its parameters by name (@name) or by position ($n), not both.", problem.Error, "", "Mortise, SQL scanner"},
	{sqltext.RuleUnusedIdentity, "A parameter that chooses the rows is not used", "Without it the query hits or returns rows of others. That is how a DELETE comes to empty a table.", problem.Warning, "", "Mortise, SQL scanner"},
}

var loaderRules = []Rule{
	{"T14", "Placeholder in the connection string", "Three dots stand where the database or the user has to be: the sample was copied and not filled in.", problem.Warning, "", "tracker contract, T14"},
	{"yaml-syntax", "The file is not YAML", "Nothing can be read from it until this is repaired.", problem.Error, "", "YAML 1.2"},
	{"cut-query", "YAML cut a query off", "In a value without quotes \" #\" begins a comment, so that a #> b becomes a. Write the query as a block, with | behind the key.", problem.Error, "", "YAML 1.2, comments"},
	{"joined-comment", "YAML joined the lines of a query", "In a folded or plain value the lines are put together, and a comment that begins with -- swallows all that follows. Write the query as a block, with | behind the key.", problem.Error, "", "YAML 1.2, line folding"},
	{"unknown-key", "A key that is not known", "It has no effect, and what it should have done is not done. Most often it is misspelt or stands one level too high or too low.", problem.Error, "", "Mortise, configuration"},
	{"duplicate-key", "A key is given twice", "Only one of the two could count. Upper and lower case do not matter in keys.", problem.Error, "", "Mortise, configuration"},
	{"missing-key", "A key is missing", "Mortise cannot do without it: the message says what to write.", problem.Error, "", "Mortise, configuration"},
	{"missing-query", "A required query is missing", "The domain is served only if all of its required queries are there.", problem.Error, "", "Mortise, operations reference"},
	{"missing-base", "A clause without the query it belongs to", "A clause is appended to another query, which is not given.", problem.Error, "", "Mortise, operations reference"},
	{"missing-variable", "An environment variable is not set", "Set it, or give a default: ${NAME:-default}.", problem.Error, "", "Mortise, configuration"},
	{"wrong-type", "A value of another type than expected", "A list, a text or a number stands where something else is expected. The message says what was found.", problem.Error, "", "Mortise, configuration"},
	{"duration-unit", "A duration without a unit", "A bare number could be seconds or nanoseconds. Write 90s, 31m or 1h30m.", problem.Error, "", "Mortise, configuration"},
	{"replaced-value", "A value that makes no sense", "Another one is taken instead, as MoChi does.", problem.Warning, "", "Mortise, configuration"},
}
