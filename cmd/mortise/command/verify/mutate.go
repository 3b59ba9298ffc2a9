package verify

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/internal/terminal"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database"
	"github.com/mortise-storage/mortise/storage/mutation"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/verify"
)

// breakQueries tries the mutants of all queries, or of those that --only matches.
func (v *verifier) breakQueries(ctx context.Context, config storage.Config, options verify.Options) (mutation.Report, error) {
	set, problems := query.CompileSet(options.Contract, config.Sources)
	if problems.Err() != nil {
		return mutation.Report{}, problems
	}
	equivalents, err := v.knownEquivalents(set)
	if err != nil {
		return mutation.Report{}, err
	}
	var keys []string
	if options.Only != nil {
		for _, s := range set.Statements() {
			if options.Only.MatchString(s.Operation.Key) {
				keys = append(keys, s.Operation.Key)
			}
		}
		if len(keys) == 0 {
			return mutation.Report{}, command.Misused("no query's key matches %q; with --mutate, --only picks queries", v.only)
		}
	}
	var progress *terminal.Progress
	defer func() {
		if progress != nil {
			progress.End()
		}
	}()
	return mutation.Run(ctx, mutation.Options{
		Config: config, Equivalents: equivalents, Operations: keys,
		Trial: storage.TrialOptions{Contract: options.Contract, Transaction: database.TransactionOptions{Isolation: "REPEATABLE READ",
			Settings: verify.TransactionSettings(options.StatementTimeout)}},
		Progress: func(_, total int, r mutation.Result) {
			if progress == nil {
				progress = terminal.NewProgress(v.stderr, "mutate", int64(total))
			}
			progress.Add(1, r.Operation+" "+r.Outcome.String())
		},
	})
}

// knownEquivalents reads the operator's list. Without one, what is known of the default query set counts
// for queries that have the same lines.
func (v *verifier) knownEquivalents(set *query.Set) ([]mutation.Equivalent, error) {
	if v.equivalents != "" {
		file, err := os.Open(v.equivalents)
		if err != nil {
			return nil, command.Misused("--equivalents: %w", err)
		}
		defer func() { _ = file.Close() }()
		list, err := mutation.Equivalents(file)
		if err != nil {
			return nil, command.Misused("--equivalents: %w", err)
		}
		return list, nil
	}
	mutants := mutation.Mutants(set)
	return slices.DeleteFunc(mutation.DefaultSet(), func(e mutation.Equivalent) bool {
		return !slices.ContainsFunc(mutants, func(m mutation.Mutant) bool {
			return e.Operation == m.Operation && e.Operator == m.Operator && e.Before == m.Before && e.After == m.After
		})
	}), nil
}

// mutations prints what became of the mutants.
func (p printer) mutations(r mutation.Report) error {
	header := r.Header()
	for i := range header[1:] {
		header[i+1] = ">" + header[i+1]
	}
	table := terminal.NewTable(p.w, header...)
	for _, row := range r.Rows() {
		table.Row(anys(row)...)
	}
	if err := table.Print(); err != nil {
		return err
	}
	excerpts := &terminal.Excerpts{}
	for _, m := range r.With(mutation.Survived) {
		fmt.Fprintf(p.w, "\n%s  %s  %s  %s\n", p.paint.Red("SURVIVED"), p.paint.Bold(m.Operation), m.Position, p.paint.Faint("["+m.Operator+"]"))
		if line := excerpts.Excerpt(m.Position, p.paint); line != "" {
			fmt.Fprintln(p.w, line)
		}
		fmt.Fprintf(p.w, "    before  %s\n    after   %s\n", m.Before, m.After)
		if m.Failure != "" {
			fmt.Fprintf(p.w, "    %s\n", m.Failure)
		}
	}
	for _, m := range r.With(mutation.EquivalentMutant) {
		fmt.Fprintf(p.w, "\n%s  %s  %s\n    before  %s\n    after   %s\n    %s %s\n", p.paint.Faint("equivalent"), m.Operation, m.Position, m.Before, m.After,
			p.paint.Faint("because"), m.Reason)
	}
	for _, s := range r.Stale {
		fmt.Fprintf(p.w, "\n%s  %s: %s\n", p.paint.Yellow("stale entry"), s.Equivalent, s.Why)
	}
	if len(r.Unfit) > 0 {
		fmt.Fprintf(p.w, "\n%s cases fail on the queries as they are, and were left out: %s\n", p.paint.Yellow(fmt.Sprint(len(r.Unfit))), strings.Join(r.Unfit, "; "))
	}
	_, err := fmt.Fprintf(p.w, "\n%s\n", r.Summary())
	return err
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}
