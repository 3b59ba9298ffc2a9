// Package query is the generic executor's knowledge of statements: it compiles an operator's SQL
// for an operation, plans by the types that the server reports how parameters are bound and columns
// are read, and carries calls.
//
// Everything is driven by the contract (package operation), so no operation is named here. The
// package must not know pools, retry or domains: it never opens a connection, and sends nothing by
// itself. Package database does that with what is planned here.
package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise/api/mortise/annotation"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query/sqltext"
)

// A Source is what the operator wrote for one operation.
type Source struct {
	// SQL is the query or clause.
	SQL string
	// Locate maps a byte offset in SQL to the place in the operator's file; nil means unknown.
	Locate func(offset int) problem.Position
	// Columns renames result columns: the contract's name to the query's.
	Columns map[string]string
	// Timeout is the operator's limit for a call; 0 means the contract's, or the general one.
	Timeout time.Duration
	// MaxRows replaces the contract's bound on affected rows; nil keeps it, 0 lifts it.
	MaxRows *int64
}

func (s Source) locate(offset int) problem.Position {
	if s.Locate == nil {
		return problem.Position{}
	}
	return s.Locate(offset)
}

// Sources are an operator's queries by the operations' keys.
type Sources struct {
	ByKey map[string]Source
	// Place returns the place of a key, or of the nearest thing around it that is there; it is used
	// for what is missing. nil means unknown.
	Place func(key string) problem.Position
	// Settings are the settings messages of the sections, by the sections' names. They belong to the
	// queries, so that both are replaced together.
	Settings map[string]proto.Message
}

// A Set is the compiled statements of all operations that the operator configured, and the settings
// that came with them. It is immutable but for the plans inside the statements, and is replaced as a
// whole.
type Set struct {
	statements map[*operation.Operation]*Statement
	order      []*Statement
	sections   map[string]bool
	settings   map[string]proto.Message
}

// Statement returns the statement of an operation, or nil if the operator gave no query for it.
func (s *Set) Statement(op *operation.Operation) *Statement { return s.statements[op] }

// Statements returns all statements, in the contract's order.
func (s *Set) Statements() []*Statement { return s.order }

// Serves says whether the operator's file has queries of the section.
func (s *Set) Serves(section string) bool { return s.sections[section] }

// CompileSet compiles all sources. The problems hold every mistake of every query, and what is
// missing; with an Error among them the set is not usable.
func CompileSet(contract *operation.Contract, sources Sources) (*Set, problem.List) {
	set := &Set{statements: map[*operation.Operation]*Statement{}, sections: map[string]bool{}, settings: sources.Settings}
	var problems problem.List
	for _, section := range contract.Sections() {
		if !configured(section, sources) {
			continue
		}
		set.sections[section.Name] = true
		problems = append(problems, missing(section, sources)...)
		for _, op := range section.Operations {
			source, ok := sourceOf(op, sources)
			if !ok {
				continue
			}
			statement, found := Compile(op, source)
			problems = append(problems, found...)
			if statement != nil {
				set.statements[op] = statement
				set.order = append(set.order, statement)
			}
		}
	}
	return set, problems
}

func configured(section *operation.Section, sources Sources) bool {
	return slices.ContainsFunc(section.Operations, func(op *operation.Operation) bool {
		_, ok := sources.ByKey[op.Key]
		return ok
	})
}

// sourceOf returns what is compiled for an operation: the operator's query, a clause joined to the
// query it extends, or the contract's default.
func sourceOf(op *operation.Operation, sources Sources) (Source, bool) {
	source, ok := sources.ByKey[op.Key]
	if !ok {
		if op.Spec.GetDefaultQuery() == "" {
			return Source{}, false
		}
		return Source{SQL: op.Spec.GetDefaultQuery()}, true
	}
	if op.Extends == nil {
		return source, true
	}
	base, ok := sourceOf(op.Extends, sources)
	if !ok {
		return Source{}, false
	}
	return join(base, source), true
}

// join appends a clause to a query so that places in both are still found.
func join(base, clause Source) Source {
	cut := len(sqltext.Cut(base.SQL))
	joined := clause
	joined.SQL = sqltext.Join(base.SQL, clause.SQL)
	joined.Locate = func(offset int) problem.Position {
		if offset <= cut {
			return base.locate(offset)
		}
		return clause.locate(offset - cut - 1)
	}
	joined.Columns = map[string]string{}
	for _, columns := range []map[string]string{base.Columns, clause.Columns} {
		for name, column := range columns {
			joined.Columns[name] = column
		}
	}
	return joined
}

// missing reports required queries that are not there. A group without any of its queries is off,
// but at least one profile of the section must be complete.
func missing(section *operation.Section, sources Sources) problem.List {
	place := sources.Place
	if place == nil {
		place = func(string) problem.Position { return problem.Position{} }
	}
	var problems problem.List
	used := map[string]bool{}
	for _, op := range section.Operations {
		if _, ok := sources.ByKey[op.Key]; ok {
			used[op.Group] = true
		}
	}
	for _, group := range profile(section, used) {
		used[group] = true
	}
	for _, op := range section.Operations {
		_, given := sources.ByKey[op.Key]
		if given && op.Extends != nil {
			if _, ok := sources.ByKey[op.Extends.Key]; !ok && op.Extends.Spec.GetDefaultQuery() == "" {
				problems = append(problems, problem.Problem{Severity: problem.Error, Rule: "missing-base", Position: place(op.Key), Key: op.Key,
					Message: "is appended to " + op.Extends.Key + ", which is not given", Fix: "add that query"})
			}
		}
		if given || op.Spec.GetNeed() != annotation.Need_REQUIRED || !used[op.Group] || replaced(op, sources) {
			continue
		}
		problems = append(problems, problem.Problem{Severity: problem.Error, Rule: "missing-query", Position: place(op.Key), Key: op.Key,
			Message: "this query is required and missing", Fix: fmt.Sprintf("add it; its parameters are %s", parameterList(op))})
	}
	return problems
}

// profile chooses the profile that the operator seems to mean: the one of which most groups are
// used. The groups of a profile that is not touched at all are not demanded.
func profile(section *operation.Section, used map[string]bool) []string {
	var best []string
	most := 0
	for _, groups := range section.Profiles {
		n := 0
		for _, group := range groups {
			if used[group] {
				n++
			}
		}
		if n > most {
			best, most = groups, n
		}
	}
	if best == nil && len(section.Profiles) > 0 {
		return section.Profiles[0]
	}
	return best
}

func replaced(op *operation.Operation, sources Sources) bool {
	unless := op.Spec.GetUnless()
	return len(unless) > 0 && !slices.ContainsFunc(unless, func(key string) bool {
		_, ok := sources.ByKey[key]
		return !ok
	})
}

func parameterList(op *operation.Operation) string {
	if len(op.Parameters) == 0 {
		return "none"
	}
	parts := make([]string, len(op.Parameters))
	for i, p := range op.Parameters {
		parts[i] = "@" + p.Name + ":" + p.TypeName()
	}
	return strings.Join(parts, ", ")
}
