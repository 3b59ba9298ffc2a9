package check

import (
	"slices"
	"strings"
)

var sessionLints = []*lint{
	{
		Rule: Rule{Name: "D07-session-state", Title: "The query leaves something behind in the session",
			Explanation: "SET, a prepared statement, a cursor WITH HOLD or a temporary table stays on the connection when the call is over, and the next caller who gets that connection works with it. Behind a pooler that caller may even be another program. Put settings on the role (ALTER ROLE .. SET), and use WITH or a real table for intermediate rows.",
			Source:      "PgBouncer: feature table, transaction pooling"},
		on:        severities{warning, failure, warning},
		statement: sessionState,
	},
	{
		Rule: Rule{Name: "D08-set-local", Title: "A setting for a transaction that is over at once",
			Explanation: "SET LOCAL and set_config(.., true) last until the end of the transaction, and a call is a transaction of its own: nothing else sees the setting, except by chance what happens to travel with it. CockroachDB ignores it there, so that a search path set in this way leads to the wrong schema. Write the schema into the query, or put the setting on the role.",
			Source:      "PostgreSQL manual, SET; cockroachdb/cockroach#69480"},
		on:        severities{failure, warning, warning},
		statement: setLocal,
	},
	{
		Rule: Rule{Name: "D09-listen", Title: "LISTEN where no notification arrives",
			Explanation: "CockroachDB has no LISTEN. A pooler in transaction mode takes it and delivers nothing, because the server's connection goes on to someone else. The listener needs a connection of its own that leads around the pooler.",
			Source:      "cockroachdb/cockroach#41522; PgBouncer: feature table"},
		on:        severities{failure, failure, silent},
		statement: listen,
	},
	{
		Rule: Rule{Name: "D10-notify", Title: "NOTIFY on the path of every request",
			Explanation: "All commits of a server that carry a notification wait for one lock. Measured with one row per update, 32 clients got to a fifth of the throughput. Notify once per batch or from a poller, and let readers treat it as a hint. CockroachDB has no NOTIFY at all.",
			Source:      "PostgreSQL manual, NOTIFY; cockroachdb/cockroach#41522"},
		on:        severities{failure, warning, warning},
		statement: notify,
	},
	{
		Rule: Rule{Name: "D11-session-lock", Title: "An advisory lock of the session",
			Explanation: "The lock outlives the call and stays on a connection that goes back to the pool, so that the next caller \"holds\" it as well. Behind a pooler a second client gets it at the same time. On CockroachDB these functions do nothing and always succeed. Use pg_advisory_xact_lock, or lock a row.",
			Source:      "PostgreSQL manual, Advisory Locks; cockroachdb/cockroach#13546"},
		on:        severities{failure, failure, warning},
		statement: sessionLock,
	},
	{
		Rule: Rule{Name: "D11-transaction-lock", Title: "An advisory lock before CockroachDB 26.3",
			Explanation: "CockroachDB has real advisory locks of the transaction from 26.3 on; before, the functions are missing. Lock a row instead, or name the version in target.",
			Source:      "cockroachdb/cockroach#168353"},
		on:        severities{warning, silent, silent},
		statement: transactionLock,
	},
	{
		Rule: Rule{Name: "D22-own-transaction", Title: "A command that must run alone",
			Explanation: "VACUUM, CREATE INDEX CONCURRENTLY, ALTER SYSTEM and their like refuse to run in a transaction with anything else, and this operation travels with other statements: waiting calls, steps of the same method, or the row bound. It may pass in a quiet test and fail under load. Run it from a schedule outside of Mortise.",
			Source:      "PostgreSQL manual, VACUUM, CREATE INDEX"},
		on:        severities{warning, warning, failure},
		statement: ownTransaction,
	},
}

func sessionState(r *reading, f *finder) {
	const elsewhere = "put it on the role: ALTER ROLE .. SET .."
	switch command := r.command(); {
	case command == "SET" && !r.is(1, "LOCAL") && !r.is(1, "TRANSACTION") && !r.is(1, "CONSTRAINTS"):
		f.at(r.start(), "SET stays on the connection for the callers after this one", elsewhere)
	case command == "RESET", command == "DISCARD":
		f.at(r.start(), command+" changes the connection for the callers after this one", elsewhere)
	case command == "PREPARE", command == "EXECUTE", command == "DEALLOCATE":
		f.at(r.start(), command+" works with a statement that belongs to one connection; the next call may have another", "write the statement itself: Mortise prepares it")
	case command == "DECLARE":
		f.at(r.start(), "a cursor belongs to one connection; the next call may have another", "write the SELECT itself")
	}
	for i := range r.words {
		temporary := r.is(i, "TEMP") || r.is(i, "TEMPORARY")
		if temporary && i > 0 && slices.Contains([]string{"CREATE", "INTO", "LOCAL", "GLOBAL"}, r.words[i-1]) {
			f.at(r.offset(i), "a temporary table stays on the connection for the callers after this one", "use WITH, or a real table")
		}
	}
	for _, i := range r.calls(wordSet("set_config")) {
		if flag := r.lastArgument(i); slices.Equal(flag, []string{"FALSE"}) {
			f.at(r.offset(i), "set_config(.., false) stays on the connection for the callers after this one", elsewhere)
		}
	}
}

