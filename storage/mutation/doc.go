// Package mutation asks how strong a conformance suite is: it breaks each query of a query set on
// purpose, in one small way at a time, and looks whether any case notices.
//
// [Mutants] makes the broken queries from the scanner's tokens. [Run] tries each of them in place of
// the operator's own query, inside a transaction that is rolled back, and stops at the first case that
// fails: that case has killed the mutant. A mutant that no case notices is a survivor. It says that
// either the suite is too weak, or that part of the query does not matter to any caller; which of the
// two is for a person to judge, who writes the latter into a list of [Equivalents], with the reason.
//
// # What a mutant proves
//
// A case is only tried on a mutant if it sent the mutated query when nothing was mutated: another one
// cannot notice. A query that no case sends, because the set has another one that replaces it, is
// reached by leaving that one out. What the package cannot see is what needs two connections at once:
// locks, and whether racing callers lose anything.
//
// The package knows SQL's clauses by their keywords, and nothing of tables, YAML or any domain. What
// is of one domain stands in a [Suite].
package mutation
