package conformance

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// A Domain is a section of the operator's file whose behaviour is known here.
type Domain struct {
	// Section is the section's name in the contract.
	Section string
	// Bind makes the suite for a storage that is reached over conn. settings is the message of the
	// section's settings. The error says that it is of another type. clock is the storage's, or nil if it
	// cannot be stopped.
	Bind func(conn grpc.ClientConnInterface, settings proto.Message, clock *Clock) (*Suite, error)
	// Steady returns settings with which other people's rows do not age into another state while a case
	// runs that compares totals; nil if they cannot.
	Steady func(settings proto.Message) proto.Message
}

// Domains returns all domains that have a suite. A further domain is one more entry here.
func Domains() []Domain { return []Domain{trackerDomain(), mediaDomain()} }

// None is the subject of a case that is bound to the storage under test.
type None struct{}

// A Suite is what can be found out about one storage in one domain.
type Suite struct {
	// Answers fails if the storage cannot be used at all.
	Answers func(ctx context.Context) error
	// Abilities are what may be lacking. An ability stands behind those it builds on.
	Abilities []Ability
	Cases     []Case[None]
	// Shortcuts are queries that are used in place of others, by key. While a shortcut is there, those
	// others are never run, and no case proves anything about them.
	Shortcuts map[string][]string
}

// probe looks for all abilities. One that builds on another that is lacking is lacking as well.
func (s *Suite) probe(ctx context.Context) (Capabilities, error) {
	if err := s.Answers(ctx); err != nil {
		return nil, err
	}
	found := Capabilities{}
	for _, a := range s.Abilities {
		if len(found.Missing(a.BuildsOn)) > 0 {
			found[a.Capability] = false
			continue
		}
		found[a.Capability], _ = a.Look(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("looking for abilities: %w", err)
	}
	return found, nil
}

// An Ability is a capability and how it is looked for.
type Ability struct {
	Capability
	// Says is what the contract says of a query set that has it.
	Says string
	// Choice says that the contract leaves it to the operator, so that lacking it is no mistake.
	Choice bool
	// Rule is the contract's number for lacking it; empty if it has none.
	Rule string
	// Operations are the YAML keys of the queries that it comes from.
	Operations []string
	// Fix says how it is gained.
	Fix string
	// BuildsOn are the abilities without which it is lacking, too, and is not looked for.
	BuildsOn []Capability

	look func(ctx context.Context, t T) bool
}

// Look finds out, by trying, whether the storage has the ability. Trying may fail; that proves nothing,
// so the ability then counts as there, and the cases that need it say what is wrong.
func (a Ability) Look(ctx context.Context) (has bool, failures []string) {
	has = true
	r := isolate(nil, func(t T) { has = a.look(ctx, t) })
	return has || len(r.failures) > 0, r.failures
}

// bindCases gives cases their subject.
func bindCases[S any](cases []Case[S], subject S) []Case[None] {
	bound := make([]Case[None], len(cases))
	for i, c := range cases {
		bound[i] = Case[None]{Name: c.Name, Operations: c.Operations, Says: c.Says, Needs: c.Needs, Exclusive: c.Exclusive,
			Run: func(ctx context.Context, t T, _ None) { c.Run(ctx, t, subject) }}
	}
	return bound
}