func setLocal(r *reading, f *finder) {
	if r.op.Name == "use" && f.input.Target.Product != CockroachDB {
		return // it exists to prepare the transaction for the query behind it
	}
	const fix = "name the schema in the query, or put the setting on the role: ALTER ROLE .. SET .."
	if r.is(0, "SET", "LOCAL") || r.is(0, "SET", "TRANSACTION") || r.is(0, "SET", "CONSTRAINTS") {
		f.at(r.start(), r.words[0]+" "+r.words[1]+" ends with the call, which is a transaction of its own", fix)
	}
	for _, i := range r.calls(wordSet("set_config")) {
		if flag := r.lastArgument(i); slices.Equal(flag, []string{"TRUE"}) {
			f.at(r.offset(i), "set_config(.., true) ends with the call, which is a transaction of its own", fix)
		}
	}
}

func listen(r *reading, f *finder) {
	command := r.command()
	if command != "LISTEN" && command != "UNLISTEN" {
		return
	}
	switch {
	case f.input.Target.Product == CockroachDB:
		f.at(r.start(), "CockroachDB has no "+command, "leave the query out: without it, the table is polled")
	case r.op.Spec.GetListens():
		f.as(warning).at(r.start(), "behind a pooler no notification arrives", "give the listener a connection of its own that leads around the pooler")
	default:
		f.at(r.start(), "behind a pooler no notification arrives", "leave the query out")
	}
}

func notify(r *reading, f *finder) {
	cockroach := f.input.Target.Product == CockroachDB
	if !r.hot() && !cockroach {
		return
	}
	var at []int
	if r.command() == "NOTIFY" {
		at = append(at, 0)
	}
	for _, i := range append(at, r.calls(wordSet("pg_notify"))...) {
		switch {
		case cockroach:
			f.at(r.offset(i), "CockroachDB has no notifications", "leave it out and let readers poll")
		default:
			f.at(r.offset(i), "a notification for each call: all commits that carry one wait for each other", "notify once per batch, or from a poller")
		}
	}
}

var (
	sessionLocks = wordSet(`pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
		pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all`)
	transactionLocks = wordSet("pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared")
)

func sessionLock(r *reading, f *finder) {
	for _, i := range r.calls(sessionLocks) {
		f.at(r.offset(i), fold(r.words[i])+" outlives the call, and the connection goes to other callers", "use pg_advisory_xact_lock, or lock a row")
	}
}

func transactionLock(r *reading, f *finder) {
	if f.input.Target.Version >= 263 {
		return
	}
	for _, i := range r.calls(transactionLocks) {
		f.at(r.offset(i), fold(r.words[i])+" is missing before CockroachDB 26.3", "lock a row: SELECT .. FOR UPDATE")
	}
}

// alone are commands that refuse to run in a transaction block.
var alone = [][]string{{"VACUUM"}, {"ALTER", "SYSTEM"}, {"CREATE", "DATABASE"}, {"DROP", "DATABASE"}, {"CREATE", "TABLESPACE"}, {"DROP", "TABLESPACE"},
	{"CREATE", "INDEX", "CONCURRENTLY"}, {"CREATE", "UNIQUE", "INDEX", "CONCURRENTLY"}, {"DROP", "INDEX", "CONCURRENTLY"},
	{"REINDEX", "DATABASE"}, {"REINDEX", "SYSTEM"}, {"REINDEX", "SCHEMA"},
	{"REINDEX", "TABLE", "CONCURRENTLY"}, {"REINDEX", "INDEX", "CONCURRENTLY"}, {"CREATE", "SUBSCRIPTION"}}

func ownTransaction(r *reading, f *finder) {
	if !r.sharesTransaction() {
		return
	}
	for _, words := range alone {
		if r.is(0, words...) {
			f.at(r.start(), strings.Join(words, " ")+" cannot run in a transaction with other statements, and this operation does", "run it from a schedule outside of Mortise")
		}
	}
}
