package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/check"
	"github.com/mortise-storage/mortise/cmd/mortise/command/docs"
	"github.com/mortise-storage/mortise/cmd/mortise/command/initialise"
	"github.com/mortise-storage/mortise/cmd/mortise/command/serve"
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
	root := &cobra.Command{
		Use:           "mortise",
		Short:         "A storage plugin whose every query belongs to its operator",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(serve.New(version()), initialise.New(), check.New(), docs.New(), newVersion())
	return root
}
