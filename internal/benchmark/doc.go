// Package benchmark measures the operations and methods of an operator's query set on a database, and
// two query sets against each other.
//
// # How calls are made
//
// By default in a closed loop: each caller makes its next call when the last one was answered. A
// latency is then the time of a call by itself, and a slow answer keeps the caller from making the
// calls that would have waited behind it (coordinated omission): high percentiles tell what the system
// does at the load that it lets through, not what users feel at a load that they choose. For that there
// is a rate, an open loop: calls are due at fixed times, whoever is free takes the next one, and if
// nobody was free the latency counts from the time at which the call was due. A caller that waited for
// its call is not charged for the timer that woke it late.
//
// Throughput is calls per second of the callers' busy time, added up over the callers. What a call
// needs to be there before it, and what is tidied up after it, is done before and after a round, outside
// of any time that counts.
//
// # How two query sets are compared
//
// Both get the same data, from the same seed, each in a place of its own. First both answer the same
// calls, and what the contract fixes about the answers must agree. Then rounds alternate, A B B A A B
// B A and so on, so that what changes with time (caches, other load, the tables' growth) hits both
// alike; a round of A and the round of B beside it are a pair. The figure is the median, over the
// pairs, of the ratio of the two rounds' median latencies.
//
// Its interval comes from the order statistics of the pairs' ratios, not from a bootstrap: calls within a round depend on each other, so the pair is the unit, and of a dozen
// pairs a bootstrap's interval is too narrow, while this one is exact for any distribution, needs no
// random numbers, and is the same each time it is computed. Six pairs are the least for 95 %, eight
// for 99 %.
//
// The package knows no domain; what is called comes from package workload.
package benchmark
