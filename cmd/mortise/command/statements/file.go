package statements

import (
	"fmt"
	"slices"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
)

// A File is an operator's file with those of its statements that could be compiled.
type File struct {
	*command.Loaded
	Set *query.Set
}

// Load reads the file that a flag names. Problems of single queries are no error here, since the others can be
// looked at all the same; a file that cannot be read at all is one: a problem.List.
func Load(path string, contract *operation.Contract) (*File, error) {
	if path == "" {
		return nil, command.Misused("no configuration file is named; give --config FILE, or set MORTISE_CONFIG")
	}
	l := command.LoadFile(path, contract)
	if l.Config == nil {
		return nil, l.Problems
	}
	set, _ := query.CompileSet(contract, l.Config.Storage.Sources)
	return &File{Loaded: l, Set: set}, nil
}

// Statement returns the statement of an operation. What is wrong with its query is returned as a problem.List;
// that there is none, as an error that says what happens without.
func (f *File) Statement(op *operation.Operation) (*query.Statement, error) {
	if statement := f.Set.Statement(op); statement != nil {
		return statement, nil
	}
	if problems := f.ProblemsOf(op); problems.Err() != nil {
		return nil, problems
	}
	text := fmt.Sprintf("%s: no query is configured for it in %s", op.Key, f.Config.File)
	if without := op.Spec.GetWithout(); without != "" {
		text += " (without it " + without + ")"
	}
	return nil, fmt.Errorf("%s; add the key, or see what it must do: mortise ops %s", text, op.Key)
}

// ProblemsOf returns what loading found about an operation's query, and about the query that its clause
// is appended to.
func (f *File) ProblemsOf(op *operation.Operation) problem.List {
	keys := []string{}
	for base := op; base != nil; base = base.Extends {
		keys = append(keys, base.Key)
	}
	var problems problem.List
	for _, found := range f.Problems {
		if slices.Contains(keys, found.Key) {
			problems = append(problems, found)
		}
	}
	return problems
}

// Connection says why the file leads to no database, or nil.
func (f *File) Connection() error {
	if f.Config.Storage.Connection != "" {
		return nil
	}
	for _, found := range f.Problems {
		if found.Severity == problem.Error && found.Key == "connection_string" {
			return problem.List{found}
		}
	}
	return fmt.Errorf("%s names no database: connection_string is missing", f.Config.File)
}
