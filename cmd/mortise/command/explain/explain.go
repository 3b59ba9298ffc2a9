// Package explain is the command that shows how the server answers each query: its plans with and without
// the arguments, how long they take, and what a database administrator would say of them.
//
// Asking and judging is package storage/explain's; here are the flags and the print.
package explain

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage/explain"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// defaultRuns is how often a plan is run: the median of five is not moved by two that were disturbed.
const defaultRuns = 5

// budget is how long the repetitions of one plan may take together. A query that takes a second alone
// is known well enough after two runs.
const budget = 2 * time.Second

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var e explainer
	cmd := &cobra.Command{
		Use:   "explain [OPERATION ...] [--param name=value ...]",
		Short: "Show the plan of each query, what it costs, and what to improve",
		Long: "Show the plan of each query, the one for its arguments and the one that does not depend on them, how\n" +
			"long both take, and what to improve. An OPERATION is a key, a group or a section; without any, all\n" +
			"queries of the file are explained, and indexes that none of them uses are told.\n\n" +
			"Arguments that are not given are taken from the rows of the tables that the query names: once from a\n" +
			"row with the most common value, and once from a typical row. Where they are from is shown; the values\n" +
			"themselves, and the constants in conditions, only with --values.\n\n" +
			"Every query is run, five times or as often as fits into two seconds, writes as well, in a transaction\n" +
			"that is rolled back. What a rollback does not undo: sequences move on, rows that were written leave\n" +
			"space for vacuum, and functions or triggers of yours may reach out of the transaction. --no-run leaves\n" +
			"the running out, and shows estimates only.\n\n" +
			"The exit status is 0 if all was explained, with advice or without; 1 if the server refuses a query or\n" +
			"cannot be asked; 2 for wrong usage.",
		Example: "  mortise explain --config queries.yaml\n" +
			"  mortise explain announce -c queries.yaml --values\n" +
			"  mortise explain tracker.data.get_query -c queries.yaml -p context=approved --no-run",
		ValidArgsFunction: in.CompleteOperations,
		RunE: func(cmd *cobra.Command, args []string) error {
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return e.run(ctx, in, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVarP(&e.given, "param", "p", nil, "a parameter's value, as name=value (repeatable); what is not given is sampled")
	flags.BoolVar(&e.noRun, "no-run", false, "estimates only: run nothing")
	flags.IntVar(&e.runs, "runs", defaultRuns, "how often each plan is run; the median is shown")
	flags.BoolVar(&e.values, "values", false, "show the arguments, and the constants in conditions")
	flags.BoolVar(&e.json, "json", false, "print JSON")
	flags.DurationVar(&e.timeout, "timeout", 10*time.Second, "how long one run may take")
	return cmd
}

// An explainer is the command's flags.
type explainer struct {
	given        []string
	noRun        bool
	runs         int
	values, json bool
	timeout      time.Duration
}

// An outcome is what was found out.
type outcome struct {
	file     string
	server   string
	reports  []*explain.Report
	problems problem.List // what is not about one operation
	values   bool
	run      bool
}

func (e explainer) run(ctx context.Context, in command.Input, args []string, stdout, stderr io.Writer) error {
	if e.runs < 1 || e.timeout <= 0 {
		return command.Misused("--runs and --timeout must be more than 0")
	}
	contract, err := in.Contract(ctx)
	if err != nil {
		return err
	}
	file, err := statements.Load(in.Config, contract)
	if list := problem.From(err); list != nil {
		return e.broken(list, stdout)
	}
	if err != nil {
		return err
	}
	chosen, err := choose(file, args)
	if list := problem.From(err); list != nil {
		return e.broken(list, stdout)
	}
	if err != nil {
		return err
	}
	given, err := e.parameters(chosen)
	if err != nil {
		return err
	}
	o := &outcome{file: in.Config, values: e.values, run: !e.noRun}
	if len(args) == 0 {
		o.problems = errorsOf(file.Problems)
	}
	if err := e.ask(ctx, o, file, chosen, given, len(args) == 0, stderr); err != nil {
		return explained(ctx, err)
	}
	if e.json {
		err = o.printJSON(stdout)
	} else {
		err = o.print(stdout, terminal.Width(stdout))
	}
	if err != nil {
		return command.Failed(err)
	}
	if o.all().Count(problem.Error) > 0 {
		return command.Found()
	}
	return nil
}

// broken shows what is wrong with the file.
func (e explainer) broken(list problem.List, stdout io.Writer) error {
	o := &outcome{problems: list}
	var err error
	if e.json {
		err = o.printJSON(stdout)
	} else {
		terminal.PrintProblems(stdout, list)
	}
	if err != nil {
		return command.Failed(err)
	}
	return command.Found()
}

func errorsOf(list problem.List) problem.List {
	var errs problem.List
	for _, p := range list {
		if p.Severity == problem.Error {
			errs = append(errs, p)
		}
	}
	return errs
}

// choose returns the statements that the words mean, all if there is none.
func choose(file *statements.File, words []string) ([]*query.Statement, error) {
	if len(words) == 0 {
		if all := file.Set.Statements(); len(all) > 0 {
			return all, nil
		}
		if file.Problems.Err() != nil {
			return nil, errorsOf(file.Problems)
		}
		return nil, command.Misused("%s has no query", file.Config.File)
	}
	var chosen []*query.Statement
	seen := map[*operation.Operation]bool{}
	for _, word := range words {
		operations, err := statements.Find(file.Contract, word)
		if err != nil {
			return nil, err
		}
		for _, op := range operations {
			st, err := file.Statement(op)
			if err != nil && len(operations) > 1 && problem.From(err) == nil {
				continue // of a group, what is there
			}
			if err != nil {
				if problem.From(err) == nil {
					err = command.Failed(err)
				}
				return nil, err
			}
			if !seen[op] {
				seen[op] = true
				chosen = append(chosen, st)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, command.Misused("%s has no query for %s", file.Config.File, strings.Join(words, ", "))
	}
	return chosen, nil
}

// parameters reads the values that are given, for each operation that has a parameter of that name.
func (e explainer) parameters(chosen []*query.Statement) (map[*operation.Parameter]operation.Value, error) {
	given := map[*operation.Parameter]operation.Value{}
	for _, word := range e.given {
		name, text, ok := strings.Cut(word, "=")
		if !ok {
			return nil, command.Misused("--param needs name=value")
		}
		name = strings.TrimPrefix(name, "@")
		var names []string
		found := false
		for _, st := range chosen {
			names = append(names, st.Operation.ParameterNames()...)
			p := st.Operation.Parameter(name)
			if p == nil {
				continue
			}
			found = true
			v, err := literal.Parse(p, text)
			if err != nil {
				return nil, command.Misused("--param %s: %w (for %s)", name, err, st.Operation.Key)
			}
			if rule := explain.Broken(st.Operation, p, v); rule != "" {
				return nil, command.Misused("--param %s: it %s (for %s)", name, rule, st.Operation.Key)
			}
			given[p] = v
		}
		if !found {
			if near := problem.Nearest(name, names); near != "" {
				return nil, command.Misused("--param %s: there is no such parameter; did you mean %s?", name, near)
			}
			return nil, command.Misused("--param %s: there is no such parameter", name)
		}
	}
	return given, nil
}

// ask fills the outcome.
func (e explainer) ask(ctx context.Context, o *outcome, file *statements.File, chosen []*query.Statement,
	given map[*operation.Parameter]operation.Value, complete bool, stderr io.Writer) error {
	reached, err := file.Open(ctx, mortise.NewLogger(stderr, slog.LevelError))
	if err != nil {
		return err
	}
	defer reached.Close()
	o.server = reached.Server.String()
	conn, err := reached.Dial(ctx, func(*pgconn.Notice) {})
	if err != nil {
		return err
	}
	undisturbed := context.WithoutCancel(ctx)
	defer func() { _ = conn.Close(undisturbed) }()
	s, err := explain.Open(ctx, conn)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close(undisturbed) }()
	progress := terminal.NewProgress(stderr, "explaining", int64(len(chosen)))
	defer progress.End()
	sampler, err := explain.NewSampler(ctx, s, file.Set.Statements(), given)
	if err != nil {
		return err
	}
	options := explain.Options{Analyze: !e.noRun, Runs: e.runs, Budget: budget, Timeout: e.timeout, Values: e.values}
	for _, st := range chosen {
		report, err := s.Examine(ctx, sampler, st, options)
		if err != nil {
			return err
		}
		o.reports = append(o.reports, report)
		progress.Add(1, st.Operation.Key)
	}
	tables, err := s.Advise(ctx, o.reports, complete)
	o.problems = append(o.problems, tables...)
	return err
}

// explained makes an error fit to be shown.
func explained(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return command.Failed(errors.New("interrupted; everything was rolled back"))
	}
	var ended *command.Exit
	if errors.As(err, &ended) {
		return err
	}
	return command.Failed(err)
}

// all is what is told of operations and tables, in the order of the file.
func (o *outcome) all() problem.List {
	list := append(problem.List{}, o.problems...)
	for _, r := range o.reports {
		list = append(list, r.Problems...)
	}
	list.Sort()
	return list
}
