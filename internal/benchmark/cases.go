package benchmark

import (
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/workload"
)

// A selected case is one that is measured, with the result that it fills.
type selected struct {
	*workload.Case
	op     *operation.Operation // nil for a composed method
	result *Result
}

// choose takes the cases that can be measured and are wanted, those that remove rows of others last.
func (b *bench) choose() {
	seen := map[*operation.Operation]bool{}
	for _, data := range b.data {
		var all []*workload.Case
		for _, c := range data.Cases() {
			all = append(all, c)
			if op := b.options.Contract.Method(c.Method); c.Direct && op != nil && !op.Internal {
				all = append(all, c.AsMethod(op))
			}
		}
		for _, c := range all {
			op := b.options.Contract.Method(c.Method)
			if op != nil {
				seen[op] = true
			}
			b.consider(c, op)
		}
	}
	slices.SortStableFunc(b.cases, func(x, y *selected) int { return rank(x) - rank(y) })
	b.tellUnmeasured(seen)
}

// rank brings operations before methods, and what removes rows of others to the end.
func rank(c *selected) int {
	switch {
	case c.Consumes:
		return 2
	case c.Direct:
		return 0
	}
	return 1
}

func (b *bench) consider(c *workload.Case, op *operation.Operation) {
	s := &selected{Case: c, op: op, result: &Result{Subject: subject(c, op), Variant: c.Variant, Kind: "method", Callers: b.options.Callers}}
	if c.Direct {
		s.result.Kind = "operation"
	}
	if c.Alone {
		s.result.Callers = 1
	}
	switch {
	case b.options.Only != nil && !b.options.Only.MatchString(s.result.Name()):
		return
	case c.Direct && b.options.Sets[0].Plugin != nil:
		b.note("through the plugin, methods are measured; operations by themselves only in-process")
		return
	case c.Writes && b.options.Place == OwnRows:
		b.note("the tables may not be changed, so only what reads is measured")
		return
	case c.Consumes && !b.options.Place.scratch():
		b.note("%s deletes rows that were there before, so it is measured only in a scratch", s.result.Subject)
		return
	case c.Stays && !b.options.Place.scratch():
		b.note("%s leaves counts behind that nothing removes, so it is measured only in a scratch", s.result.Name())
		return
	case !c.Direct && !b.serves(c.Method):
		return
	}
	b.cases = append(b.cases, s)
}

// serves says whether all sides know a method.
func (b *bench) serves(method string) bool {
	return !slices.ContainsFunc(b.sides, func(s *side) bool { return s.methods[method] == nil })
}

// subject is the key of an operation, or service and method.
func subject(c *workload.Case, op *operation.Operation) string {
	if c.Direct && op != nil {
		return op.Key
	}
	parts := strings.Split(c.Method, "/")
	service := parts[1][strings.LastIndexByte(parts[1], '.')+1:]
	return service + "." + parts[2]
}

// tellUnmeasured names the queries that no case is about.
func (b *bench) tellUnmeasured(seen map[*operation.Operation]bool) {
	if b.options.Only != nil {
		return
	}
	for _, section := range b.options.Contract.Sections() {
		if _, ok := workload.For(section.Name); !ok {
			continue
		}
		without := 0
		for _, op := range section.Operations {
			var with []string
			for _, s := range b.sides {
				if s.queries.Statement(op) != nil {
					with = append(with, s.set.Name)
				}
			}
			switch {
			case len(with) == 0 || seen[op]:
			case len(with) < len(b.sides):
				b.note("only %s has %s, so it is not compared", strings.Join(with, " and "), op.Key)
			case b.options.Size == 0:
				without++
			default:
				b.note("%s is not measured: no call of it can be made here", op.Key)
			}
		}
		if without > 0 {
			b.note("%d queries of section %s are not measured: no call of them can be made from the keys that were given", without, section.Name)
		}
	}
}
