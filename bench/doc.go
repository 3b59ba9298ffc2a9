// Package bench measures every method of the tracker's API, and the hot ones of the media domain's:
//
//	go test -bench . ./bench
//
// Each is measured in three ways, at 1, 8 and 64 callers at once:
//
//	way=plain      the same statements, hand-written on pgx: the floor
//	way=inprocess  the storage inside this process, without a transport
//	way=plugin     the built plugin, as a child process, called as a host calls it
//
// Plain is what a careful person writes directly for one query set: the texts that the storage sends
// (without its bound on affected rows), prepared once per connection, arguments as natural Go values,
// and one pgx.Batch where several statements belong to one call. It knows no contract, checks no
// argument, and neither retries nor observes. What it takes is the database's and the driver's time;
// what the other two take beyond it is Mortise. For the media domain, where methods send several
// transactions in one round trip, plain does so too, over pgconn's pipeline.
//
// All three use the same server, tables and number of connections, and the same context: one that
// can be cancelled, as that of a request. Reads go to the same swarms; clients that are written are
// different ones in each way, but live in those swarms. Every answer is checked, and a wrong one
// fails the benchmark. What an iteration does is told at each benchmark; where a call uses up what it
// needs, the call that makes it is part of the iteration, in all ways alike.
//
// # What is measured where
//
// Without further ado an embedded PostgreSQL is started in a temporary folder, with no settings but
// the server's own defaults: it is durable (fsync and synchronous_commit are on). Its data is removed
// at the end. The environment changes that:
//
//	MORTISE_BENCH_CONFIG    query file; queries.example.yaml. Its connection_string must be
//	                        ${MORTISE_DATABASE}, with or without a default
//	MORTISE_BENCH_DATABASE  URL or DSN of a server of one's own instead, with the tables in place. What
//	                        is loaded there is deleted afterwards; counters of downloads stay
//	MORTISE_BENCH_SCHEMA    schema for the embedded server; the schema.sql beside the query file
//	MORTISE_BENCH_PEERS     peers that are loaded before, over 500 swarms of which few are big; 20000
//	MORTISE_BENCH_ALIASES   aliases that are loaded for the media domain, with as many hashes, variants and
//	                        details as belong to them, when the first of its benchmarks runs; 10000. A
//	                        million take some minutes and two gigabytes. The tables must be those of
//	                        schema.sql. The number is part of the benchmarks' names
//	MORTISE_BENCH_CALLERS   numbers of callers; 1,8,64
//	MORTISE_BENCH_PLUGIN    the plugin's program; cmd/mortise is built if it is not given
//
// The connection string may say pool_max_conns, which holds for each way; without, it is 10.
//
// # Reading the output
//
// ns/op is the time from the first call to the last answer, divided by the number of iterations: with
// one caller a latency, with several the inverse of the throughput. p50-us and p99-us are latencies of
// single iterations, in microseconds. B/op and allocs/op are those of this process, which is the
// host; the plugin's own are not among them. BenchmarkNothing is the harness itself, with its two
// readings of the clock. Compare runs with benchstat, or make a table of one with
//
//	go run ./bench/table <output
package bench
