package catalogue

import (
	"slices"

	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The names of the rules. They are stable.
const (
	ruleNotPrepared          = "does-not-prepare" // of package query
	ruleEmptyDatabase        = "empty-database"
	ruleNoArbiter            = "no-arbiter"
	ruleNoRight              = "no-right"
	ruleNotPlanned           = "does-not-plan"
	ruleNotLooked            = "table-locked"
	ruleUnread               = "catalogue-unread"
	ruleReadOnly             = "read-only-server"
	ruleTarget               = "target-mismatch"
	ruleUnprepared           = "sent-unprepared"
	ruleIsolation            = "default-isolation"
	ruleConnections          = "too-many-connections"
	ruleTimeout              = "server-timeout"
	ruleMissingIndex         = "missing-index"
	ruleIndexWithoutIdentity = "index-without-identity"
	ruleNoUniqueKey          = "no-unique-key"
	ruleNoConflict           = "insert-without-conflict"
	ruleNarrowIdentity       = "narrow-identity"
	ruleIntegerWidth         = "integer-width"
	ruleTextLength           = "text-length"
	ruleBytesInText          = "bytes-in-text"
	ruleTimeWithoutZone      = "time-without-zone"
	ruleNullableResult       = "nullable-result"
	ruleNullIsPresent        = "null-is-present"
	ruleChurningIndex        = "churning-index"
	ruleFillfactor           = "fillfactor"
	ruleCounterWidth         = "counter-width"
	ruleGinAny               = "gin-any"
	ruleSkipLocked           = "skip-locked-order"
	ruleRefresh              = "refresh-without-unique"
	ruleForeign              = "foreign-table"
	rulePartitionKey         = "partition-key"
	ruleTriggers             = "triggers"
	ruleRowSecurity          = "row-security"
	ruleUnlogged             = "unlogged"
)

// Rules returns the rules of this package.
func Rules() []check.Rule {
	return slices.Concat(describedRules, serverRules, keyRules, typeRules, tableRules, trackerRules)
}

func init() { check.Register(Rules()...) }

var serverRules = []check.Rule{
	{Name: ruleEmptyDatabase, Severity: problem.Error, Title: "The database has no tables",
		Explanation: "None of the tables that the queries name is there, nor any other. Either the schema was not applied yet, which mortise init does, or the connection string leads to another database than the one that is meant.",
		Source:      "Mortise: mortise init"},
	{Name: ruleNoRight, Severity: problem.Error, Title: "The database role may not do what the query does",
		Explanation: "Preparing a statement does not check rights on tables, columns and functions; planning it does. " +
			"The fix is the GRANT that the role lacks, to be run by the owner of the table.",
		Source: "PostgreSQL: Privileges, GRANT"},
	{Name: ruleNotPlanned, Severity: problem.Error, Title: "The database prepares the query, and cannot plan it",
		Explanation: "Some errors are found only when the planner looks at a statement. Each call of it would fail in the same way.",
		Source:      "PostgreSQL: appendix A, error codes"},
	{Name: ruleNotLooked, Severity: problem.Warning, Title: "A table was locked, so its query could not be looked at",
		Explanation: "Planning a statement waits for sessions that change a table's definition. The check waits no longer than two seconds, so as not to hold up others in turn.",
		Source:      "PostgreSQL: Explicit Locking"},
	{Name: ruleUnread, Severity: problem.Info, Title: "The server's catalogue could not be read",
		Explanation: "Indexes, keys, types and rights are read from pg_catalog as PostgreSQL has it. Servers that only play PostgreSQL have parts of it, and a role can be kept from reading it.",
		Source:      "PostgreSQL: System Catalogs"},
	{Name: ruleReadOnly, Severity: problem.Error, Title: "The server does not take writes",
		Explanation: "It is a standby, or its transactions are read-only by default. Every write would fail with SQLSTATE 25006. " +
			"With several hosts in the connection string, target_session_attrs=read-write finds the one that takes writes.",
		Source: "PostgreSQL: libpq connection strings, Hot Standby"},
	{Name: ruleTarget, Severity: problem.Warning, Title: "The server is not the one that the file is written for",
		Explanation: "The key target says for which product and from which version on the queries are meant to work; they are checked for that. " +
			"This server is another one, so it may refuse what the checks let pass.",
		Source: "Mortise: the key target"},
	{Name: ruleUnprepared, Severity: problem.Info, Title: "A pooler keeps prepared statements from working",
		Explanation: "A pooler in transaction mode gives each transaction another connection of the server. Prepared statements then work only if " +
			"the pooler knows them (PgBouncer from 1.21 on, with max_prepared_statements). Without them each call is parsed and planned anew.",
		Source: "PgBouncer: configuration, max_prepared_statements"},
	{Name: ruleIsolation, Severity: problem.Info, Title: "Transactions are stricter than READ COMMITTED",
		Explanation: "Under REPEATABLE READ and SERIALIZABLE a writer that meets another one's row fails (40001) and is sent again. " +
			"No operation needs that: each is one statement, or one transaction that is right under READ COMMITTED.",
		Source: "PostgreSQL: Transaction Isolation"},
	{Name: ruleConnections, Severity: problem.Warning, Title: "The file allows more connections than the server has",
		Explanation: "The pool for requests (pool_max_conns) and the one for periodic work may together open more connections than max_connections, " +
			"the role or the database allow. Under load, connecting then fails with SQLSTATE 53300.",
		Source: "PostgreSQL: Connections and Authentication, max_connections"},
	{Name: ruleTimeout, Severity: problem.Warning, Title: "The server ends statements earlier than the program would",
		Explanation: "A statement_timeout or lock_timeout of the role holds for every statement, whatever limits the file gives. " +
			"Periodic work, such as collecting stale rows, has no limit of its own and may take long after an outage.",
		Source: "PostgreSQL: Client Connection Defaults"},
}

var keyRules = []check.Rule{
	{Name: ruleNoArbiter, Severity: problem.Error, Title: "ON CONFLICT has no unique index behind it",
		Explanation: "ON CONFLICT (columns) needs a unique index or constraint over exactly these columns. It is looked for when the statement is planned, " +
			"so preparing it succeeds and every call fails with SQLSTATE 42P10.",
		Source: "PostgreSQL: INSERT, ON CONFLICT clause"},
	{Name: ruleMissingIndex, Severity: problem.Warning, Title: "A request reads a whole table to find its rows",
		Explanation: "The query looks for rows by parameters that identify them, and even with sequential scans ruled out the planner finds no index for it. " +
			"On an empty table nobody notices; each request then costs as much as the table is large. " +
			"An index that begins with the columns named here serves it. Small tables that no query writes are left out, as is periodic work.",
		Source: "PostgreSQL: Indexes, Using EXPLAIN"},
	{Name: ruleIndexWithoutIdentity, Severity: problem.Warning, Title: "An index is searched, but not by the row's identity",
		Explanation: "The planner uses an index for other conditions only, for example a flag that half of the rows have, and filters what it reads by the key. " +
			"An index that begins with the identifying columns reads only what is meant.",
		Source: "PostgreSQL: Multicolumn Indexes"},
	{Name: ruleNoUniqueKey, Severity: problem.Warning, Title: "Nothing keeps a row from being stored twice",
		Explanation: "The contract says which parameters identify a row. No unique index is over the columns that they are stored in, or the one that is there " +
			"has further columns, so two calls for one thing can leave two rows. They are then counted and returned twice.",
		Source: "the contract: identity parameters, retry"},
	{Name: ruleNoConflict, Severity: problem.Warning, Title: "Storing something again fails",
		Explanation: "The operation may be sent again after a lost connection, and callers store what is there already. The table has a unique index, " +
			"so a plain INSERT fails then with SQLSTATE 23505. ON CONFLICT says what should happen instead.",
		Source: "the contract: retry; PostgreSQL: INSERT, ON CONFLICT clause"},
	{Name: ruleNarrowIdentity, Severity: problem.Warning, Title: "Identity narrower than the contract",
		Explanation: "A unique index has some of the columns that identify a row for the contract, but not all. Rows that differ only in the others cannot " +
			"exist side by side: each replaces the other. A schema may want that, for example one address per client; callers should know.",
		Source: "the contract: identity parameters"},
}

var typeRules = []check.Rule{
	{Name: ruleIntegerWidth, Severity: problem.Warning, Title: "A column is too narrow for the numbers that the contract allows",
		Explanation: "smallint ends at 32767 and integer at 2147483647. A call with a larger number fails. Network ports, which go up to 65535, need integer.",
		Source:      "the contract: ranges of parameters; PostgreSQL: Numeric Types"},
	{Name: ruleTextLength, Severity: problem.Warning, Title: "A column is too short for the texts that the contract allows",
		Explanation: "varchar(n) and char(n) refuse longer texts. In PostgreSQL text is as fast and has no such limit. It is information where the contract sets no limit either.",
		Source:      "the contract: lengths of parameters; PostgreSQL: Character Types"},
	{Name: ruleBytesInText, Severity: problem.Warning, Title: "Raw bytes are kept in a column that does not take all of them",
		Explanation: "A text column takes only what is valid in the database's encoding, and no zero byte; hashes and identifiers are neither. A uuid holds exactly 16 bytes. bytea takes everything.",
		Source:      "the contract: kinds; PostgreSQL: Binary Data Types"},
	{Name: ruleTimeWithoutZone, Severity: problem.Warning, Title: "A time column has no time zone",
		Explanation: "Mortise reads and writes timestamp as UTC, and sets its sessions to UTC. Other programs that write the wall clock of their own zone, and defaults " +
			"such as now() in their sessions, store other instants in the same column. timestamptz stores instants.",
		Source: "PostgreSQL: Date/Time Types"},
	{Name: ruleNullableResult, Severity: problem.Warning, Title: "A result can be NULL where the contract wants a value",
		Explanation: "The column allows NULL, or an outer join can leave it out. A row with NULL there is left out and counted, if the contract says so (then this is information), or fails the call.",
		Source:      "the contract: optional columns"},
	{Name: ruleNullIsPresent, Severity: problem.Info, Title: "NULL values count as present",
		Explanation: "A row whose value is NULL is found, and has no value. That is what the contract says; a column that is NOT NULL makes it impossible.",
		Source:      "the contract: optional columns"},
}

var tableRules = []check.Rule{
	{Name: ruleChurningIndex, Severity: problem.Info, Title: "Every refresh rewrites all indexes",
		Explanation: "PostgreSQL can put a new version of a row beside the old one without touching any index (a heap-only update), unless an index contains a column that changed. " +
			"An index on a time that every call sets rules that out for all of them: more to write, more to vacuum. Work that runs every few minutes can often do without the index. " +
			"A BRIN index is no obstacle from PostgreSQL 16 on.",
		Source: "PostgreSQL: Heap-Only Tuples (HOT); measured"},
	{Name: ruleFillfactor, Severity: problem.Info, Title: "Pages keep no room for new versions of rows",
		Explanation: "A heap-only update needs room in the row's own page. With the default fillfactor of 100 a page that was filled by inserts has none, so the first update of its rows moves them. 80 to 90 is a good value for a table that requests update.",
		Source:      "PostgreSQL: Heap-Only Tuples (HOT), CREATE TABLE storage parameters"},
	{Name: ruleCounterWidth, Severity: problem.Info, Title: "A counter can overflow",
		Explanation: "The column is added to and has 16 or 32 bits. When it is full, the call that adds to it fails, and with it everything in the same transaction.",
		Source:      "PostgreSQL: Numeric Types"},
	{Name: ruleGinAny, Severity: problem.Warning, Title: "A search in an array does not use its index",
		Explanation: "A GIN index serves @>, <@ and &&, but not value = ANY (column), which reads the whole table.",
		Source:      "PostgreSQL: GIN, Built-in Operator Classes; measured"},
	{Name: ruleSkipLocked, Severity: problem.Warning, Title: "FOR UPDATE SKIP LOCKED is ordered by something that no index yields",
		Explanation: "Rows are locked as they are read. If they have to be sorted or filtered afterwards, more are locked than are returned, and other workers pass those over as if they were taken.",
		Source:      "PostgreSQL: SELECT, The Locking Clause; CockroachDB: SELECT FOR UPDATE"},
	{Name: ruleRefresh, Severity: problem.Warning, Title: "A materialised view cannot be refreshed concurrently",
		Explanation: "REFRESH MATERIALIZED VIEW CONCURRENTLY needs a unique index over columns of the view, without a WHERE clause.",
		Source:      "PostgreSQL: REFRESH MATERIALIZED VIEW"},
	{Name: ruleForeign, Severity: problem.Info, Title: "A table is on another server",
		Explanation: "Through postgres_fdw, ON CONFLICT takes no target (an error), FOR UPDATE SKIP LOCKED locks all matching rows (a warning), and a commit over two servers is not atomic.",
		Source:      "PostgreSQL: postgres_fdw; measured"},
	{Name: rulePartitionKey, Severity: problem.Info, Title: "A query searches all partitions",
		Explanation: "Partitions can only be ruled out by a condition on the columns by which the table is partitioned.",
		Source:      "PostgreSQL: Table Partitioning, Partition Pruning"},
	{Name: ruleTriggers, Severity: problem.Info, Title: "Triggers run as part of requests",
		Explanation: "What a trigger does is waited for by every request that fires it, and its errors are those of the request.",
		Source:      "PostgreSQL: Triggers"},
	{Name: ruleRowSecurity, Severity: problem.Warning, Title: "Row level security is on",
		Explanation: "Rows that no policy shows to the role are neither found nor counted, and rows that no policy allows cannot be stored: without an error that would say so, in the first case. It is information where the role is exempt.",
		Source:      "PostgreSQL: Row Security Policies"},
	{Name: ruleUnlogged, Severity: problem.Info, Title: "Tables are unlogged",
		Explanation: "They are faster to write, empty after a crash of the server, and not there on standbys. That is a fair choice for what clients send again anyway.",
		Source:      "PostgreSQL: CREATE TABLE, UNLOGGED"},
}

// trackerRules are rules under the names that the tracker's contract gives them.
var trackerRules = []check.Rule{
	{Name: "T16", Severity: problem.Warning, Title: "The peers' time has no time zone",
		Explanation: "As time-without-zone. Nodes that write the wall clock of different zones collect each other's live peers. After a migration from such a deployment, shift the column once, or accept one announce interval in which peers come and go.",
		Source:      "the contract of the domain tracker"},
	{Name: "T17", Severity: problem.Info, Title: "Every announce rewrites all indexes",
		Explanation: "As churning-index. Nearly every announce refreshes a peer that exists. Without an index on its time and with room in the pages, none of them touches an index; collecting stale peers then reads the table, every few minutes.",
		Source:      "the contract of the domain tracker; measured"},
	{Name: "T18", Severity: problem.Info, Title: "The download counter can overflow, or grows without end",
		Explanation: "A 32-bit counter that is full makes graduations fail. And the rows of counters outlive the peers: a tracker that is open to any hash keeps one for every hash that was ever completed.",
		Source:      "the contract of the domain tracker"},
	{Name: "T19", Severity: problem.Info, Title: "A key can exist without a value",
		Explanation: "As null-is-present: a key whose value is NULL is found, so Contains says that it is there and Load returns no value.",
		Source:      "the contract of the domain tracker"},
}
