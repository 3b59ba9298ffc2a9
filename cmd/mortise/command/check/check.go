// Package check is the command that tells what is wrong with an operator's file.
package check

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/problem"
)

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var c checker
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the operator's file, and every query against the database",
		Long: "Check the operator's file, and every query against the database: does it prepare, are its\n" +
			"parameters used, are the columns there, do the types fit. No query is run.\n\n" +
			"The exit status is 0 if all is fine, 1 if there are problems, 2 for wrong usage.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return c.run(ctx, in, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	cmd.Flags().BoolVar(&c.offline, "offline", false, "only what can be checked without a database")
	cmd.Flags().BoolVar(&c.strict, "strict", false, "fail on warnings, too")
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	cmd.Flags().DurationVar(&c.timeout, "timeout", 30*time.Second, "how long the database may take")
	return cmd
}

// A checker is the command's flags.
type checker struct {
	offline, strict, json bool
	timeout               time.Duration
}

func (c checker) run(ctx context.Context, in command.Input, stdout, stderr io.Writer) error {
	l, err := in.Load(ctx)
	if err != nil {
		return err
	}
	problems, server := l.Problems, ""
	if !c.offline && problems.Err() == nil {
		var found problem.List
		found, server = c.online(ctx, l, mortise.NewLogger(stderr, slog.LevelError))
		problems = append(problems, found...)
		problems.Sort()
	}
	if c.json {
		err = printJSON(stdout, problems, server)
	} else {
		err = printReport(stdout, problems, server)
	}
	if err != nil {
		return command.Failed(err)
	}
	least := problem.Error
	if c.strict {
		least = problem.Warning
	}
	if problems.Count(least) > 0 {
		return command.Found()
	}
	return nil
}

// online asks the database about every query. It returns what the database is, too.
func (c checker) online(ctx context.Context, l *command.Loaded, logger *slog.Logger) (problem.List, string) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	s, err := storage.Open(ctx, l.Config.Storage, storage.Options{Contract: l.Contract, Logger: logger, Schema: mortise.Schema, Quiet: true})
	if err != nil {
		if list := problem.From(err); list != nil {
			return list, ""
		}
		return unreachable(l, err.Error()), ""
	}
	defer s.Close()
	select {
	case <-s.Attempted():
	case <-ctx.Done():
	}
	if state, reason := s.Health(ctx); state == storage.Degraded {
		return unreachable(l, reason), ""
	}
	problems, err := s.Settled(ctx)
	if err != nil {
		return unreachable(l, err.Error()), ""
	}
	server, _, target := s.About()
	return problems, server + ", " + target
}

func unreachable(l *command.Loaded, reason string) problem.List {
	return problem.List{{Severity: problem.Error, Rule: "database", Position: problem.Position{File: l.Config.File},
		Key: "connection_string", Message: reason, Fix: "check that the database runs and can be reached, or use --offline"}}
}
