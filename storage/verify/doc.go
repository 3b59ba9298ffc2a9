// Package verify runs the conformance suite on an operator's own query set and tables, and tells what
// the queries do that the contract does not say.
//
// Normally everything happens in a transaction that is never committed (storage.Trial), each case
// between a mark and the return to it. No case sees what another did, locks on the operator's own rows
// last one case, and when the run ends, however it ends, the tables are as they were. The transaction
// has the isolation level REPEATABLE READ: cases compare totals of whole tables before and after, and
// other sessions that write meanwhile must not show in them. The price is that a write to a row that
// another session changed meanwhile is refused; the case is then run again in a new transaction.
//
// Time goes on beside the transaction: a case about totals that fails is run again with settings under
// which other people's rows do not age meanwhile, and counts as what it is then.
//
// Where triggers or functions reach outside of the database, or to see calls race on several
// connections, a run can use a schema of its own instead, which is dropped in the end (see scratch.go).
//
// The cases surround what they act on with decoys that differ in one part of the key, on tables that may
// hold any number of rows besides. What is about one domain is in package conformance; this package
// takes every domain that is registered there. It must not import package testing, and prints nothing.
package verify
