// Package verify is the command that tries the operator's queries out on the operator's own tables, and
// tells which sentences of the contract do not hold.
package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/mutation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/verify"
)

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var v verifier
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Try out whether the queries do what the contract says",
		Long: "Try out, on the operator's own tables, whether the queries do what the contract says: every case of\n" +
			"the conformance suite is run with random keys, beside decoys that differ in one part of the key.\n\n" +
			"Everything happens in a transaction that is never committed, so the tables are the same afterwards,\n" +
			"even if the command is killed; only numbers drawn from sequences stay drawn. Row locks last one case.\n" +
			"With --scratch a schema of its own is used instead, for databases whose triggers reach outside, and\n" +
			"cases with several callers then race on several connections.\n\n" +
			"A case that fails is an error. An ability that is lacking is a deviation: a warning, unless the\n" +
			"contract leaves it to the operator.\n\n" +
			"The exit status is 0 if all is fine, 1 if there are errors (with --strict: or deviations), 2 for wrong\n" +
			"usage.",
		Example: "  mortise verify --config queries.yaml\n" +
			"  mortise verify --config queries.yaml --only peer.graduate\n" +
			"  mortise verify --config queries.yaml --scratch --schema schema.sql\n" +
			"  mortise verify --config queries.yaml --mutate --only downloads",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.stdout, v.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error { return v.run(ctx, in) })
		},
	}
	in.Flags(cmd)
	v.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("only", func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return in.CompleteOperations(cmd, nil, prefix)
	})
	return cmd
}

// A verifier is the command's flags, and where it prints.
type verifier struct {
	json, strict, scratch, mutate bool
	only, schema, equivalents     string
	timeout, statementTimeout     time.Duration

	stdout, stderr io.Writer
}

func (v *verifier) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&v.json, "json", false, "print JSON, with everything")
	flags.BoolVar(&v.strict, "strict", false, "fail on deviations and warnings, too")
	flags.StringVar(&v.only, "only", "", "only cases whose name or operation matches this regular expression")
	flags.BoolVar(&v.scratch, "scratch", false, "use a schema of its own, which is dropped in the end, instead of a transaction")
	flags.StringVar(&v.schema, "schema", "", "with --scratch: a script that makes the tables; without it those that the queries name are cloned")
	flags.BoolVar(&v.mutate, "mutate", false, "break each query on purpose, one small change at a time, and tell what no case notices")
	flags.StringVar(&v.equivalents, "equivalents", "", "with --mutate: a list of changes that make no difference, with the reasons (YAML)")
	flags.DurationVar(&v.timeout, "timeout", 10*time.Minute, "how long all may take; with --mutate six times that")
	flags.DurationVar(&v.statementTimeout, "statement-timeout", 30*time.Second, "how long one statement may take")
	_ = cmd.MarkFlagFilename("schema", "sql")
	_ = cmd.MarkFlagFilename("equivalents", "yaml", "yml")
}

func (v *verifier) run(ctx context.Context, in command.Input) error {
	options, err := v.options()
	if err != nil {
		return err
	}
	l, err := in.Load(ctx)
	if err != nil {
		return err
	}
	if l.Problems.Err() != nil {
		return v.refuse(l.Problems)
	}
	options.Contract = l.Contract
	options.Logger = slog.New(slog.DiscardHandler) // what goes wrong with a call is part of the report
	ctx, cancel := context.WithTimeoutCause(ctx, v.limit(), fmt.Errorf("--timeout (%s) is over", v.limit()))
	defer cancel()
	database, err := l.Reach(ctx, mortise.NewLogger(v.stderr, slog.LevelError))
	if err != nil {
		return v.fail(err)
	}
	defer database.Close()
	config := l.Config.Storage
	config.Connection, config.ListenConnection = database.ConnString, ""
	if v.mutate {
		return v.mutations(ctx, config, options)
	}
	return v.verify(ctx, l, config, options)
}

func (v *verifier) limit() time.Duration {
	if v.mutate {
		return 6 * v.timeout
	}
	return v.timeout
}

