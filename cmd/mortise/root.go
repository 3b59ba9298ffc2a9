package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The exit status of every command.
const (
	exitFine     = 0
	exitProblems = 1
	exitUsage    = 2
)

// An exit ends the program with a status; err is printed unless nil.
type exit struct {
	status int
	err    error
}

// Error returns the error's text.
func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the error.
func (e *exit) Unwrap() error { return e.err }

func failed(err error) error { return &exit{status: exitProblems, err: err} }

func misused(format string, args ...any) error {
	return &exit{status: exitUsage, err: fmt.Errorf(format, args...)}
}

// run executes the command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return exitFine
	}
	if err.Error() != "" {
		fmt.Fprintln(stderr, "mortise: "+err.Error())
	}
	var ended *exit
	if errors.As(err, &ended) {
		return ended.status
	}
	return exitUsage // cobra's own errors are about flags and arguments
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "mortise",
		Short:         "A storage plugin whose every query belongs to its operator",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newServe(), newInit(), newCheck(), newDocs(), newVersion())
	return root
}

// withSignals runs a command's work with a context that ends on SIGINT and SIGTERM, so that an
// embedded server is stopped in order.
func withSignals(work func(ctx context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return work(ctx)
}

// input is the flags that say what is worked on: the operator's file, and contracts beyond the
// built-in one.
type input struct {
	config    string
	contracts []string
	folders   []string
}

func (in *input) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&in.config, "config", "c", os.Getenv("MORTISE_CONFIG"), "the operator's file (default $MORTISE_CONFIG)")
	cmd.Flags().StringArrayVar(&in.contracts, "contract", nil, "a further annotated .proto file, whose operations are served as well (repeatable)")
	cmd.Flags().StringArrayVarP(&in.folders, "proto-path", "I", nil, "a folder in which imports of --contract are looked for (repeatable)")
}

// load reads the contract and the operator's file.
func (in *input) load(ctx context.Context) (*loaded, error) {
	if in.config == "" {
		return nil, misused("no configuration file is named; give --config FILE, or set MORTISE_CONFIG")
	}
	files, err := mortise.CompileContract(ctx, in.folders, in.contracts...)
	if err != nil {
		return nil, failed(err)
	}
	contract, err := storage.Contract(files...)
	if err != nil {
		return nil, failed(err)
	}
	l := &loaded{contract: contract}
	l.config, l.problems = mortise.LoadWith(in.config, contract)
	return l, nil
}

// A loaded is what the flags lead to.
type loaded struct {
	contract *operation.Contract
	config   *mortise.Config
	problems problem.List
}
