// Package conformance holds the behaviours that every query set of a domain must show, whatever its
// tables and its SQL look like.
//
// A case talks to the API of the domain and to nothing else, so the same cases prove a query set in
// this process, a plugin behind gRPC, and another implementation of the API. Cases know no schema.
// Each works on random keys of its own: cases are independent, may run beside each other (but for
// those marked Exclusive) and may run on tables that already hold rows. What they store they leave
// behind, so run them in a database of their own or in a transaction that is rolled back.
//
// A case surrounds what it acts on with neighbours: rows that differ from it in exactly one part of
// the key and must come out unchanged. That is what finds a forgotten predicate.
//
// Query sets may lack abilities that a contract leaves to them. They are found out by behaviour,
// never read from a configuration, and a case that needs one that is lacking is reported as not
// applicable: counted and named, never a silent pass. To judge a changed query set against the
// original (as mutation does), give RunCases the capabilities of the original: an ability that was
// lost is then a failure.
//
// The package must not import package testing (a command runs it as well), and must know neither
// SQL nor transport.
package conformance
