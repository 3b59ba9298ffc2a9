// Package run is the command that runs one operation by hand.
//
// It sends what the service would send: the same statement with its row bound, the same binding and the
// same mapping of the result. Only the transaction around it is the command's own, so that it can be
// rolled back.
package run

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/statements"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
	"github.com/mortise-storage/mortise/storage/query"
	"github.com/mortise-storage/mortise/storage/query/literal"
)

// New makes the command.
func New() *cobra.Command {
	var in command.Input
	var r runner
	cmd := &cobra.Command{
		Use:   "run OPERATION [--param name=value ...]",
		Short: "Run one operation by hand; rolled back unless --commit",
		Long: "Run one operation by hand, with the operator's query, as the plugin runs it. The transaction is\n" +
			"rolled back, unless --commit is given. What the service derives (the time of the call, the family of\n" +
			"an address) is derived here, too; optional parameters that are not given are NULL.\n\n" +
			"Values: bytes are hexadecimal, or text:WORD for UTF-8; times are RFC 3339, Unix seconds, now, or\n" +
			"now-31m; lists are separated by commas; null is NULL where that is allowed.\n\n" +
			"The exit status is 0 if it ran, 1 if it failed, 2 for wrong usage.",
		Example: "  mortise run tracker.peer.count_query --config queries.yaml\n" +
			"  mortise run tracker.data.get_query -c queries.yaml -p context=approved -p key=text:name",
		Args:              oneOperation,
		ValidArgsFunction: in.CompleteOperations,
		RunE: func(cmd *cobra.Command, args []string) error {
			return command.WithSignals(cmd.Context(), func(ctx context.Context) error {
				return r.run(ctx, in, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	in.Flags(cmd)
	cmd.Flags().StringArrayVarP(&r.given, "param", "p", nil, "a parameter's value, as name=value (repeatable)")
	cmd.Flags().BoolVar(&r.commit, "commit", false, "keep what the operation changes")
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 30*time.Second, "how long the database may take")
	_ = cmd.RegisterFlagCompletionFunc("param", completeParameter(&in))
	return cmd
}

func oneOperation(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return command.Misused("name the operation to run; all are listed by: mortise ops")
	case 1:
		return nil
	}
	return command.Misused("one operation at a time; parameters are given as --param name=value")
}

// completeParameter completes the names of the operation's parameters.
func completeParameter(in *command.Input) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		contract, err := in.Contract(context.Background())
		if err != nil || len(args) == 0 {
			return nil, directive
		}
		op, err := statements.One(contract, args[0])
		if err != nil {
			return nil, directive
		}
		var words []string
		for _, p := range op.Parameters {
			words = append(words, cobra.CompletionWithDesc(p.Name+"=", p.TypeName()))
		}
		return words, directive
	}
}

// A runner is the command's flags.
type runner struct {
	given        []string
	commit, json bool
	timeout      time.Duration
}

func (r runner) run(ctx context.Context, in command.Input, word string, stdout, stderr io.Writer) error {
	if r.timeout <= 0 {
		return command.Misused("--timeout must be more than 0")
	}
	contract, err := in.Contract(ctx)
	if err != nil {
		return err
	}
	op, err := statements.One(contract, word)
	if err != nil {
		return err
	}
	o := &outcome{operation: op, config: in.Config, further: in.Contracts}
	now := time.Now().UTC().Truncate(time.Microsecond)
	request, err := literal.Values(op, r.given, now)
	if err == nil {
		err = r.try(ctx, o, request, contract, now, mortise.NewLogger(stderr, slog.LevelError))
	}
	var ended *command.Exit
	if errors.As(err, &ended) && ended.Status == command.Usage {
		return err
	}
	o.err = err
	if err := o.print(stdout, stderr, r.json); err != nil {
		return command.Failed(err)
	}
	return o.exit()
}

// try runs the operation, and fills the outcome.
func (r runner) try(ctx context.Context, o *outcome, request proto.Message, contract *operation.Contract, now time.Time, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	file, err := statements.Load(o.config, contract)
	if err != nil {
		return err
	}
	if o.statement, err = file.Statement(o.operation); err != nil {
		return err
	}
	call, err := query.NewCall(o.statement, request, now, o)
	if err != nil {
		return err
	}
	o.call = call
	o.notes = append(o.notes, unused(o.statement, o.operation, request)...)
	if o.values, err = o.operation.Values(request, now, nil); err != nil {
		return err
	}
	if o.operation.Empty(request) {
		o.notes = append(o.notes, "there is nothing to do, since the list "+o.operation.Spec.GetNothingIfEmpty()+" is empty: no query is sent")
		return nil
	}
	session, err := file.Open(ctx, logger)
	if err != nil {
		return err
	}
	defer session.Close()
	o.server = session.Server.String()
	problems, err := session.Describe(ctx, o.statement)
	if ctx.Err() != nil {
		return ended(ctx, o.operation.Key)
	}
	if err != nil {
		return err
	}
	if problems.Err() != nil {
		return problems
	}
	for _, p := range problems {
		if p.Rule == "row-bound-unknown" || p.Severity == problem.Warning {
			o.notes = append(o.notes, p.Message)
		}
	}
	return r.trial(ctx, session, o)
}

// unused names the parameters that are given and that the operator's query does not use.
func unused(statement *query.Statement, op *operation.Operation, request proto.Message) []string {
	var names []string
	for _, p := range op.Parameters {
		if v := p.Get(request); p.Asked(&v) && !statement.Uses(p.Name) {
			names = append(names, "@"+p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"the query does not use " + strings.Join(names, ", ")}
}
