// Package check is the command that tells what is wrong with an operator's file: what its texts show,
// what the database says when it describes the queries, and what its catalogue and planner know. No
// query is run.
package check

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/storage/check"
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
			"parameters used, are the columns there, do the types fit, can the planner find an index, does a\n" +
			"unique key keep rows from being stored twice, and what else is known to go wrong. No query is run.\n\n" +
			"The exit status is 0 if all is fine, 1 if there are problems (errors; with --strict warnings, too),\n" +
			"2 for wrong usage. What is merely worth knowing never fails.",
		Example: "  mortise check -c queries.yaml\n" +
			"  mortise check -c queries.yaml --offline --strict\n" +
			"  mortise check -c queries.yaml --target 'cockroachdb 24.1' --offline\n" +
			"  mortise check -c queries.yaml --format sarif > mortise.sarif\n" +
			"  mortise check --explain T03",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && c.explain != listRules {
				return command.Misused("unexpected argument %q; the file is named with --config", args[0])
			}
			if cmd.Flags().Changed("explain") {
				return c.printRules(cmd.OutOrStdout(), append(args, c.explain)[0])
			}
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return c.run(ctx, in, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	c.flags(cmd)
	return cmd
}

// A checker is the command's flags.
type checker struct {
	offline, strict, json          bool
	format, level, target, explain string
	timeout                        time.Duration
}

func (c *checker) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&c.offline, "offline", false, "only what can be checked without a database")
	flags.BoolVar(&c.strict, "strict", false, "fail on warnings, too")
	flags.BoolVar(&c.json, "json", false, "the same as --format json")
	flags.StringVar(&c.format, "format", "text", "text, json, or sarif (SARIF 2.1.0, for code review tools)")
	flags.StringVar(&c.level, "level", "info", "the least severity that is shown: info, warning or error; the exit status does not depend on it")
	flags.StringVar(&c.target, "target", "", "what the file is written for, instead of its key target: 'postgres 15', 'cockroachdb 24.1', 'postgres pooler'")
	flags.StringVar(&c.explain, "explain", "", "explain a rule; without one, list all")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long the database may take")
	flags.Lookup("explain").NoOptDefVal = listRules
	for flag, words := range map[string][]string{"format": {"text", "json", "sarif"}, "level": {"info", "warning", "error"}} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = cmd.RegisterFlagCompletionFunc("explain", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, rule := range check.Rules() {
			names = append(names, rule.Name+"\t"+rule.Title)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// run checks one file and prints what was found.
func (c checker) run(ctx context.Context, in command.Input, stdout, stderr io.Writer) error {
	least, err := c.usage()
	if err != nil {
		return err
	}
	l, err := in.Load(ctx)
	if err != nil {
		return err
	}
	found := c.collect(ctx, l, mortise.NewLogger(stderr, slog.LevelError))
	if err := c.print(stdout, found, least); err != nil {
		return command.Failed(err)
	}
	fatal := problem.Error
	if c.strict {
		fatal = problem.Warning
	}
	if found.problems.Count(fatal) > 0 {
		return command.Found()
	}
	return nil
}

// usage checks the flags, and returns the least severity to show.
func (c *checker) usage() (problem.Severity, error) {
	if c.json {
		if c.format != "text" && c.format != "json" {
			return 0, command.Misused("--json and --format %s cannot both be meant", c.format)
		}
		c.format = "json"
	}
	switch c.format {
	case "text", "json", "sarif":
	default:
		return 0, command.Misused("--format %s is not known; possible are text, json and sarif", c.format)
	}
	if _, err := check.ParseTarget(c.target); err != nil {
		return 0, command.Misused("--target: %w", err)
	}
	for _, severity := range []problem.Severity{problem.Info, problem.Warning, problem.Error} {
		if severity.String() == c.level {
			return severity, nil
		}
	}
	return 0, command.Misused("--level %s is not known; possible are info, warning and error", c.level)
}
