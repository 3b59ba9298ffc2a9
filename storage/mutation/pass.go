package mutation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/conformance"
	"github.com/mortise-storage/mortise/storage/query"
)

// A pass is a suite with the operator's query set, or with one of its queries left out so that others
// are sent which it replaces; and what was seen when nothing was mutated.
type pass struct {
	domain conformance.Domain
	config storage.Config
	// about are the keys of the operations that the pass is for; nil is all.
	about []string
	known conformance.Capabilities
	// cases are those that pass on the unchanged set, by their index in the suite.
	cases []surveyed
	// unfit are the names of those that fail on it.
	unfit []string
	// order are the indices of the cases to be tried on mutants of an operation.
	order map[string][]int
}

// surveyed is what is known of a case that passes.
type surveyed struct {
	index   int
	about   []string
	sent    map[string]bool
	elapsed time.Duration
}

// survey runs the whole suite on the unchanged set, and parts of it without each shortcut that the set
// has, and returns these passes. The first is that of the whole set.
func survey(ctx context.Context, domain conformance.Domain, set *query.Set, options Options) ([]*pass, error) {
	config := sharpen(options.Config, domain.Section)
	first, shortcuts, err := newPass(ctx, domain, config, options, nil)
	if err != nil {
		return nil, err
	}
	if len(first.cases) == 0 {
		return nil, fmt.Errorf("no case of the section %s passes on the query set as it is", domain.Section)
	}
	passes := []*pass{first}
	for _, shortcut := range slices.Sorted(maps.Keys(shortcuts)) {
		if _, has := config.Sources.ByKey[shortcut]; !has {
			continue
		}
		p, _, err := newPass(ctx, domain, without(config, shortcut), options, shortcuts[shortcut])
		if err != nil {
			return nil, err
		}
		passes = append(passes, p)
	}
	for _, p := range passes {
		p.sort(set)
	}
	return passes, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func without(config storage.Config, key string) storage.Config {
	config.Sources.ByKey = maps.Clone(config.Sources.ByKey)
	delete(config.Sources.ByKey, key)
	return config
}

// newPass runs the cases on the unchanged set, and returns the suite's shortcuts, too. Unless about is
// nil, only mutants of those operations are tried in the pass, on the cases about them.
func newPass(ctx context.Context, domain conformance.Domain, config storage.Config, options Options, about []string) (*pass, map[string][]string, error) {
	b, err := openBench(ctx, domain, config, options)
	if err != nil {
		return nil, nil, err
	}
	defer b.close()
	p := &pass{domain: domain, config: config, about: about}
	if p.known, err = b.probe(ctx); err != nil {
		return nil, nil, err
	}
	for i, c := range b.suite.Cases {
		if about != nil && !overlap(c.Operations, about) {
			continue
		}
		sent := b.record()
		result, timedOut, usable := b.run(ctx, c, p.known)
		one := surveyed{index: i, about: c.Operations, sent: sent(), elapsed: result.Elapsed}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if timedOut {
			return nil, nil, fmt.Errorf("the case %q takes longer than %s on the query set as it is; raise the limit", c.Name, options.CaseLimit)
		}
		if !usable {
			return nil, nil, fmt.Errorf("the case %q costs its connection on the query set as it is", c.Name)
		}
		switch result.Outcome {
		case conformance.Passed:
			p.cases = append(p.cases, one)
		case conformance.Failed:
			p.unfit = append(p.unfit, c.Name)
		}
	}
	return p, b.suite.Shortcuts, nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(one string) bool { return slices.Contains(b, one) })
}

// sending returns the cases that sent the query with a key, or one that it is part of.
func (p *pass) sending(set *query.Set, key string) []surveyed {
	if p.about != nil && !slices.Contains(p.about, key) {
		return nil
	}
	affected := affectedBy(set, key)
	return slices.DeleteFunc(slices.Clone(p.cases), func(c surveyed) bool {
		return !slices.ContainsFunc(affected, func(key string) bool { return c.sent[key] })
	})
}

// affectedBy returns the key and those of the clauses that are appended to its query.
func affectedBy(set *query.Set, key string) []string {
	all := []string{key}
	for _, statement := range set.Statements() {
		for base := statement.Operation.Extends; base != nil; base = base.Extends {
			if base.Key == key {
				all = append(all, statement.Operation.Key)
			}
		}
	}
	return all
}

// sort settles in which order cases are tried on mutants: first those about the operation, in each half
// the fast ones first.
func (p *pass) sort(set *query.Set) {
	p.order = map[string][]int{}
	for _, statement := range set.Statements() {
		key := statement.Operation.Key
		affected := affectedBy(set, key)
		elsewhere := func(c surveyed) int {
			return btoi(!overlap(c.about, affected))
		}
		cases := p.sending(set, key)
		slices.SortStableFunc(cases, func(a, b surveyed) int {
			return cmp.Or(cmp.Compare(elsewhere(a), elsewhere(b)), cmp.Compare(a.elapsed, b.elapsed))
		})
		for _, c := range cases {
			p.order[key] = append(p.order[key], c.index)
		}
	}
}
