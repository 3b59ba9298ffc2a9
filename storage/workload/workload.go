// Package workload makes what a benchmark needs of a domain: stored data of a wished size that looks
// like that of a real deployment, and an endless sequence of calls of each operation and method, with
// what the contract says about their answers.
//
// Data and calls are requests of the contract's own operations, so they fit every query set and every
// schema. Everything follows from a seed: the i-th request is the same in every run and on every
// database, which is what makes two query sets comparable. The package must not know a clock, a
// connection or a statistic: who sends the requests, when, and what is made of the times is the
// benchmark's affair. What belongs to one domain stands in the files named after it.
package workload

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// A Request is a call of a method, or of an operation by the method that declares it.
type Request struct {
	// Method is the full name as gRPC writes it: "/mortise.tracker.v1.Swarms/PutPeer".
	Method  string
	Message proto.Message
	// Order sorts requests that are written in one transaction, so that two such transactions lock
	// rows in the same order.
	Order string
}

// A Plan says which data is wished.
type Plan struct {
	// Size is how many of the domain's main things are stored; 0 leaves the stored data alone.
	Size int64
	// Keys are main keys of rows that are there already, for a Size of 0: what they are is said by
	// the domain's Keys.
	Keys [][]byte
	Seed uint64
	// Now is the time that ages are counted from.
	Now time.Time
	// Settings is the settings message of the section; nil if it has none.
	Settings proto.Message
	// Tidy says that nothing may be stored but what operations can remove again.
	Tidy bool
	// Has says whether the operator gave a query for the operation that a method declares.
	Has func(method string) bool
}

// A Domain makes the data of one section.
type Domain interface {
	// Section is the section's name in the operator's file.
	Section() string
	// Things is what a size counts, in the plural: "peers".
	Things() string
	// Keys is what the keys of own rows are, in the plural: "info hashes".
	Keys() string
	// Quiet are the settings of the section that keep its background work from running while something
	// is measured, by their keys.
	Quiet() map[string]string
	// New plans the data. It stores nothing.
	New(plan Plan) Data
}

// Data is the planned data of one section, and the calls that go with it.
type Data interface {
	// Section is the name of the section.
	Section() string
	// Rows is how many requests Fill has.
	Rows() int64
	// Together is how many successive requests of Fill, counted from a multiple of it, belong together:
	// they are stored in one transaction, in their order, because one needs what another has stored.
	Together() int64
	// Fill returns the i-th request that stores the data, from 0. The order is that of a database
	// that grew: rows of one key do not lie side by side.
	Fill(i int64) Request
	// Aged is how many requests Age has. They make a part of what is stored old, such as peers that
	// went away without a word. They come last, because contracts leave open whether old rows that
	// await collection are still seen: answers are compared before.
	Aged() int64
	// Age returns the i-th of them, from 0.
	Age(i int64) Request
	// Empty returns the requests that remove the i-th stored thing again; none if nothing can.
	Empty(i int64) []Request
	// String says in one line what is stored.
	String() string
	// Cases are what can be measured with the queries that the operator gave.
	Cases() []*Case
}

// A Case is one kind of call that is measured.
type Case struct {
	// Method is what is called. Direct says that it is an operation, sent by itself and not through
	// the service.
	Method string
	Direct bool
	// Variant tells cases of one method apart; it may be empty.
	Variant string
	// Alone says that callers at the same time make no sense: periodic work.
	Alone bool
	// Writes says that rows are changed, Consumes that rows are removed which the case did not put
	// there itself.
	Writes, Consumes bool
	// Stays says that a call leaves something behind that no operation removes, such as a counter.
	Stays bool
	// MayBeAbsent says that NOT_FOUND is an ordinary answer.
	MayBeAbsent bool
	// Bounded says that turns have something to be done before or after them.
	Bounded bool
	// Turn returns the n-th call. It is a pure function, and no two turns meddle with each other.
	Turn func(n int64) Turn
	// Differ tells how far two answers to the same call differ in what the contract fixes, or "". Nil
	// means that all of an answer is fixed, but for the order of rows.
	Differ func(turn Turn, a, b *Answer) string
	// Wrong tells why an answer cannot be right for the stored data, or "". Nil means that nothing is
	// known.
	Wrong func(turn Turn, answer *Answer) string
}

// A Turn is one call, with what has to be there before it and what is to be tidied up after it. Both
// are operations, and neither is measured.
type Turn struct {
	Call   Request
	Before []Request
	After  []Request
}

// An Answer is what came back from a call.
type Answer struct {
	// Rows are an operation's rows; a method's response is one row.
	Rows []proto.Message
	// Affected is how many rows an operation changed, if Counted says that it is known.
	Affected int64
	Counted  bool
	// Code is OK, or what the call failed with.
	Code codes.Code
}

// domains are those that have a workload.
var domains = []Domain{Tracker{}, Media{}}

// For returns the workload of a section.
func For(section string) (Domain, bool) {
	for _, domain := range domains {
		if domain.Section() == section {
			return domain, true
		}
	}
	return nil, false
}
