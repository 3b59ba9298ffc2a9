package check

import (
	"fmt"
	"sort"
	"sync"

	"github.com/mortise-storage/mortise/storage/problem"
)

// A Rule is something that Mortise looks for in an operator's file or database.
type Rule struct {
	// Name is stable: it is what reports, suppressions and SARIF know the rule by.
	Name string
	// Title says in a few words what is wrong where the rule fires.
	Title string
	// Explanation says why it matters and what to do, for an operator who has the time to read.
	Explanation string
	// Severity is the one for a file that names no target; if the rule is silent there, the one for
	// the target that it is about.
	Severity problem.Severity
	// When says for which targets alone the rule is there; empty is for all: "for CockroachDB",
	// "behind a pooler".
	When string
	// Source says where the rule comes from: a page of a manual, a protocol, the contract.
	Source string
}

// level is a severity, or silence.
type level int8

const (
	silent level = iota
	info
	warning
	failure
)

// severity is defined for all levels but silent.
func (l level) severity() problem.Severity { return problem.Severity(l - 1) }

// severities say how bad it is when a rule fires: in a file for CockroachDB, behind a pooler, and in
// general. Behind a pooler the worse one of two counts.
type severities struct{ cockroach, pooler, general level }

func always(l level) severities { return severities{l, l, l} }

func (s severities) on(t Target) level {
	l := s.general
	if t.Product == CockroachDB {
		l = s.cockroach
	}
	if t.Pooler {
		l = max(l, s.pooler)
	}
	return l
}

// summary returns what documentation says of the severity, and for which targets alone it holds.
func (s severities) summary() (problem.Severity, string) {
	switch {
	case s.general != silent && s.cockroach == silent:
		return s.general.severity(), "except for CockroachDB"
	case s.general != silent:
		return s.general.severity(), ""
	case s.pooler == silent:
		return s.cockroach.severity(), "for CockroachDB"
	case s.cockroach == silent:
		return s.pooler.severity(), "behind a pooler"
	}
	return max(s.cockroach, s.pooler).severity(), "for CockroachDB, and behind a pooler"
}

// A lint is a rule of this package with what finds it: in one statement, or in the file as a whole.
type lint struct {
	Rule
	on        severities
	offline   bool // a look at the database's catalogue tells the same better
	statement func(*reading, *finder)
	file      func(*file, *finder)
}

// lints returns all rules of this package.
func lints() []*lint {
	var all []*lint
	for _, group := range [][]*lint{
		grammarLints, resultLints, parameterLints, insertLints, retryLints, sessionLints, lockLints, boundLints,
		portabilityLints, schemaLints, versionLints, trackerPeerLints, trackerLints, mediaLints, mediaQueueLints,
	} {
		all = append(all, group...)
	}
	for _, l := range all {
		l.Severity, l.When = l.on.summary()
	}
	return all
}

// assembled is what lints returns, once.
var assembled = sync.OnceValue(lints)

var registered struct {
	sync.Mutex
	rules []Rule
}

// Register adds rules of another package to those that Rules lists, for the packages that look into a
// database. It is meant for package initialisation, and panics if a name is taken.
func Register(rules ...Rule) {
	known := map[string]bool{}
	for _, r := range Rules() {
		known[r.Name] = true
	}
	registered.Lock()
	defer registered.Unlock()
	for _, r := range rules {
		if known[r.Name] {
			panic(fmt.Sprintf("check: the rule %s is there already", r.Name))
		}
		known[r.Name] = true
		registered.rules = append(registered.rules, r)
	}
}

// Rules returns every rule, sorted by name: those of this package, of the scanner, of the file's
// loader, and those that were registered.
func Rules() []Rule {
	rules := append([]Rule{}, scannerRules...)
	rules = append(rules, loaderRules...)
	for _, l := range assembled() {
		rules = append(rules, l.Rule)
	}
	registered.Lock()
	rules = append(rules, registered.rules...)
	registered.Unlock()
	sort.Slice(rules, func(i, j int) bool { return rules[i].Name < rules[j].Name })
	return rules
}

// Find returns the rule with this name, upper and lower case being the same. If there is none it
// returns the nearest name, which may be empty.
func Find(name string) (rule Rule, nearest string, ok bool) {
	var names []string
	for _, r := range Rules() {
		if fold(r.Name) == fold(name) {
			return r, r.Name, true
		}
		names = append(names, r.Name)
	}
	return Rule{}, problem.Nearest(name, names), false
}
