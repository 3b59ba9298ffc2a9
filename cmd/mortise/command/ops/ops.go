// Package ops is the command that lists the operations of the contract, and shows what each must do.
package ops

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/api"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/internal/reference"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var l lister
	cmd := &cobra.Command{
		Use:   "ops [SECTION|GROUP|OPERATION]",
		Short: "List all operations, or show what one must do",
		Long: "List all operations of the contract, or those of a section or group; with an operation's key, show what its\n" +
			"query must do: parameters, result, rules, and the keys that it may have in the file.\n\n" +
			"With --config: which of them the operator's file has a query for, and where.",
		Example: "  mortise ops\n  mortise ops tracker.peer --config queries.yaml\n  mortise ops tracker.peer.add_query",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			keys, directive := in.CompleteOperations(cmd, args, word)
			return append(keys, groups(keys)...), directive
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return l.run(ctx, in, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	cmd.Flags().BoolVar(&l.json, "json", false, "print JSON")
	return cmd
}

// groups are the sections and groups of keys, each once.
func groups(keys []string) []string {
	var names []string
	for _, key := range keys {
		parts := strings.Split(key, ".")
		for n := 1; n < len(parts); n++ {
			if name := strings.Join(parts[:n], "."); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// A lister is the command's flags.
type lister struct {
	json bool
}

func (l lister) run(ctx context.Context, in command.Input, args []string, stdout, stderr io.Writer) error {
	contract, err := in.Contract(ctx)
	if err != nil {
		return err
	}
	chosen, single := contract.Operations(), false
	if len(args) > 0 {
		if chosen, err = statements.Find(contract, args[0]); err != nil {
			return err
		}
		_, err := statements.One(contract, args[0])
		single = err == nil && len(chosen) == 1
	}
	comments, err := reference.ReadComments(api.Sources)
	if err != nil {
		return command.Failed(err)
	}
	c := &catalogue{contract: contract, comments: comments, further: in.Contracts}
	if in.Config != "" {
		loaded := command.LoadFile(in.Config, contract)
		if loaded.Config == nil {
			terminal.PrintProblems(stderr, loaded.Problems)
			return command.Found()
		}
		c.file = &statements.File{Loaded: loaded}
	}
	chosen = byGroup(contract, chosen)
	entries := make([]*entry, len(chosen))
	for i, op := range chosen {
		entries[i] = c.entry(op)
	}
	if err := l.print(stdout, c, entries, single); err != nil {
		return command.Failed(err)
	}
	return c.verdict(entries, stderr)
}

// byGroup brings the operations of a group together, where the contract declares them apart.
func byGroup(contract *operation.Contract, chosen []*operation.Operation) []*operation.Operation {
	first := map[string]int{}
	for i, op := range contract.Operations() {
		if _, seen := first[op.Section+"."+op.Group]; !seen {
			first[op.Section+"."+op.Group] = i
		}
	}
	sorted := slices.Clone(chosen)
	slices.SortStableFunc(sorted, func(a, b *operation.Operation) int {
		return first[a.Section+"."+a.Group] - first[b.Section+"."+b.Group]
	})
	return sorted
}

func (l lister) print(w io.Writer, c *catalogue, entries []*entry, single bool) error {
	switch {
	case l.json:
		return printJSON(w, c, entries)
	case single:
		return printCard(w, entries[0])
	}
	return printTable(w, c, entries)
}

// verdict is the problem status if the operator's file lacks what it needs, or has a query that cannot be used.
func (c *catalogue) verdict(entries []*entry, stderr io.Writer) error {
	if c.file == nil {
		return nil
	}
	bad := 0
	for _, e := range entries {
		if e.State == stateMissing || e.State == stateBroken {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	_, err := fmt.Fprintf(stderr, "%s: %d of these operations need a query, or one that is right; the details are told by: mortise check --config %s\n",
		c.file.Config.File, bad, c.file.Config.File)
	if err != nil {
		return command.Failed(err)
	}
	return command.Found()
}

// broken says whether something is wrong with the operation's query.
func broken(problems problem.List, op *operation.Operation) bool {
	return slices.ContainsFunc(problems, func(p problem.Problem) bool {
		return p.Key == op.Key && p.Severity == problem.Error && p.Rule != "missing-query"
	})
}
