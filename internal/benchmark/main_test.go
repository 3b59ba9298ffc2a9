package benchmark

import (
	"os"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/serve"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// program runs the tests and then stops their server, before goroutines are looked for.
type program struct{ m *testing.M }

func (p program) Run() int { return testdb.Run(p.m) }

// TestMain makes this program a plugin as well, so that the real thing is started.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		root := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
		root.AddCommand(serve.New("test"))
		os.Exit(command.Status(root.Execute(), os.Stderr))
	}
	goleak.VerifyTestMain(program{m})
}