// options reads the flags.
func (v *verifier) options() (verify.Options, error) {
	options := verify.Options{Scratch: v.scratch, StatementTimeout: v.statementTimeout}
	switch {
	case v.schema != "" && !v.scratch:
		return options, command.Misused("--schema is for --scratch")
	case v.equivalents != "" && !v.mutate:
		return options, command.Misused("--equivalents is for --mutate")
	case v.scratch && v.mutate:
		return options, command.Misused("--mutate works in transactions that are rolled back; it cannot be combined with --scratch")
	case v.timeout <= 0 || v.statementTimeout <= 0:
		return options, command.Misused("--timeout and --statement-timeout must be more than 0")
	}
	if v.only != "" {
		pattern, err := regexp.Compile(v.only)
		if err != nil {
			return options, command.Misused("--only: %w", err)
		}
		options.Only = pattern
	}
	if v.schema != "" {
		script, err := command.ReadSchema(v.schema)
		if err != nil {
			return options, err
		}
		options.Schema = script
	}
	return options, nil
}

// verify runs the suite.
func (v *verifier) verify(ctx context.Context, l *command.Loaded, config storage.Config, options verify.Options) error {
	var progress *terminal.Progress
	total := 0
	options.Progress = func(s verify.Step) {
		if progress == nil || s.Total != total {
			if progress != nil {
				progress.End()
			}
			progress, total = terminal.NewProgress(v.stderr, "verify", int64(s.Total)), s.Total
			progress.Add(int64(s.Done-1), "")
		}
		progress.Add(1, s.Name)
	}
	report, err := verify.Run(ctx, config, options)
	if progress != nil {
		progress.End()
	}
	if err != nil {
		if problems := problem.From(err); problems != nil {
			return v.refuse(problems)
		}
		return v.fail(err)
	}
	if v.json {
		err = printJSON(v.stdout, jsonReport{File: l.Config.File, Report: report, Verdict: verdictOf(report, v.strict)})
	} else {
		err = printer{w: v.stdout, paint: terminal.NewPainter(v.stdout), width: terminal.Width(v.stdout)}.report(l.Config.File, report, v.strict)
	}
	if err != nil {
		return command.Failed(err)
	}
	if report.Failed() || (v.strict && report.Deviates()) {
		return command.Found()
	}
	return nil
}

// mutations runs the suite on broken queries.
func (v *verifier) mutations(ctx context.Context, config storage.Config, options verify.Options) error {
	report, err := v.breakQueries(ctx, config, options)
	if err != nil {
		if problems := problem.From(err); problems != nil {
			return v.refuse(problems)
		}
		var misused *command.Exit
		if errors.As(err, &misused) {
			return err
		}
		return v.fail(err)
	}
	if v.json {
		err = printJSON(v.stdout, report)
	} else {
		err = printer{w: v.stdout, paint: terminal.NewPainter(v.stdout), width: terminal.Width(v.stdout)}.mutations(report)
	}
	if err != nil {
		return command.Failed(err)
	}
	if report.Count(mutation.Survived) > 0 || len(report.Results) == 0 || (v.strict && !report.OK()) {
		return command.Found()
	}
	return nil
}

// refuse prints problems because of which nothing was run.
func (v *verifier) refuse(problems problem.List) error {
	if v.json {
		if err := printJSON(v.stdout, map[string]any{"problems": problems, "verdict": "not run"}); err != nil {
			return command.Failed(err)
		}
		return command.Found()
	}
	terminal.PrintProblems(v.stdout, problems)
	fmt.Fprintf(v.stdout, "\nnothing was run (errors: %d)\n", problems.Count(problem.Error))
	if undefinedTables(problems) {
		fmt.Fprintln(v.stdout, "are the tables there? mortise init applies a schema; connection_string and search_path say where it is looked for")
	}
	return command.Found()
}

// fail ends the command because the database cannot be used.
func (v *verifier) fail(err error) error {
	if v.json {
		if printed := printJSON(v.stdout, map[string]any{"error": err.Error(), "verdict": "not run"}); printed != nil {
			return command.Failed(printed)
		}
		return command.Found()
	}
	return command.Failed(err)
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
