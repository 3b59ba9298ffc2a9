package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/bench"
	"github.com/mortise-storage/mortise/cmd/mortise/command/check"
	"github.com/mortise-storage/mortise/cmd/mortise/command/docs"
	"github.com/mortise-storage/mortise/cmd/mortise/command/explain"
	"github.com/mortise-storage/mortise/cmd/mortise/command/initialise"
	"github.com/mortise-storage/mortise/cmd/mortise/command/ops"
	"github.com/mortise-storage/mortise/cmd/mortise/command/reload"
	byhand "github.com/mortise-storage/mortise/cmd/mortise/command/run"
	"github.com/mortise-storage/mortise/cmd/mortise/command/serve"
	"github.com/mortise-storage/mortise/cmd/mortise/command/show"
	"github.com/mortise-storage/mortise/cmd/mortise/command/verify"
)

// The groups of commands in the help.
const (
	tuning  = "tuning"
	serving = "serving"
)

// run executes the command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return command.Status(root.Execute(), stderr)
}

func newRoot() *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:           "mortise",
		Short:         "A storage plugin whose every query belongs to its operator",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddGroup(&cobra.Group{ID: tuning, Title: "Writing and tuning queries:"}, &cobra.Group{ID: serving, Title: "Serving them:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(tuning, ops.New(), check.New(), verify.New(), show.New(), byhand.New(), explain.New(), bench.New())
	add(serving, initialise.New(), serve.New(version()), reload.New())
	root.AddCommand(docs.New(), newVersion())
	return root
}
