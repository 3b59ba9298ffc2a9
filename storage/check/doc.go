// Package check finds what can be known to be wrong with an operator's queries from their texts alone:
// no database is asked, and no query is run.
//
// The scanner (package sqltext) refuses what could not be sent as it was meant. The rules here come
// after it. They look at statements that can be sent and say what such a statement will do that its
// author may not have wanted: hit other rows than the ones meant, depend on the order of a table's
// columns, hold up other callers, or fail on the server that the file is written for.
//
// There are two kinds of rules. Most know only SQL and the annotations of the contract (which
// parameters identify a row, how often an operation runs, how many rows it may change), so they hold
// for every domain. Those that know what one domain means by its operations stand in files named after
// it, and find their operations by key.
//
// Structure is read with PostgreSQL's own grammar (package syntax). A text that it does not read, for
// example one for CockroachDB, is judged by its tokens alone, and the report says so.
//
// The package must not know YAML, connections or catalogues. What it says of a place comes from the
// statement and from Input.Place.
package check
