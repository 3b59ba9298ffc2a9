package benchmark

import (
	"os"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise/cmd/mortise/command"
	"github.com/mortise-storage/mortise/cmd/mortise/command/serve"
	"github.com/mortise-storage/mortise/internal/testdb"
)

// TestMain makes this program a plugin as well, so that the real thing is started.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		root := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
		root.AddCommand(serve.New("test"))
		os.Exit(command.Status(root.Execute(), os.Stderr))
	}
	testdb.Main(m)
}
