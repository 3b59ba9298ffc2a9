// Package command is what all commands of the program share: the flags that name the operator's file,
// loading it, reaching its database, and how a command ends.
//
// Each command is a package of its own below this one with a function New that returns it. A command
// prints results on the command's output and everything else on its error output, prints JSON when
// asked to, and ends with one of the statuses below.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/mortise-storage/mortise"
	"github.com/mortise-storage/mortise/storage"
	"github.com/mortise-storage/mortise/storage/database/embedded"
	"github.com/mortise-storage/mortise/storage/operation"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The exit status of every command.
const (
	Fine     = 0
	Problems = 1
	Usage    = 2
)

// An Exit ends the program with a status; Err is printed unless nil.
type Exit struct {
	Status int
	Err    error
}

// Error returns the error's text.
func (e *Exit) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns the error.
func (e *Exit) Unwrap() error { return e.Err }

// Failed ends the program because of an error that is not one of usage.
func Failed(err error) error { return &Exit{Status: Problems, Err: err} }

// Misused ends the program because it was called in a wrong way.
func Misused(format string, args ...any) error {
	return &Exit{Status: Usage, Err: fmt.Errorf(format, args...)}
}

// Found ends the program with the status for problems that were printed already.
func Found() error { return &Exit{Status: Problems} }

// Status prints the error that a command line ended with, if there is something to print, and
// returns the exit status for it.
func Status(err error, stderr io.Writer) int {
	if err == nil {
		return Fine
	}
	if err.Error() != "" {
		fmt.Fprintln(stderr, "mortise: "+err.Error())
	}
	var ended *Exit
	if errors.As(err, &ended) {
		return ended.Status
	}
	return Usage // cobra's own errors are about flags and arguments
}

// WithSignals runs a command's work with a context that ends on SIGINT and SIGTERM, so that an
// embedded server is stopped in order.
func WithSignals(ctx context.Context, work func(ctx context.Context) error) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return work(ctx)
}

// Input is the flags that say what is worked on: the operator's file, and contracts beyond the
// built-in one.
type Input struct {
	Config    string
	Contracts []string
	Folders   []string
}

// Flags adds the flags to a command.
func (in *Input) Flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&in.Config, "config", "c", os.Getenv("MORTISE_CONFIG"), "the operator's file (default $MORTISE_CONFIG)")
	cmd.Flags().StringArrayVar(&in.Contracts, "contract", nil, "a further annotated .proto file, whose operations are served as well (repeatable)")
	cmd.Flags().StringArrayVarP(&in.Folders, "proto-path", "I", nil, "a folder in which imports of --contract are looked for (repeatable)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagFilename("contract", "proto")
	_ = cmd.MarkFlagDirname("proto-path")
}

// Contract reads the built-in contract and the further ones.
func (in *Input) Contract(ctx context.Context) (*operation.Contract, error) {
	files, err := mortise.CompileContract(ctx, in.Folders, in.Contracts...)
	if err != nil {
		return nil, Failed(err)
	}
	contract, err := storage.Contract(files...)
	if err != nil {
		return nil, Failed(err)
	}
	return contract, nil
}

// Load reads the contract and the operator's file. Problems of the file are no error here; a command
// that cannot go on with them uses Ready.
func (in *Input) Load(ctx context.Context) (*Loaded, error) {
	if in.Config == "" {
		return nil, Misused("no configuration file is named; give --config FILE, or set MORTISE_CONFIG")
	}
	contract, err := in.Contract(ctx)
	if err != nil {
		return nil, err
	}
	return LoadFile(in.Config, contract), nil
}

// LoadFile reads one operator's file.
func LoadFile(path string, contract *operation.Contract) *Loaded {
	l := &Loaded{Contract: contract}
	l.Config, l.Problems = mortise.LoadWith(path, contract)
	return l
}

// ReadSchema reads a script that a flag names.
func ReadSchema(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", Misused("schema: %w", err)
	}
	return string(text), nil
}

// CompleteOperations completes the keys of operations on the command line.
func (in *Input) CompleteOperations(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	contract, err := in.Contract(context.Background())
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	keys := make([]string, 0, len(contract.Operations()))
	for _, op := range contract.Operations() {
		keys = append(keys, op.Key)
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}

// A Loaded is what the flags lead to.
type Loaded struct {
	Contract *operation.Contract
	// Config is nil if the file could not be read at all.
	Config   *mortise.Config
	Problems problem.List
}

// A Database is where the operator's file leads to.
type Database struct {
	// ConnString is a DSN or URL.
	ConnString string

	server *embedded.Server
}

// Reach returns the database of the operator's file, without connecting to it. If that is the embedded
// server, it is that of the plugin that is using it now, or else it is started, and given the default
// schema.
func (l *Loaded) Reach(ctx context.Context, logger *slog.Logger) (*Database, error) {
	config := l.Config.Storage
	if config.Connection != storage.Embedded {
		return &Database{ConnString: config.Connection}, nil
	}
	server, err := embedded.Start(ctx, embedded.Options{DataDir: config.EmbeddedDir, Logger: logger})
	if errors.Is(err, embedded.ErrInUse) {
		if running, besideErr := embedded.Beside(config.EmbeddedDir); besideErr == nil {
			return &Database{ConnString: running}, nil
		}
	}
	if err != nil {
		return nil, Failed(err)
	}
	d := &Database{ConnString: server.ConnString(), server: server}
	conn, err := pgconn.Connect(ctx, d.ConnString)
	if err == nil {
		_, err = conn.Exec(ctx, mortise.Schema).ReadAll()
		_ = conn.Close(context.WithoutCancel(ctx))
	}
	if err != nil {
		d.Close()
		return nil, Failed(fmt.Errorf("applying the default schema to the embedded server: %w", err))
	}
	return d, nil
}

// Close stops an embedded server.
func (d *Database) Close() {
	if d.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = d.server.Stop(ctx)
}
