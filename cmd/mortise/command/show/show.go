// Package show is the command that shows what exactly is sent for an operation.
package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var s shower
	cmd := &cobra.Command{
		Use:   "show [OPERATION ...]",
		Short: "Show what is sent: the statement, its arguments, types and result",
		Long: "Show what exactly is sent for operations, or for all that are configured: the statement with its tag and\n" +
			"row bound, what each $n stands for, the types that the database gives parameters and columns, limits, and\n" +
			"how it is prepared. No query is run. A section or group stands for all its operations.\n\n" +
			"--sql prints the statement only, for example to run it in a transaction of the host's own;\n" +
			"--psql prints a PREPARE and an EXECUTE with made-up values that can be pasted into psql.",
		Example: "  mortise show tracker.peer.add_query --config queries.yaml\n" +
			"  mortise show tracker.announce -c queries.yaml --offline\n" +
			"  mortise show peer.add -c queries.yaml --psql | psql",
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return in.CompleteOperations(cmd, nil, word) // there may be several
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return s.run(ctx, in, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	cmd.Flags().BoolVar(&s.sql, "sql", false, "print the statement only")
	cmd.Flags().BoolVar(&s.psql, "psql", false, "print PREPARE and EXECUTE, for psql")
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&s.offline, "offline", false, "only what is known without a database")
	cmd.Flags().DurationVar(&s.timeout, "timeout", 30*time.Second, "how long the database may take")
	cmd.MarkFlagsMutuallyExclusive("sql", "psql", "json")
	cmd.MarkFlagsMutuallyExclusive("psql", "offline")
	return cmd
}

// A shower is the command's flags.
type shower struct {
	sql, psql, json, offline bool
	timeout                  time.Duration
}

func (s shower) run(ctx context.Context, in command.Input, words []string, stdout, stderr io.Writer) error {
	contract, err := in.Contract(ctx)
	if err != nil {
		return err
	}
	file, err := statements.Load(in.Config, contract)
	if err != nil {
		return s.failed(err, stdout, stderr)
	}
	var asked []*operation.Operation
	for _, word := range words {
		found, err := statements.Find(contract, word)
		if err != nil {
			return err
		}
		for _, op := range found {
			if !slices.Contains(asked, op) {
				asked = append(asked, op)
			}
		}
	}
	views, problems, err := s.views(ctx, file, asked, len(words) == 0, mortise.NewLogger(stderr, slog.LevelError))
	if err != nil {
		return s.failed(err, stdout, stderr)
	}
	if err := s.print(views, problems, stdout, stderr); err != nil {
		return command.Failed(err)
	}
	if problems.Err() != nil {
		return command.Found()
	}
	return nil
}

// views looks at the operations that are asked for; all says that those are what is configured.
func (s shower) views(ctx context.Context, file *statements.File, asked []*operation.Operation, all bool, logger *slog.Logger) ([]*view, problem.List, error) {
	views, problems, err := choose(file, asked, all)
	if err != nil || s.offline {
		for _, v := range views {
			v.offline()
		}
		return views, problems, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	session, err := file.Open(ctx, logger)
	if err != nil {
		return nil, nil, err
	}
	defer session.Close()
	found, err := describe(ctx, session, views)
	return views, append(problems, found...), err
}

// choose makes the views. Among several operations those without a query are left out; that one is asked for
// by itself and has none is an error. A query that cannot be compiled is a problem.
func choose(file *statements.File, asked []*operation.Operation, all bool) ([]*view, problem.List, error) {
	if all {
		asked = file.Contract.Operations()
	}
	var views []*view
	var problems problem.List
	var missing error
	for _, op := range asked {
		statement, err := file.Statement(op)
		switch {
		case err == nil:
			views = append(views, newView(file, statement))
		case problem.From(err) != nil:
			problems = appendNew(problems, problem.From(err), all)
		default:
			missing = err
		}
	}
	if len(views) > 0 || len(problems) > 0 {
		return views, problems, nil
	}
	switch {
	case missing == nil || all:
		return nil, nil, fmt.Errorf("%s has no queries to show", file.Config.File)
	case len(asked) == 1:
		return nil, nil, missing
	}
	return nil, nil, fmt.Errorf("%s has no query for any of these; see what is configured: mortise ops --config %s", file.Config.File, file.Config.File)
}

// appendNew adds problems that are not there yet: a query and its clauses share theirs. What is missing is left
// out where nobody asked for it.
func appendNew(problems, found problem.List, present bool) problem.List {
	for _, p := range found {
		if !slices.Contains(problems, p) && !(present && p.Rule == "missing-query") {
			problems = append(problems, p)
		}
	}
	return problems
}

// failed ends the command because of an error that leaves nothing to show. Problems are printed as such.
func (s shower) failed(err error, stdout, stderr io.Writer) error {
	var ended *command.Exit
	if errors.As(err, &ended) && ended.Status == command.Usage {
		return err
	}
	problems := problem.From(err)
	switch {
	case s.json && problems == nil:
		problems = problem.List{{Severity: problem.Error, Rule: "show", Message: err.Error()}}
	case problems == nil:
		return command.Failed(err)
	}
	if !s.json {
		terminal.PrintProblems(stderr, problems)
	} else if err := printJSON(stdout, nil, problems); err != nil {
		return command.Failed(err)
	}
	return command.Found()
}

func (s shower) print(views []*view, problems problem.List, stdout, stderr io.Writer) error {
	var err error
	switch {
	case s.json:
		return printJSON(stdout, views, problems)
	case s.sql:
		err = printSQL(stdout, views)
	case s.psql:
		err = printPsql(stdout, views)
	default:
		err = printViews(stdout, views)
	}
	terminal.PrintProblems(stderr, problems)
	return err
}
