package catalogue

import (
	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
)

// describedRules are what is found when the database is reached and describes a statement, which package
// query does.
var describedRules = []check.Rule{
	{Name: "database", Severity: problem.Error, Title: "The database cannot be reached",
		Explanation: "No connection could be made, or none with these credentials. Everything that needs the database is left out; --offline leaves it out on purpose.",
		Source:      "PostgreSQL: Client Authentication, libpq connection strings"},
	{Name: ruleNotPrepared, Severity: problem.Error, Title: "The database refuses the query",
		Explanation: "The server was asked to prepare the statement and would not: a table, column or function is not there, a type does not fit, or it is no valid SQL for this version. The message is the server's own.",
		Source:      "PostgreSQL: appendix A, error codes"},
	{Name: "parameter-type", Severity: problem.Error, Title: "A parameter does not fit the type that the query needs",
		Explanation: "The database tells which type each parameter has where it stands, and a value of the parameter's kind cannot be sent as that. Compare it with a column of a fitting type, or cast it.",
		Source:      "the contract: kinds"},
	{Name: "column-type", Severity: problem.Error, Title: "A result column does not have a type that the contract can take",
		Explanation: "The column is there, and its values cannot be read as the kind that the contract says. Cast it in the query.",
		Source:      "the contract: kinds"},
	{Name: "unknown-target", Severity: problem.Error, Title: "The key target cannot be read",
		Explanation: "It says which server the queries are written for: a product (postgres, cockroachdb), the lowest version behind it, and pooler where a pooler in transaction mode is in between. What only some servers refuse is then checked for that one.",
		Source:      "Mortise: the key target"},
	{Name: "row-bound-two-steps", Severity: problem.Info, Title: "Keeping the bound on affected rows costs further round trips",
		Explanation: "The contract bounds how many rows the operation may change. This statement cannot stand inside another one that counts them, so it is sent in a transaction that is committed only when the number is known.",
		Source:      "the contract: bounds on rows"},
	{Name: "row-bound-unknown", Severity: problem.Info, Title: "The bound on affected rows cannot be kept",
		Explanation: "The contract bounds how many rows the operation may change, and the query does not tell the number: it calls a function whose result is no number. A function that returns it in a column named affected makes the bound work.",
		Source:      "the contract: bounds on rows"},
}
