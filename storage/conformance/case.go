package conformance

import (
	"context"
	"slices"
)

// T is what a case needs of its runner; *testing.T has it. Fatalf ends the case by ending its
// goroutine, and must be called from that goroutine only.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// A Capability is an ability that a contract leaves to the query set.
type Capability string

// Capabilities are the abilities that were looked for, and whether each was found.
type Capabilities map[Capability]bool

// Lacking returns the abilities that were looked for in vain, sorted.
func (c Capabilities) Lacking() []Capability {
	var lacking []Capability
	for capability, has := range c {
		if !has {
			lacking = append(lacking, capability)
		}
	}
	slices.Sort(lacking)
	return lacking
}

// Missing returns those of the needs that were looked for in vain. What was never looked for is
// not missing: no knowledge opts out of no case.
func (c Capabilities) Missing(needs []Capability) []Capability {
	var missing []Capability
	for _, need := range needs {
		if has, known := c[need]; known && !has {
			missing = append(missing, need)
		}
	}
	return missing
}

// A Case is one behaviour. S is the thing under test: the clients of a domain's API.
type Case[S any] struct {
	// Name begins with the operation, or the method, that the case is about: "peer.del keeps the
	// other role". It is unique.
	Name string
	// Operations are the YAML keys of the queries that the case proves something about.
	Operations []string
	// Says is the rule of the contract that the query set is held to.
	Says string
	// Needs are the abilities without which the case does not apply.
	Needs []Capability
	// Exclusive says that nothing else may use the tables while the case runs: it collects stale
	// rows, or counts all of them.
	Exclusive bool
	// Run reports to t what is wrong. It returns when everything it started has ended.
	Run func(ctx context.Context, t T, subject S)
}
