// Package statements is what the commands share that look at single operations: finding operations by what
// a person types, the statements of an operator's file, and the database that describes them.
package statements

import (
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// Find returns the operations that a word means: a key (tracker.peer.add_query), a key without its section or
// ending (peer.add), or all of a section or group (tracker, tracker.peer). A word that means none is wrong usage.
func Find(contract *operation.Contract, word string) ([]*operation.Operation, error) {
	if op, ok := contract.Lookup(word); ok {
		return []*operation.Operation{op}, nil
	}
	for _, means := range []func(*operation.Operation) bool{
		func(op *operation.Operation) bool { return op.Section == word },
		func(op *operation.Operation) bool { return op.Group != "" && op.Section+"."+op.Group == word },
		func(op *operation.Operation) bool { return isCalled(op, word) },
		func(op *operation.Operation) bool { return op.Group != "" && op.Group == word },
	} {
		var found []*operation.Operation
		for _, op := range contract.Operations() {
			if means(op) {
				found = append(found, op)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, unknown(contract, word)
}

// One returns the operation that a word means. A word that means none or several is wrong usage.
func One(contract *operation.Contract, word string) (*operation.Operation, error) {
	if op, ok := contract.Lookup(word); ok {
		return op, nil
	}
	var found []*operation.Operation
	var keys []string
	for _, op := range contract.Operations() {
		if isCalled(op, word) {
			found, keys = append(found, op), append(keys, op.Key)
		}
	}
	switch len(found) {
	case 0:
		return nil, unknown(contract, word)
	case 1:
		return found[0], nil
	}
	return nil, command.Misused("%s can be each of %s; give the whole key", word, strings.Join(keys, ", "))
}

// isCalled says whether a word is the operation's key without section, ending or both.
func isCalled(op *operation.Operation, word string) bool {
	withoutSection := strings.TrimPrefix(op.Key, op.Section+".")
	return word == withoutSection || word == op.Label() || word == op.Section+"."+op.Label()
}

func unknown(contract *operation.Contract, word string) error {
	var keys, names []string
	for _, op := range contract.Operations() {
		keys = append(keys, op.Key)
		names = append(names, op.Key, strings.TrimPrefix(op.Key, op.Section+"."), op.Label(), op.Section+"."+op.Label())
		if !slices.Contains(names, op.Section) {
			names = append(names, op.Section)
		}
	}
	// The likeliest whole key is the best advice, even if a shorter form is nearer.
	near := problem.Nearest(word, keys)
	if near == "" {
		near = problem.Nearest(word, names)
	}
	if near != "" {
		return command.Misused("there is no operation %q; did you mean %s? All are listed by: mortise ops", word, near)
	}
	return command.Misused("there is no operation %q; all are listed by: mortise ops", word)
}
